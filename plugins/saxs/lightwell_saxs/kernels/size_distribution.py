"""Distributions of a size: points and weights, as many and as far out as sasmodels takes."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

__all__ = ["Distribution", "size_distribution"]

Distribution = Literal["none", "gaussian", "lognormal", "schulz"]

_LEAST_WIDTH = 1e-4


class _Extent(NamedTuple):
    points: int
    sigmas: float


_EXTENTS = {
    "none": _Extent(1, 0.0),
    "gaussian": _Extent(35, 3.0),
    "lognormal": _Extent(80, 8.0),
    "schulz": _Extent(80, 8.0),
}


def size_distribution(kind: Distribution, centre: Any, width: Any) -> tuple[Any, Any]:
    """Sizes (point) and their weights (point), which add up to 1.

    centre : of the distribution, mean for gaussian and schulz, median for lognormal; width :
    standard deviation over centre. Sizes that are not positive have no weight.
    """
    extent = _EXTENTS[kind]
    offset = jnp.asarray(np.linspace(-extent.sigmas, extent.sigmas, extent.points))
    width = jnp.maximum(width, _LEAST_WIDTH)
    ratio = 1.0 + width * offset
    is_size = ratio > 0.0
    safe = jnp.where(is_size, ratio, 1.0)
    weight = jnp.where(is_size, jnp.exp(_log_weight(kind, safe, offset, width)), 0.0)
    return centre * safe, weight / jnp.sum(weight)


def _log_weight(kind: Distribution, ratio: Any, offset: Any, width: Any) -> Any:
    """The logarithm of a distribution over size / centre, up to a constant."""
    if kind == "lognormal":
        return -0.5 * (jnp.log(ratio) / width) ** 2 - jnp.log(ratio)
    if kind == "schulz":
        z = 1.0 / width**2
        return (z - 1.0) * jnp.log(ratio) - z * (ratio - 1.0)
    return -0.5 * offset**2
