"""The ptychographic problem: what was measured, and what is sought."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Patterns", "Reconstruction", "amplitudes", "fourier_error"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Patterns:
    """Diffraction patterns and where the beam stood.

    frames    : (frame, y, x), counts or their roots; far field in FFT-native order (zero
                frequency at pixel (0, 0)), near field in detector order; a pixel that is not
                finite counts as dead in its frame, one below zero as zero
    mask      : (y, x) bool, True where the detector is alive
    positions : (frame, 2) float32, object pixels (y, x) of the upper-left corner of the probe's
                frame on the object; fractions are meant
    unit      : "count" or "amplitude", what frames holds
    """

    frames: Array
    mask: Array
    positions: Array
    unit: Literal["count", "amplitude"] = dataclasses.field(
        default="count", metadata={"static": True}
    )

    @property
    def count(self) -> int:
        """Number of frames."""
        return int(self.frames.shape[0])

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Pixels (y, x) of one frame."""
        return int(self.frames.shape[-2]), int(self.frames.shape[-1])


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Object and probe, and what else of the experiment is estimated.

    object     : (slice, y, x) complex64, upstream slice first
    probe      : (mode, y, x) complex64, root of counts: the sum of |probe|² over modes and pixels
                 is the mean number of counts of a frame behind an empty object
    positions  : (frame, 2) float32, object pixels, as in `Patterns`
    background : (y, x) float32, counts added to each frame, or None
    intensity  : (frame,) float32, factor on the counts of each frame, mean 1, or None
    """

    object: Array
    probe: Array
    positions: Array
    background: Array | None = None
    intensity: Array | None = None


def amplitudes(frames: Array, mask: Array, unit: str) -> tuple[Array, Array]:
    """Roots of counts, and which of them count: ((…, y, x) float32, (…, y, x) bool).

    A frame without any count tells nothing (the shutter was closed): all its pixels are out.
    """
    value = frames.astype(jnp.float32)
    alive = jnp.isfinite(value) & mask
    value = jnp.where(alive, jnp.maximum(value, 0.0), 0.0)
    seen = value.max(axis=(-2, -1), keepdims=True) > 0
    return (jnp.sqrt(value) if unit == "count" else value), alive & seen


def fourier_error(residual: Array, power: Array) -> Array:
    """Root of the summed squares of amplitude differences over those of the amplitudes."""
    return jnp.sqrt(residual / jnp.maximum(power, jnp.float32(1e-30)))
