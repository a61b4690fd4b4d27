"""From probe and object to the wave behind the object, and from its correction back to both."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lightwell_ptychography.propagators import Propagator
from lightwell_ptychography.windows import cut_windows, shift_ramps, split_positions

__all__ = [
    "Illuminated",
    "backpropagate",
    "illuminate",
    "inner",
    "intensity",
    "modulus_correction",
    "position_steps",
]


class Illuminated(NamedTuple):
    """What a chunk of frames sees of the object, and the wave it makes of it.

    corners  : (frame, 2) int32
    ramps    : (frame, 1, y, x) complex64 that moved the probe by fractions, or None
    waves    : of each slice, (frame, mode, y, x) complex64, the wave that meets it
    patches  : of each slice, (frame, 1, y, x) complex64, the object there
    exit     : (frame, mode, y, x) complex64, the wave behind the last slice
    """

    corners: Array
    ramps: Array | None
    waves: list[Array]
    patches: list[Array]
    exit: Array


def illuminate(
    object: Array,
    probe: Array,
    positions: Array,
    *,
    subpixel: bool,
    between: Propagator | None = None,
) -> Illuminated:
    """Multiply the probe onto every slice at these positions.

    object    : (slice, y, x) complex64
    probe     : (mode, y, x) complex64
    positions : (frame, 2) float32, object pixels
    subpixel  : move the probe by the fractions, at one more FFT per mode; else round
    between   : propagator from slice to slice
    """
    frame = (int(probe.shape[-2]), int(probe.shape[-1]))
    corners, shifts = split_positions(positions, object.shape, frame)
    ramps = None
    wave = jnp.broadcast_to(probe[None], (positions.shape[0], *probe.shape))
    if subpixel:
        ramps = shift_ramps(shifts, frame)[:, None]
        wave = jnp.fft.ifft2(jnp.fft.fft2(probe)[None] * ramps)
    waves, patches = [], []
    for n in range(object.shape[0]):
        if n:
            assert between is not None, "several slices need a propagator between them"  # noqa: S101
            wave = between.forward(wave)
        patch = cut_windows(object[n], corners, frame)[:, None]
        waves.append(wave)
        patches.append(patch)
        wave = wave * patch
    return Illuminated(corners, ramps, waves, patches, wave)


def backpropagate(
    seen: Illuminated, correction: Array, between: Propagator | None = None
) -> tuple[list[Array], Array]:
    """What a correction of the exit wave asks of every slice and of the probe.

    correction : (frame, mode, y, x) complex64, of the exit wave

    Returns, adjoint to `illuminate`, the sums over modes of conj(wave) · correction for each slice,
    (frame, y, x), and the sum over frames of conj(object) · correction, moved back to the probe's
    own grid, (mode, y, x).
    """
    asked: list[Array] = []
    for n in reversed(range(len(seen.waves))):
        asked.append((seen.waves[n].conj() * correction).sum(axis=1))
        correction = seen.patches[n].conj() * correction
        if n:
            assert between is not None, "several slices need a propagator between them"  # noqa: S101
            correction = between.backward(correction)
    if seen.ramps is None:
        return asked[::-1], correction.sum(axis=0)
    # Summed before the way back, so that one transform serves all frames.
    moved = (jnp.fft.fft2(correction) * seen.ramps.conj()).sum(axis=0)
    return asked[::-1], jnp.fft.ifft2(moved)


def intensity(waves: Array) -> Array:
    """Sum over modes of the squared modulus: (frame, y, x) float32 of (frame, mode, y, x).

    Written out, since the modulus of a complex number costs a careful root that is then squared.
    """
    return (waves.real**2 + waves.imag**2).sum(axis=1)


def modulus_correction(
    ratio: Array, spectrum: Array, propagator: Propagator, moved: Array | None = None
) -> Array:
    """Correction of the exit wave whose spectrum has to be multiplied by 1 + ratio.

    ratio    : (frame, y, x) float32
    spectrum : (frame, mode, y, x) complex64, of `Propagator.spectrum`
    moved    : as that was given

    The difference, not the corrected wave: one array less to hold.
    """
    return propagator.exit_wave(spectrum * ratio[:, None], moved)


def position_steps(seen: Illuminated, correction: Array) -> Array:
    """Moves (frame, 2) in pixels that would explain a correction best, by least squares.

    correction : (frame, mode, y, x) complex64, of the exit wave; of a thick object the first slice
    is taken for the whole.
    Source: derivative of the exit wave by position, M. Odstrčil et al., Opt. Express 26, 3108
    (2018), section 3.
    """
    down, across = (seen.waves[0] * _slope(seen.patches[0], axis) for axis in (-2, -1))
    yy, xx, xy = inner(down, down), inner(across, across), inner(down, across)
    y, x = inner(down, correction), inner(across, correction)
    # Relative to the strongest: the product of two sums of counts may leave float32's range.
    unit = jnp.maximum((yy + xx).max(), 1e-30)
    yy, xx, xy, y, x = yy / unit, xx / unit, xy / unit, y / unit, x / unit
    # Where the object is flat, or changes along one direction alone, nothing moves.
    floor = 1e-3 * (yy + xx) + 1e-6
    yy, xx = yy + floor, xx + floor
    determinant = yy * xx - xy**2
    safe = jnp.where(determinant > 0, determinant, 1.0)
    steps = jnp.stack([(xx * y - xy * x) / safe, (yy * x - xy * y) / safe], axis=1)
    return jnp.where((determinant > 0)[:, None], steps, 0.0)


def inner(first: Array, second: Array) -> Array:
    """Real inner products (frame,) float32 of (frame, mode, y, x) complex64."""
    return (first.real * second.real + first.imag * second.imag).sum(axis=(1, 2, 3))


def _slope(patch: Array, axis: int) -> Array:
    """Central differences; the patch does not go around, so its edges have none."""
    slope = 0.5 * (jnp.roll(patch, -1, axis) - jnp.roll(patch, 1, axis))
    place = jnp.arange(patch.shape[axis])
    inside = (place > 0) & (place < patch.shape[axis] - 1)
    return slope * (inside[:, None] if axis == -2 else inside)
