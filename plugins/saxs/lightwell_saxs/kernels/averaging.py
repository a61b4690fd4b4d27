"""Weighted averages of frames over bins, with errors: the portable form, in JAX.

The signal of a pixel is its counts less its dark counts; the intensity of a bin is Σ c·signal /
Σ c·weight, with c the share of the pixel in the bin and weight the product of its corrections.
The error is that of the mean, √(Σ c²·variance) / Σ c·weight, where the variance is

- `poisson`: the counts, at least 1;
- `given`: beside the counts, whoever knows them better;
- `azimuthal`: (signal - mean·weight)², the spread among the pixels of the bin;
- `none`: not asked for, and the error is not a number.

These are pyFAI's definitions. A bin without pixels is not a number.

Frames come last inside: one index then fetches a row of values, one per frame. Entries of a bin
are summed in blocks of fixed length before the blocks are, which keeps float32 accurate.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.splitting import Operator

__all__ = ["AveragePlan", "ErrorModel", "average", "portable_plan", "shared_tables"]

ErrorModel = Literal["none", "poisson", "azimuthal", "given"]

_WIDTH = 64
_BLOCKS = 2048
"""Blocks summed at a time; all at once would spill every cache."""


class AveragePlan(NamedTuple):
    """Everything about an average that does not depend on the frames.

    weight, dark : (pixel) float32, corrections and dark counts; norm, dark_sum : (bin) float64,
    Σ c·weight and Σ c·dark; tables : those of the form of the kernel.
    """

    weight: Any
    dark: Any
    norm: Any
    dark_sum: Any
    tables: Any


class Blocks(NamedTuple):
    """Entries of bins in blocks of fixed length, padded with shares of 0.

    pixels : (step, block, width) int32; shares : (step, block, width) float32; bin : (step ·
    block) int32, rising.
    """

    pixels: Any
    shares: Any
    bin: Any


def shared_tables(
    operator: Operator, weight: NDArray[Any], dark: NDArray[Any] | None
) -> dict[str, Any]:
    """The fields every form of the plan has.

    weight, dark : (pixel) or (row, column); no dark counts if not given
    """
    flat = np.asarray(weight, np.float64).reshape(-1)
    counts = np.zeros(flat.size) if dark is None else np.asarray(dark, np.float64).reshape(-1)
    return {
        "weight": flat.astype(np.float32),
        "dark": counts.astype(np.float32),
        "norm": operator.sums(flat),
        "dark_sum": operator.sums(counts),
    }


def portable_plan(
    operator: Operator, weight: NDArray[Any], dark: NDArray[Any] | None = None
) -> AveragePlan:
    """The plan of `average` in this module, made once on the host."""
    count = np.diff(operator.pointer)
    blocks = -(-count // _WIDTH)
    total = int(blocks.sum())
    per_step = min(_BLOCKS, max(total, 1))
    padded = -(-max(total, 1) // per_step) * per_step
    first_block = np.cumsum(blocks) - blocks
    cell = np.repeat(np.arange(operator.bins), count)
    inside = np.arange(len(cell)) - np.repeat(operator.pointer[:-1], count)
    slot = first_block[cell] * _WIDTH + inside
    pixels = np.zeros(padded * _WIDTH, np.int32)
    shares = np.zeros(padded * _WIDTH, np.float32)
    pixels[slot], shares[slot] = operator.pixels, operator.coefficients
    owner = np.full(padded, max(operator.bins - 1, 0), np.int32)
    owner[:total] = np.repeat(np.arange(operator.bins), blocks)
    shape = (padded // per_step, per_step, _WIDTH)
    tables = Blocks(pixels.reshape(shape), shares.reshape(shape), owner)
    return AveragePlan(**shared_tables(operator, weight, dark), tables=tables)


def average(
    frames: Any,
    plan: AveragePlan,
    *,
    errors: ErrorModel = "poisson",
    dummy: float | None = None,
    delta_dummy: float = 0.0,
    variance: Any = None,
) -> tuple[Any, Any]:
    """Intensity and its error, both (frame, bin).

    frames : (frame, pixel) counts; dummy : the value of pixels that counted nothing, found anew
    in every frame; delta_dummy : how far a value may be from it to be one. What is not a number
    never counts. variance : (frame, pixel), of the counts, for the errors that are given.
    """
    stack = jnp.asarray(frames)
    # One frame needs no last axis, and all its blocks at once are several times as fast.
    is_one = len(stack) == 1
    values = stack[0] if is_one else stack.T
    known = None if variance is None else jnp.asarray(variance, jnp.float32)
    known = known if known is None else known[0] if is_one else known.T
    weight, dark = jnp.asarray(plan.weight), jnp.asarray(plan.dark)
    is_plain = dummy is None and not jnp.issubdtype(values.dtype, jnp.floating)

    def wide(table: Any) -> Any:
        return table if is_one else table[..., None]

    def seen(pixels: Any) -> tuple[Any, Any]:
        return _counted(values[pixels].astype(jnp.float32), dummy, delta_dummy)

    def first(pixels: Any, shares: Any) -> tuple[Any, ...]:
        found, valid = seen(pixels)
        own = jnp.maximum(found, 1.0) if known is None else known[pixels]
        spread = wide(shares) ** 2 * own
        terms = [wide(shares) * found, spread if is_plain else spread * valid]
        if not is_plain:
            terms.append(wide(shares * weight[pixels]) * valid)
            terms.append(wide(shares * dark[pixels]) * valid)
        return tuple(term.sum(axis=1) for term in terms)

    norm, dark_sum = (wide(jnp.asarray(one, jnp.float32)) for one in (plan.norm, plan.dark_sum))
    signal, variance, *counted = _summed(first, plan, is_one=is_one)
    if counted:
        norm, dark_sum = counted
    empty = norm <= 0
    # A bin without pixels must not spoil derivatives, nor others by its 0 / 0.
    norm = jnp.where(empty, 1.0, norm)
    mean = (signal - dark_sum) / norm

    def spread(pixels: Any, shares: Any, bins: Any) -> tuple[Any, ...]:
        found, valid = seen(pixels)
        expected = mean[bins][:, None] * wide(weight[pixels])
        distance = wide(shares) * (found - wide(dark[pixels]) - expected)
        return ((distance**2 * valid).sum(axis=1),)

    if errors == "azimuthal":
        (variance,) = _summed(spread, plan, is_one=is_one, with_bins=True)
    mean = jnp.where(empty, jnp.nan, mean)
    sigma = jnp.where(empty | (errors == "none"), jnp.nan, jnp.sqrt(variance) / norm)
    return (mean[None], sigma[None]) if is_one else (mean.T, sigma.T)


def _counted(found: Any, dummy: float | None, delta_dummy: float) -> tuple[Any, Any]:
    """Values with 0 for those that do not count, and 1 or 0 for whether they do."""
    valid = jnp.isfinite(found)
    if dummy is not None:
        away = jnp.abs(found - dummy)
        valid &= (away > delta_dummy) if delta_dummy else (away != 0)
    return jnp.where(valid, found, 0.0), valid.astype(jnp.float32)


def _summed(
    terms: Any, plan: AveragePlan, *, is_one: bool, with_bins: bool = False
) -> tuple[Any, ...]:
    """Sums over bins of terms per block, a step of blocks at a time; of one frame all at once."""
    blocks = plan.tables
    per_step, width = blocks.pixels.shape[1:]
    owner = jnp.asarray(blocks.bin)
    steps: tuple[Any, ...] = (jnp.asarray(blocks.pixels), jnp.asarray(blocks.shares))
    if with_bins:
        steps = (*steps, owner.reshape(-1, per_step))
    if is_one:
        flat = (one.reshape(-1, width) for one in steps[:2])
        found = terms(*flat, *((owner,) if with_bins else ()))
    else:
        _, found = jax.lax.scan(lambda carry, step: (carry, terms(*step)), None, steps)
    return tuple(
        jax.ops.segment_sum(
            part.reshape(-1, *part.shape[1 if is_one else 2 :]),
            owner,
            len(plan.norm),
            indices_are_sorted=True,
        )
        for part in found
    )
