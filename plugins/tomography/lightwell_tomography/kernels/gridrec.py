"""Filtered reconstruction of slices by adjoint gridding of their spectra."""

import jax
import jax.numpy as jnp

from lightwell_numerics.gather_sums import gather_plain, gather_weighted
from lightwell_tomography.kernels.gridrec_plan import GridrecPlan, gridrec_plan

__all__ = ["GridrecPlan", "circular_mask", "gridrec_plan", "reconstruct"]


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
    frequencies = plan.coefficients.shape[1]
    spectra = jnp.fft.rfft(sinograms, n=2 * (frequencies - 1))
    spectra = spectra * jnp.asarray(plan.coefficients)[:, None, :]
    side = jnp.asarray(plan.side)[:, None, None]
    # Rows innermost: one sample of all rows is one contiguous vector to gather.
    vectors = jnp.concatenate([spectra.real, spectra.imag * side], axis=1)
    return jnp.swapaxes(vectors, 1, 2).reshape(-1, vectors.shape[1])


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
    half_plane = jax.lax.dynamic_update_slice(
        half_plane, half_plane[:, :, :margin] + strips[:, :, :margin], (0, 0, 0)
    )
    return jax.lax.dynamic_update_slice(
        half_plane, half_plane[:, :, right:] + strips[:, :, margin:], (0, 0, right)
    )


def _rows_outermost(sums: jax.Array, node: jax.Array) -> jax.Array:
    rows = sums.shape[1] // 2
    vectors = sums.at[node].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return jnp.moveaxis(jax.lax.complex(vectors[..., :rows], vectors[..., rows:]), -1, 0)
