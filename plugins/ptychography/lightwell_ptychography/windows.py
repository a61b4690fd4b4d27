"""Windows on the object: cutting out what each frame saw and adding back what each frame says."""

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ["add_windows", "cut_windows", "shift_ramps", "split_positions"]


def split_positions(
    positions: Array, shape: tuple[int, ...], frame: tuple[int, int]
) -> tuple[Array, Array]:
    """Whole corners inside the object and the fractions left over.

    positions : (frame, 2) float32, object pixels; shape: of the object; frame: of one pattern

    Returns (frame, 2) int32 and (frame, 2) float32 in [-0.5, 0.5]; what leads outside the object
    is moved to its edge.
    """
    last = jnp.array([shape[-2] - frame[0], shape[-1] - frame[1]], jnp.float32)
    inside = jnp.clip(positions, 0.0, last)
    corners = jnp.round(inside)
    return corners.astype(jnp.int32), inside - corners


def cut_windows(image: Array, corners: Array, frame: tuple[int, int]) -> Array:
    """Windows (frame, y, x) of image : (y, x), with their corners : (frame, 2) int32."""

    def cut(corner: Array) -> Array:
        return lax.dynamic_slice(image, (corner[0], corner[1]), frame)

    return jax.vmap(cut)(corners)


def add_windows(layers: Array, corners: Array, windows: Array, layer: int = 0) -> Array:
    """The layers : (slice, y, x) with each of windows : (frame, y, x) added to one at its corner.

    Unrolled: slice, add and write back happen in place, which scatter operations do not.
    """
    frame = windows.shape[-2:]
    for n in range(windows.shape[0]):
        start = (jnp.int32(layer), corners[n, 0], corners[n, 1])
        there = lax.dynamic_slice(layers, start, (1, *frame))
        layers = lax.dynamic_update_slice(layers, there + windows[n], start)
    return layers


def shift_ramps(shifts: Array, frame: tuple[int, int]) -> Array:
    """Fourier factors (frame, y, x) complex64 that move an image by shifts : (frame, 2) pixels.

    At the Nyquist frequency of an even side the factor is the mean of both signs, as for every
    real image.
    """
    ramps = []
    for axis, side in enumerate(frame):
        angle = -2 * jnp.pi * shifts[:, axis, None] * jnp.fft.fftfreq(side).astype(jnp.float32)
        ramp = lax.complex(jnp.cos(angle), jnp.sin(angle))
        if side % 2 == 0:
            ramp = ramp.at[:, side // 2].set(jnp.cos(angle[:, side // 2]))
        ramps.append(ramp)
    return ramps[0][:, :, None] * ramps[1][:, None, :]
