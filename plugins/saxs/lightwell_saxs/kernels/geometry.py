"""Where a pixel looks: scattering angle, azimuth and momentum transfer, in pyFAI's convention.

The sample is the origin, axis 3 runs along the beam, axis 1 along rows (slow), axis 2 along
columns (fast). An unrotated detector stands at 3 = distance with the point of normal incidence
(PONI) at (poni1, poni2) from its outer corner; then rot1 turns it about axis 1 and rot2 about
axis 2, both left-handed, and rot3 about the beam, right-handed (Kieffer & Karkoulis 2013,
Journal of Physics Conference Series 425, 202012).

Every function takes the array module as `xp`: NumPy on the host, in double precision, where
operators are built; `jax.numpy` where derivatives are wanted.
"""

import math
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = [
    "UNITS",
    "Geometry",
    "PixelPositions",
    "RadialUnit",
    "azimuth",
    "beam_centre",
    "cos_incidence",
    "from_beam_centre",
    "pixel_positions",
    "positions",
    "radial",
    "rotation",
    "two_theta",
]

RadialUnit = Literal["q", "2theta", "r"]
UNITS: dict[RadialUnit, str] = {"q": "1/nm", "2theta": "degree", "r": "mm"}
"""What is along the radial axis, and its unit."""


class Geometry(NamedTuple):
    """A flat detector behind a sample.

    distance : m, from the sample to the PONI; poni1, poni2 : m, along rows and columns from the
    outer corner of the first pixel; rot1, rot2, rot3 : rad; pixel1, pixel2 : m, size along rows
    and columns; wavelength : m; orientation : which corner of the image the first pixel is when
    one looks from the sample, as in EXIF (1 top left, 2 top right, 3 bottom right, 4 bottom left);
    3 is how detectors are stored that pyFAI calls native.
    """

    distance: Any
    poni1: Any
    poni2: Any
    rot1: Any = 0.0
    rot2: Any = 0.0
    rot3: Any = 0.0
    pixel1: Any = 172e-6
    pixel2: Any = 172e-6
    wavelength: Any = 1e-10
    orientation: int = 3

    @classmethod
    def of(cls, values: Iterable[float]) -> "Geometry":
        """The geometry whose fields, in order, are the given numbers."""
        *lengths, orientation = map(float, values)
        return cls._make((*lengths, int(orientation)))


class PixelPositions(NamedTuple):
    """Where the pixels of a detector are in (radial, azimuthal) space, in double precision.

    radial, azimuth : (row, column), of the centres; radial_corners, azimuth_corners :
    (row, column, 4), walking round each pixel; azimuth in rad from -π to π.
    """

    radial: Any
    azimuth: Any
    radial_corners: Any
    azimuth_corners: Any


def rotation(geometry: Geometry, xp: ModuleType = np) -> Any:
    """The matrix (3, 3) that turns detector axes 1, 2, 3 into those of the laboratory."""
    c1, c2, c3 = (xp.cos(getattr(geometry, name)) for name in ("rot1", "rot2", "rot3"))
    s1, s2, s3 = (xp.sin(getattr(geometry, name)) for name in ("rot1", "rot2", "rot3"))
    return xp.stack(
        [
            xp.stack([c2 * c3, s1 * s2 * c3 - c1 * s3, -c1 * s2 * c3 - s1 * s3]),
            xp.stack([c2 * s3, s1 * s2 * s3 + c1 * c3, s1 * c3 - c1 * s2 * s3]),
            xp.stack([s2 * xp.ones_like(c1), -s1 * c2, c1 * c2]),
        ]
    )


def positions(
    geometry: Geometry, rows: Any, columns: Any, shape: tuple[int, int], xp: ModuleType = np
) -> tuple[Any, Any, Any]:
    """Laboratory coordinates 1, 2 and 3 (m) of points on the detector.

    rows, columns : pixel, 0 at the outer corner of the first pixel, 0.5 at its centre;
    shape : rows and columns of the detector, which a mirrored orientation counts from.
    """
    if geometry.orientation in (1, 2):
        rows = shape[0] - rows
    if geometry.orientation in (1, 4):
        columns = shape[1] - columns
    p1 = rows * geometry.pixel1 - geometry.poni1
    p2 = columns * geometry.pixel2 - geometry.poni2
    matrix = rotation(geometry, xp)
    return tuple(m[0] * p1 + m[1] * p2 + m[2] * geometry.distance for m in matrix)


def two_theta(t1: Any, t2: Any, t3: Any, xp: ModuleType = np) -> Any:
    """Scattering angle, rad."""
    return xp.arctan2(xp.sqrt(t1 * t1 + t2 * t2), t3)


def azimuth(t1: Any, t2: Any, xp: ModuleType = np) -> Any:
    """Azimuth about the beam, rad from -π to π, 0 along axis 2, growing towards axis 1."""
    return xp.arctan2(t1, t2)


def radial(
    geometry: Geometry, t1: Any, t2: Any, t3: Any, unit: RadialUnit = "q", xp: ModuleType = np
) -> Any:
    """Radial coordinate: q in 1/nm, 2theta in degree, or the distance r from the beam in mm."""
    if unit == "r":
        return 1e3 * xp.sqrt(t1 * t1 + t2 * t2)
    angle = two_theta(t1, t2, t3, xp)
    if unit == "2theta":
        return angle * (180.0 / math.pi)
    return 4e-9 * math.pi / geometry.wavelength * xp.sin(angle / 2.0)


def cos_incidence(
    geometry: Geometry, rows: Any, columns: Any, shape: tuple[int, int], xp: ModuleType = np
) -> Any:
    """Cosine of the angle between the scattered ray and the normal of the detector."""
    upright = geometry._replace(rot1=0.0, rot2=0.0, rot3=0.0)
    t1, t2, t3 = positions(upright, rows, columns, shape, xp)
    return t3 / xp.sqrt(t1 * t1 + t2 * t2 + t3 * t3)


def pixel_positions(
    geometry: Geometry, shape: tuple[int, int], unit: RadialUnit = "q"
) -> PixelPositions:
    """Centres and corners of every pixel of a detector of `shape` (row, column)."""
    rows, columns = shape
    centre = positions(
        geometry, np.arange(rows)[:, None] + 0.5, np.arange(columns)[None, :] + 0.5, shape
    )
    corner = positions(
        geometry, np.arange(rows + 1.0)[:, None], np.arange(columns + 1.0)[None, :], shape
    )
    return PixelPositions(
        radial(geometry, *centre, unit),
        azimuth(centre[0], centre[1]),
        _around(radial(geometry, *corner, unit)),
        _around(azimuth(corner[0], corner[1])),
    )


def _around(grid: Any) -> Any:
    """The four corners of every pixel from the grid of all corners."""
    return np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1)


def beam_centre(geometry: Geometry, shape: tuple[int, int]) -> tuple[float, float]:
    """Row and column where the direct beam meets the detector, 0 at the centre of a pixel."""
    matrix = rotation(geometry)
    normal = matrix[:, 2]
    # The beam is (0, 0, s); back in detector axes its foot has 3 = distance.
    s = geometry.distance / normal[2]
    p1, p2, _ = matrix.T @ np.array([0.0, 0.0, s])
    row = (p1 + geometry.poni1) / geometry.pixel1
    column = (p2 + geometry.poni2) / geometry.pixel2
    row = shape[0] - row if geometry.orientation in (1, 2) else row
    column = shape[1] - column if geometry.orientation in (1, 4) else column
    return float(row) - 0.5, float(column) - 0.5


def from_beam_centre(
    row: float,
    column: float,
    distance: float,
    pixel1: float,
    pixel2: float,
    wavelength: float,
) -> Geometry:
    """Geometry of an upright detector from where the beam meets it.

    row, column : pixel, 0 at the centre of the first pixel; distance, pixel1, pixel2 : m
    """
    poni1, poni2 = (row + 0.5) * pixel1, (column + 0.5) * pixel2
    return Geometry(distance, poni1, poni2, 0.0, 0.0, 0.0, pixel1, pixel2, wavelength)
