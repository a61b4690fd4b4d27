"""From detector counts to line integrals: dark and flat fields, drift between flats, logarithm."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FlatWeights", "flat_weights", "minus_log", "normalise"]


_SIGNIFICANT = 4.0
"""Standard errors by which a flat has to stand above the dark."""


class FlatWeights(NamedTuple):
    """How flats combine into the flat of each projection; pass it to jit as an argument.

    average      : (group, flat) float32, averages the flats taken at one position
    lower        : (angle,) int32, group at or before the projection
    upper        : (angle,) int32, group after it
    upper_weight : (angle,) float32, share of the upper group, 0 to 1
    """

    average: NDArray[np.float32] | jax.Array
    lower: NDArray[np.int32] | jax.Array
    upper: NDArray[np.int32] | jax.Array
    upper_weight: NDArray[np.float32] | jax.Array


def flat_weights(frame_positions: ArrayLike, flat_positions: ArrayLike) -> FlatWeights:
    """Linear interpolation in time between groups of flats, constant before and after them.

    frame_positions : (angle,) float64, projections taken before this one
    flat_positions  : (flat,) float64, projections taken before this flat; equal ones form a group

    Raises ValueError without flats, or when a position is not a finite number.
    """
    frames = np.asarray(frame_positions, np.float64).ravel()
    flats = np.asarray(flat_positions, np.float64).ravel()
    if flats.size == 0:
        raise ValueError("projections cannot be normalised without a single flat field")
    if not (np.isfinite(frames).all() and np.isfinite(flats).all()):
        raise ValueError("positions in the scan must be finite numbers")
    groups, member = np.unique(flats, return_inverse=True)
    average = (member == np.arange(groups.size)[:, None]).astype(np.float64)
    average /= average.sum(axis=1, keepdims=True)
    lower = np.clip(np.searchsorted(groups, frames, side="right") - 1, 0, groups.size - 1)
    upper = np.minimum(lower + 1, groups.size - 1)
    gap = np.where(upper > lower, groups[upper] - groups[lower], 1.0)
    share = np.where(upper > lower, np.clip((frames - groups[lower]) / gap, 0.0, 1.0), 0.0)
    return FlatWeights(
        average=average.astype(np.float32),
        lower=lower.astype(np.int32),
        upper=upper.astype(np.int32),
        upper_weight=share.astype(np.float32),
    )


def normalise(
    frames: jax.Array,
    flats: jax.Array,
    darks: jax.Array,
    weights: FlatWeights,
    floor: float | jax.Array,
) -> jax.Array:
    """Transmission (frame - dark) / (flat - dark), never below `floor`.

    frames : (angle, row, x) counts, any type
    flats  : (flat, row, x) counts, any type
    darks  : (dark, row, x) counts, any type; averaged
    floor  : smallest transmission that is believed, above 0 if a logarithm follows
    returns: (angle, row, x) float32

    A pixel whose flat is not above its dark by more than their noise lets through (four standard
    errors of the two means, from the spread of the frames) is dead; it gets `floor`, a finite value
    that shows as a stripe. Such a value is never NaN, and a NaN in the counts is never turned into
    a number: it stays NaN in just those projections that it concerns.

    Raises ValueError without darks.
    """
    if darks.shape[0] == 0:
        raise ValueError("projections cannot be normalised without a single dark field")
    counts = jnp.asarray(darks, jnp.float32)
    dark = jnp.mean(counts, axis=0)
    dark_error = jnp.mean(jnp.square(counts - dark), axis=0) / counts.shape[0]
    means, errors = _group_averages(jnp.asarray(flats, jnp.float32), jnp.asarray(weights.average))
    groups = means - dark
    # Judged per moment and per pixel alone, so that a tile's answer does not depend on its size.
    lit = jnp.square(groups) > _SIGNIFICANT**2 * (errors + dark_error)
    groups = jnp.where(lit | jnp.isnan(groups), groups, 0.0)
    share = jnp.asarray(weights.upper_weight)[:, None, None]
    lower, upper = groups[jnp.asarray(weights.lower)], groups[jnp.asarray(weights.upper)]
    # A group without a share must not contribute its NaN.
    beam = jnp.where(share > 0.0, (1.0 - share) * lower, lower)
    beam = jnp.where(share < 1.0, beam, 0.0) + jnp.where(share > 0.0, share * upper, 0.0)
    dead = beam <= 0.0
    transmission = (jnp.asarray(frames, jnp.float32) - dark) / jnp.where(dead, 1.0, beam)
    return jnp.where(dead & ~jnp.isnan(transmission), floor, jnp.maximum(transmission, floor))


def minus_log(transmission: jax.Array) -> jax.Array:
    """Line integrals of the attenuation, by the law of Beer and Lambert.

    transmission : (angle, row, x) float32, above 0
    returns      : (angle, row, x) float32, dimensionless
    """
    return -jnp.log(transmission)


def _group_averages(flats: jax.Array, average: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means (group, row, x) and the squares of their standard errors.

    A selection, not a product, keeps a bad flat within its group.
    """
    share = average[:, :, None, None]
    means = jnp.sum(jnp.where(share > 0.0, share * flats[None], 0.0), axis=1)
    deviation = jnp.where(share > 0.0, share * (flats[None] - means[:, None]), 0.0)
    return means, jnp.sum(jnp.square(deviation), axis=1)
