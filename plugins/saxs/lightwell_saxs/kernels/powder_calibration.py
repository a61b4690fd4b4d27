"""The geometry of a detector from one frame of a powder, from a blank start."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.calibrants import Calibrant, ring_angles
from lightwell_saxs.kernels.control_points import ControlPoints, control_points
from lightwell_saxs.kernels.geometry import Geometry
from lightwell_saxs.kernels.indexing import index_rings
from lightwell_saxs.kernels.refinement import Refined, angles_at, refine
from lightwell_saxs.kernels.ring_finding import find_centre, find_crests

__all__ = ["FREE", "PowderCalibration", "calibrate_powder"]

FREE = ("distance", "poni1", "poni2", "rot1", "rot2")
_LARGEST_ANGLE = math.radians(80.0)
_MOST_RINGS = 60
_WINDOWS = (6.0, 12.0, 24.0)


class PowderCalibration(NamedTuple):
    """A geometry with its covariance, the points it rests on, and the rings they lie on.

    scatter : pixel, root mean square distance of points from their rings
    """

    refined: Refined
    points: ControlPoints
    rings: NDArray[np.float64]
    scatter: float


def calibrate_powder(
    image: NDArray[np.float64],
    valid: NDArray[np.bool_],
    calibrant: Calibrant,
    wavelength: float,
    pixels: tuple[float, float],
    *,
    near: tuple[float, float] | None = None,
    free: Sequence[str] = FREE,
    orientation: int = 3,
) -> PowderCalibration:
    """Find centre, rings and geometry, and refine it on points that are fitted ever more closely.

    image : (row, column) counts; wavelength, pixels, near : m; near : limits of the distance
    Errors: ValueError in a sentence where the frame does not determine the geometry.
    """
    shape = (image.shape[0], image.shape[1])
    root = np.sqrt(np.maximum(np.where(valid, image, 0.0), 0.0))
    rings = ring_angles(calibrant, wavelength, _LARGEST_ANGLE)[:_MOST_RINGS]
    if not len(rings):
        raise ValueError("no ring of this powder is below 80 degrees at this wavelength")
    centre = find_centre(root, valid)
    crests = find_crests(root, valid, centre)
    guesses = index_rings(
        crests, centre, pixels, wavelength, rings, shape, near=near, orientation=orientation
    )
    best = guesses[0]
    if best.score < 0.1:
        raise ValueError(
            f"the rings found do not look like this powder's (agreement {best.score:.2f} of 1)"
        )
    return _refined(image, valid, best.geometry, rings, tuple(free), shape)


def _window(
    image: NDArray[np.float64],
    valid: NDArray[np.bool_],
    geometry: Geometry,
    rings: NDArray[np.float64],
) -> float:
    """Half width, pixel, of what belongs to a ring: the least that shows almost as many peaks."""
    count = {}
    for window in _WINDOWS:
        try:
            count[window] = len(control_points(image, valid, geometry, rings, window=window).rows)
        except ValueError:
            count[window] = 0
    most = max(count.values())
    return next(window for window in _WINDOWS if count[window] >= 0.8 * most)


def _refined(
    image: NDArray[np.float64],
    valid: NDArray[np.bool_],
    geometry: Geometry,
    rings: NDArray[np.float64],
    free: tuple[str, ...],
    shape: tuple[int, int],
) -> PowderCalibration:
    found = points = None
    window = _window(image, valid, geometry, rings)
    for _ in range(3):
        points = control_points(image, valid, geometry, rings, window=window)
        if len(points.rows) < 3 * len(free):
            raise ValueError(
                f"{len(points.rows)} points on rings are too few for {len(free)} values"
            )
        found = refine(
            geometry, points.rows, points.columns, rings[points.ring], shape,
            sigma=points.sigma, free=free,
        )  # fmt: skip
        if abs(found.geometry.rot1) > 1.2 or abs(found.geometry.rot2) > 1.2:
            raise ValueError("the points lead to a tilt beyond 70 degrees: the rings were mistaken")
        geometry = found.geometry
    if found is None or points is None:
        raise ValueError("no point on a ring was found")
    angles = angles_at(geometry, points.rows, points.columns, shape)
    pixel = math.sqrt(geometry.pixel1 * geometry.pixel2) / geometry.distance * np.cos(angles) ** 2
    share = found.weights / found.weights.sum()
    scatter = float(np.sqrt((share * (found.residuals / pixel) ** 2).sum()))
    return PowderCalibration(found, points, rings, scatter)
