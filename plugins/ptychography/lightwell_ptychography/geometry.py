"""The one frame of coordinates in which positions, objects and detectors meet.

- Axes are (y, x) = (row, column) of the detector image as stored, seen along the beam; object axes
  are parallel to them and of the same sign, since the wave ahead of the detector at row Y is the
  Fourier component exp(+2πi·y·Y/(wavelength·distance)) of the exit wave.
- A position says where on the object the beam is, in metres: a sample that moves by +t under a
  beam at rest is hit at -t (`beam_positions`).
- In object pixels a position is the upper-left corner of the probe's frame on the object; the
  probe's own centre is at index side // 2 of its frame, the zero frequency of a centred pattern
  likewise. Integers are centres of pixels.
- The object pixel is wavelength·distance/(side·detector pixel) in the far field, and the detector
  pixel over the magnification in the near field.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Sampling", "beam_positions", "far_field_pixel", "near_field_pixel", "object_extent"]

Floats = NDArray[np.float64]


def far_field_pixel(
    wavelength: float, distance: float, detector_pixel: tuple[float, float], frame: tuple[int, int]
) -> tuple[float, float]:
    """Object pixel (y, x) in m of a far-field measurement.

    wavelength, distance : m; detector_pixel : (y, x) m; frame : (y, x) pixels of a pattern

    >>> far_field_pixel(1e-10, 2.0, (50e-6, 50e-6), (128, 128))
    (3.125e-08, 3.125e-08)
    """
    return (
        wavelength * distance / (frame[0] * detector_pixel[0]),
        wavelength * distance / (frame[1] * detector_pixel[1]),
    )


def near_field_pixel(
    detector_pixel: tuple[float, float], magnification: float = 1.0
) -> tuple[float, float]:
    """Object pixel (y, x) in m of a near-field measurement, detector_pixel : (y, x) m."""
    return detector_pixel[0] / magnification, detector_pixel[1] / magnification


def beam_positions(sample_translations: ArrayLike) -> Floats:
    """Where the beam is on a sample that moves: (frame, 2) m, of translations (frame, 2) m."""
    return -np.asarray(sample_translations, np.float64)


def object_extent(
    corners: ArrayLike, frame: tuple[int, int], margin: int = 4
) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """Pixels (y, x) of an object that holds every frame, and the corners moved inside it.

    corners : (frame, 2) float, object pixels, of any origin
    frame   : pixels (y, x) of a pattern
    margin  : pixels to spare on each side, room for positions to be refined
    """
    place = np.asarray(corners, np.float64)
    inside = place - place.min(axis=0) + margin
    shape = np.ceil(inside.max(axis=0)).astype(int) + np.asarray(frame) + margin
    return (int(shape[0]), int(shape[1])), inside.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Between metres and object pixels.

    pixel  : (y, x) m, of the object
    origin : (y, x) m, position of a beam whose frame has its corner at object pixel (0, 0)
    frame  : (y, x) pixels of a pattern
    shape  : (y, x) pixels of the object
    """

    pixel: tuple[float, float]
    origin: tuple[float, float]
    frame: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        positions: ArrayLike,
        pixel: tuple[float, float],
        frame: tuple[int, int],
        margin: int = 4,
    ) -> "Sampling":
        """The object that these positions : (frame, 2) m need, with a margin in pixels."""
        place = np.asarray(positions, np.float64)
        origin = place.min(axis=0) - margin * np.asarray(pixel)
        shape, _ = object_extent(place / np.asarray(pixel), frame, margin)
        return cls(pixel, (float(origin[0]), float(origin[1])), frame, shape)

    def to_pixels(self, positions: ArrayLike) -> NDArray[np.float32]:
        """Corners (frame, 2) in object pixels of positions : (frame, 2) m."""
        metres = np.asarray(positions, np.float64) - np.asarray(self.origin)
        corners: NDArray[np.float32] = (metres / np.asarray(self.pixel)).astype(np.float32)
        return corners

    def to_metres(self, corners: ArrayLike) -> Floats:
        """Positions (frame, 2) in m of corners : (frame, 2) object pixels."""
        away: Floats = np.asarray(corners, np.float64) * np.asarray(self.pixel)
        places: Floats = away + np.asarray(self.origin)
        return places

    def axes(self) -> tuple[Floats, Floats]:
        """Where the object's rows and columns are: (y,) m and (x,) m, as positions of the beam."""
        along: list[Floats] = [
            ((np.arange(side) - half // 2) * pixel + start).astype(np.float64)
            for side, half, pixel, start in zip(
                self.shape, self.frame, self.pixel, self.origin, strict=True
            )
        ]
        return along[0], along[1]
