"""What algorithms that take frames in groups have in common: an epoch, and its error."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from lightwell import Array
from lightwell_ptychography.problem import Patterns, fourier_error

__all__ = ["metrics_of", "one_epoch"]


def one_epoch(
    absorb: Callable[..., Any],
    close: Callable[..., tuple[Any, dict[str, Array]]],
    state: Any,
    patterns: Patterns,
    iteration: Array | int,
    options: Any,
) -> tuple[Any, dict[str, Array]]:
    """Every frame once, all of them in one tile."""
    indices = jnp.arange(patterns.count, dtype=jnp.int32)
    return close(absorb(state, patterns, indices, iteration, options), iteration, options)


def metrics_of(residual: Array, power: Array, *found: Array) -> dict[str, Array]:
    """The Fourier error of an epoch, which is no number once anything found is none."""
    poison = sum(0 * jnp.abs(one).sum() for one in found)
    return {"fourier_error": fourier_error(residual, power) + poison}
