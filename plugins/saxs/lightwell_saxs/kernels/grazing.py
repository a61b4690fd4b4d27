"""Where a pixel looks in the frame of a surface that the beam grazes: q_xy in it, q_z out of it.

The surface is turned up against the beam by the angle of incidence, and then about its own
direction along the beam by a tilt.
A ray leaves the sample in its own plane of incidence; q_xy = ±√(q_x² + q_y²) has the sign of the
side it leaves to. Between the two signs lies the missing wedge: on Ewald's sphere no ray has q_xy =
0 but the reflected one (D.-M. Smilgies 2021, Journal of Polymer Science 59, 1045).

The convention is that of pyFAI's units `qip` and `qoop`.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import Geometry, positions

__all__ = ["GrazingPositions", "Normal", "grazing_positions"]

Normal = Literal["up", "down", "left", "right"]
"""Where the surface's normal points in the stored image, first row on top."""

Floats = NDArray[np.float64]


class GrazingPositions(NamedTuple):
    """Where the pixels of a detector are in the plane of (q_xy, q_z), 1/nm.

    in_plane, out_of_plane : (row, column), of the centres; the others : (row, column, 4), walking
    round each pixel, all on the side of its centre; straddles : (row, column) bool, pixels whose
    corners are on both sides of the wedge.
    """

    in_plane: Floats
    out_of_plane: Floats
    in_plane_corners: Floats
    out_of_plane_corners: Floats
    straddles: NDArray[np.bool_]


def grazing_positions(
    geometry: Geometry,
    shape: tuple[int, int],
    *,
    incidence: float,
    tilt: float = 0.0,
    normal: Normal = "up",
) -> GrazingPositions:
    """Centres and corners of every pixel of a detector of `shape` (row, column).

    incidence : rad, of the beam on the surface; tilt : rad, of the surface about its direction
    along the beam, left-handed.
    """
    frame = (incidence, tilt, normal)
    rows, columns = (np.arange(size + 1.0) for size in shape)
    middle, height = _transfer(geometry, rows[:-1] + 0.5, columns[:-1] + 0.5, shape, frame)
    corner, top = _transfer(geometry, rows, columns, shape, frame)
    around = _around(corner)
    straddles = (around.min(axis=-1) < 0) & (around.max(axis=-1) > 0)
    side = np.where(middle < 0, -1.0, 1.0)[..., None]
    return GrazingPositions(middle, height, np.abs(around) * side, _around(top), straddles)


def _transfer(
    geometry: Geometry,
    rows: Floats,
    columns: Floats,
    shape: tuple[int, int],
    frame: tuple[float, float, Normal],
) -> tuple[Floats, Floats]:
    """q_xy with its sign and q_z of points on the detector."""
    incidence, tilt, normal = frame
    t1, t2, t3 = positions(geometry, rows[:, None], columns[None, :], shape)
    # From the axes of the laboratory to the stored image: rows fall, columns go to the right.
    down = -t1 if geometry.orientation in (1, 2) else t1
    right = -t2 if geometry.orientation in (1, 4) else t2
    vertical, horizontal = {
        "up": (-down, right),
        "down": (down, right),
        "left": (-right, down),
        "right": (right, down),
    }[normal]
    length = np.sqrt(t1 * t1 + t2 * t2 + t3 * t3)
    wave = 2e-9 * math.pi / geometry.wavelength
    beam = wave * (t3 / length - 1.0)
    flat, tall = wave * horizontal / length, wave * vertical / length
    forward = math.cos(incidence) * beam + math.sin(incidence) * tall
    tall = math.cos(incidence) * tall - math.sin(incidence) * beam
    side = math.cos(tilt) * flat + math.sin(tilt) * tall
    q_z = math.cos(tilt) * tall - math.sin(tilt) * flat
    q_xy = np.hypot(forward, side) * np.where(side < 0, -1.0, 1.0)
    return np.asarray(q_xy), np.asarray(q_z)


def _around(grid: Floats) -> Floats:
    """The four corners of every pixel from the grid of all corners."""
    return np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1)
