"""Filtered reconstruction of slices by adjoint gridding of their spectra."""

import jax
import jax.numpy as jnp
from jax import lax

from lightwell_numerics.gather_sums import gather_plain, gather_weighted
from lightwell_tomography.kernels.gridrec_plan import GridrecPlan, gridrec_plan

__all__ = ["GridrecPlan", "circular_mask", "gridrec_plan", "reconstruct"]

_ANGLES = 16
"""Angles a processor transforms at once, in its cache; the bits do not depend on it."""


def reconstruct(sinograms: jax.Array, plan: GridrecPlan) -> jax.Array:
    """Slices whose filtered backprojection these sinograms are; linear, and the same every time.

    sinograms : (angle, row, x) float32, line integrals in units of one pixel
    returns   : (row, y, x) float32, 1 / pixel, as wide as the detector

    The rotation axis lies at (width - 1) / 2 in y and x, between two pixels for an even width.
    A ray at angle a and distance t from the axis is the line x cos(a) + y sin(a) = t, with x and y
    counted from there along their indices. Exact inside the circle of the detector's width.

    Source: O'Sullivan, IEEE Trans. Med. Imaging 4, 200 (1985), as a type-1 non-uniform transform.
    """
    width = sinograms.shape[2]
    spectra = _weighted_spectra(sinograms, plan)
    half_plane = _gridded(spectra, plan)
    grid = plan.node.shape[0]
    images = jnp.fft.irfft2(half_plane, s=(grid, grid))
    start = grid // 2 - width // 2
    images = images[:, start : start + width, start : start + width]
    factor = jnp.asarray(plan.deapodisation)
    return images * (factor[:, None] * factor[None, :])


def circular_mask(slices: jax.Array, radius: float, outside: float = 0.0) -> jax.Array:
    """The slices with `outside` beyond a circle about the rotation axis.

    slices : (row, y, x) float32
    radius : of the circle, in units of half the width
    """
    width = slices.shape[-1]
    offset = jnp.arange(width, dtype=jnp.float32) - 0.5 * (width - 1)
    squared = jnp.square(offset)[:, None] + jnp.square(offset)[None, :]
    return jnp.where(squared <= jnp.square(0.5 * width * radius), slices, outside)


def _weighted_spectra(sinograms: jax.Array, plan: GridrecPlan) -> jax.Array:
    """Filtered spectra as vectors (angle x frequency, real rows then imaginary rows)."""
    coefficients, side = jnp.asarray(plan.coefficients), jnp.asarray(plan.side)
    angles, rows, _ = sinograms.shape
    frequencies = coefficients.shape[1]
    block = min(_ANGLES, angles) if jax.default_backend() == "cpu" else angles

    def transformed(n: jax.Array, vectors: jax.Array) -> jax.Array:
        # The last block begins early rather than being shorter: angles do not know each other.
        first = jnp.minimum(n * block, angles - block)
        part = lax.dynamic_slice_in_dim(sinograms, first, block)
        factors = lax.dynamic_slice_in_dim(coefficients, first, block)
        signs = lax.dynamic_slice_in_dim(side, first, block)
        spectra = jnp.fft.rfft(part, n=2 * (frequencies - 1)) * factors[:, None, :]
        found = jnp.concatenate([spectra.real, spectra.imag * signs[:, None, None]], axis=1)
        # Rows innermost: one sample of all rows is one contiguous vector to gather.
        return lax.dynamic_update_slice_in_dim(vectors, jnp.swapaxes(found, 1, 2), first, 0)

    vectors = jnp.zeros((angles, frequencies, 2 * rows), jnp.float32)
    found: jax.Array = lax.fori_loop(0, -(-angles // block), transformed, vectors)
    return found.reshape(-1, 2 * rows)


def _gridded(spectra: jax.Array, plan: GridrecPlan) -> jax.Array:
    """Half plane (row, ky, kx) complex64 of the spectrum of the slices."""
    level = gather_weighted(spectra, plan.indices, plan.weights)
    levels = [level]
    for tables in plan.joins:
        level = gather_plain(level, tables)
        levels.append(level)
    sums = jnp.concatenate(levels)
    half_plane = _rows_outermost(sums, jnp.asarray(plan.node))
    strips = jnp.conj(_rows_outermost(sums, jnp.asarray(plan.mirror)))
    margin = plan.mirror.shape[1] // 2
    right = half_plane.shape[2] - margin
    # Two updates in place; adding a padded array would cost a pass over the whole half plane.
    half_plane = lax.dynamic_update_slice(
        half_plane, half_plane[:, :, :margin] + strips[:, :, :margin], (0, 0, 0)
    )
    return lax.dynamic_update_slice(
        half_plane, half_plane[:, :, right:] + strips[:, :, margin:], (0, 0, right)
    )


def _rows_outermost(sums: jax.Array, node: jax.Array) -> jax.Array:
    rows = sums.shape[1] // 2
    vectors = sums.at[node].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return jnp.moveaxis(lax.complex(vectors[..., :rows], vectors[..., rows:]), -1, 0)
