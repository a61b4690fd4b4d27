"""Free-space propagation of waves: unitary, each backward the exact adjoint of its forward."""

import dataclasses
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

__all__ = ["FarField", "NearField", "Propagator"]


class Propagator(Protocol):
    """What takes an exit wave to the detector and back, over the last two axes.

    forward, backward   : unitary, backward is the adjoint and the inverse of forward
    spectrum, exit_wave : the same pair without the scaling that an FFT does not need:
                          spectrum = gain · forward, exit_wave = backward / gain

    moved : (…, y, x) complex, the Fourier factors by which the light was moved onto the grid of
    the object, None where it was not. The detector stands with the light, not with the object:
    what reaches it is moved back. Intensities of the far field do not depend on that.
    """

    def forward(self, wave: Array, moved: Array | None = None) -> Array: ...

    def backward(self, wave: Array, moved: Array | None = None) -> Array: ...

    def spectrum(self, wave: Array, moved: Array | None = None) -> Array: ...

    def exit_wave(self, wave: Array, moved: Array | None = None) -> Array: ...

    def gain(self, shape: tuple[int, ...]) -> float: ...


@dataclasses.dataclass(frozen=True)
class FarField:
    """Fraunhofer diffraction: a unitary Fourier transform, zero frequency at pixel (0, 0).

    >>> wave = jnp.ones((4, 4), jnp.complex64)
    >>> float(abs(FarField().forward(wave)[0, 0]))
    4.0
    """

    def forward(self, wave: Array, moved: Array | None = None) -> Array:
        """Wave on the detector, FFT-native order, of wave : (…, y, x) complex."""
        del moved
        return jnp.fft.fft2(wave, norm="ortho")

    def backward(self, wave: Array, moved: Array | None = None) -> Array:
        """Exit wave of a wave on the detector : (…, y, x) complex, FFT-native order."""
        del moved
        return jnp.fft.ifft2(wave, norm="ortho")

    def spectrum(self, wave: Array, moved: Array | None = None) -> Array:
        """`forward` times `gain`, at the price of one FFT."""
        del moved
        return jnp.fft.fft2(wave)

    def exit_wave(self, wave: Array, moved: Array | None = None) -> Array:
        """Inverse of `spectrum`."""
        del moved
        return jnp.fft.ifft2(wave)

    def gain(self, shape: tuple[int, ...]) -> float:
        """Root of the number of pixels of a frame of this shape."""
        return float(np.sqrt(shape[-2] * shape[-1]))


@dataclasses.dataclass(frozen=True)
class NearField:
    """Angular spectrum over a distance: the wave stays on its grid, pixels in detector order.

    wavelength : m
    distance   : m; with a point source, the effective distance z1·z2/(z1 + z2)
    pixel_size : (y, x) m, of the wave; with a point source, demagnified to the sample
    paraxial   : the Fresnel kernel instead of the exact one

    Evanescent waves keep phase 0, so that the kernel stays unitary. Source: J. W. Goodman,
    Introduction to Fourier Optics, 3rd ed., section 3.10.
    """

    wavelength: float
    distance: float
    pixel_size: tuple[float, float]
    paraxial: bool = False

    def kernel(self, shape: tuple[int, ...]) -> NDArray[np.complex64]:
        """Transfer function for frames of this shape: (y, x) complex64, FFT-native order."""
        fy = np.fft.fftfreq(shape[-2], self.pixel_size[0])[:, None]
        fx = np.fft.fftfreq(shape[-1], self.pixel_size[1])[None, :]
        sine = self.wavelength**2 * (fy**2 + fx**2)
        # 1 - sqrt(1 - s) without the cancellation that would cost every digit at small angles.
        bend = 0.5 * sine if self.paraxial else sine / (1 + np.sqrt(np.clip(1 - sine, 0, None)))
        phase = -2 * np.pi * self.distance / self.wavelength * np.where(sine <= 1, bend, 0)
        transfer: NDArray[np.complex64] = np.exp(1j * phase).astype(np.complex64)
        return transfer

    def forward(self, wave: Array, moved: Array | None = None) -> Array:
        """Wave after the distance, of wave : (…, y, x) complex."""
        kernel = self.kernel(wave.shape)
        return jnp.fft.ifft2(
            jnp.fft.fft2(wave) * (kernel if moved is None else kernel * moved.conj())
        )

    def backward(self, wave: Array, moved: Array | None = None) -> Array:
        """Wave before the distance, of wave : (…, y, x) complex."""
        kernel = self.kernel(wave.shape).conj()
        return jnp.fft.ifft2(jnp.fft.fft2(wave) * (kernel if moved is None else kernel * moved))

    def spectrum(self, wave: Array, moved: Array | None = None) -> Array:
        """`forward`: there is no scaling to spare."""
        return self.forward(wave, moved)

    def exit_wave(self, wave: Array, moved: Array | None = None) -> Array:
        """`backward`: there is no scaling to spare."""
        return self.backward(wave, moved)

    def gain(self, shape: tuple[int, ...]) -> float:
        """1 for every shape."""
        del shape
        return 1.0
