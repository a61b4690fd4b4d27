"""What a detector sees of a sample, in double precision: what reconstructions are held to.

Nothing here is shared with the algorithms, so that an error of theirs is not simulated too.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Optics", "Sample", "counted", "moving"]

_BLOCK = 64
MARGIN = 2
"""Pixels of the object around all that is lit."""


class Optics:
    """From the light behind the sample to the detector."""

    def __init__(
        self,
        side: int,
        wavelength: float,
        pixel: float,
        distance: float,
        field: str,
        slice_distance: float,
        blur: float,
    ) -> None:
        import numpy as np

        self.side, self.wavelength, self.pixel = side, wavelength, pixel
        self._frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)) / pixel
        self._between = self._travelled(slice_distance)
        self.near = field == "near"
        self._to_detector = self._travelled(distance) if self.near else np.ones(())
        # In the far field the frame wraps around, as its Fourier transform does.
        width = 2.0 * (math.pi * blur * self._frequency * pixel) ** 2
        self._blurring = np.exp(-width) if blur else None

    def _travelled(self, distance: float) -> "NDArray[Any]":
        """Phase of every frequency after a distance: the angular spectrum."""
        import numpy as np

        along = np.sqrt(np.maximum(1.0 - (self.wavelength * self._frequency) ** 2, 0.0)) - 1.0
        return np.asarray(np.exp(2j * math.pi * distance / self.wavelength * along))

    def through(self, light: "NDArray[Any]", layers: "NDArray[Any]") -> "NDArray[Any]":
        """Light behind all layers: (…, row, column), (slice, row, column)."""
        import numpy as np

        for index, layer in enumerate(layers):
            if index:
                light = np.fft.ifft2(np.fft.fft2(light) * self._between)
            light = light * layer
        return light

    def intensity(self, light: "NDArray[Any]", part: "NDArray[Any]") -> "NDArray[Any]":
        """What the detector sees of (mode, row, column), its zero frequency in the centre.

        part : of a pixel, by which the light was moved onto the pixels of the object: the detector
        stands with the light, and the near field shows the difference.
        """
        import numpy as np

        if not self.near:
            wave = np.fft.fftshift(np.fft.fft2(light), axes=(-2, -1)) / self.side
        else:
            back = moving(self.side, part).conj()
            wave = np.fft.ifft2(np.fft.fft2(light) * self._to_detector * back)
        seen = (np.abs(wave) ** 2).sum(axis=0)
        if self._blurring is not None:
            seen = np.maximum(np.fft.ifft2(np.fft.fft2(seen) * self._blurring).real, 0.0)
        return np.asarray(seen)


class Sample:
    """Object and illumination."""

    def __init__(
        self, layers: "NDArray[Any]", probe: "NDArray[Any]", defocus: float | None
    ) -> None:
        self.layers, self.probe, self.defocus = layers, probe, defocus

    @classmethod
    def drawn(
        cls,
        optics: Optics,
        lit: "NDArray[Any]",
        shares: "NDArray[Any]",
        slices: int,
        aperture: float,
        diameter: float,
        rng: Any,
    ) -> "Sample":
        import numpy as np

        from lightwell_ptychography.phantoms import aperture_modes, diffuser_modes, discs_object

        side = optics.side
        rows, columns = (math.ceil(float(lit[:, axis].max())) + side + MARGIN for axis in (0, 1))
        # Together as thick as one.
        layers = np.stack([discs_object((rows, columns), rng) for _ in range(slices)])
        layers = np.abs(layers) ** (1.0 / slices) * np.exp(1j * np.angle(layers) / slices)
        if optics.near:
            return cls(layers, diffuser_modes(side, shares, rng), None)
        probe, defocus = aperture_modes(side, shares, aperture=aperture, diameter=diameter)
        return cls(layers, probe, defocus * optics.pixel**2 / optics.wavelength)

    def arrays(self, **others: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """Object, probe and what else is true, by name."""
        return {"object": self.layers, "probe": self.probe, **others}

    def behind(self, optics: Optics, place: "NDArray[Any]") -> "NDArray[Any]":
        """The light behind the sample at a position, (mode, row, column)."""
        import numpy as np

        # The nearest pixel: the least of the probe is then moved over the edge of its frame.
        whole = np.rint(place).astype(int)
        probe = np.fft.ifft2(np.fft.fft2(self.probe) * moving(optics.side, place - whole))
        side = optics.side
        window = np.s_[:, whole[0] : whole[0] + side, whole[1] : whole[1] + side]
        return optics.through(probe, self.layers[window])

    def mean_power(self, optics: Optics, lit: "NDArray[Any]") -> float:
        """Of up to 64 positions, spread over the scan."""
        import numpy as np

        chosen = lit[:: max(len(lit) // 64, 1)]
        return float(np.mean([np.sum(np.abs(self.behind(optics, p)) ** 2) for p in chosen]))


def moving(side: int, part: "NDArray[Any]") -> "NDArray[Any]":
    """Fourier factors (row, column) that move an image by parts of a pixel."""
    import numpy as np

    frequency, ramps = np.fft.fftfreq(side), []
    for one in part:
        ramp = np.exp(-2j * math.pi * frequency * one)
        # Half a cycle per pixel has no side: the mean of both.
        ramps.append(np.where(frequency == -0.5, ramp.real, ramp))
    return np.asarray(ramps[0][:, None] * ramps[1])


def counted(
    sample: Sample,
    optics: Optics,
    lit: "NDArray[Any]",
    beam: "NDArray[Any]",
    background: float,
    dead: "NDArray[Any]",
    rng: Any,
) -> "Iterator[NDArray[Any]]":
    """Blocks of frames (frame, row, column) int32, never more than one in memory."""
    import numpy as np

    for start in range(0, len(lit), _BLOCK):
        block = np.empty((len(lit[start : start + _BLOCK]), optics.side, optics.side), np.int32)
        for index, place in enumerate(lit[start : start + _BLOCK]):
            seen = optics.intensity(sample.behind(optics, place), place - np.rint(place))
            block[index] = rng.poisson(seen * beam[start + index] + background)
        block.reshape(len(block), -1)[:, dead] = 0
        yield block
