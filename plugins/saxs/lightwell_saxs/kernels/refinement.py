"""The geometry that puts points on rings, by Gauss-Newton with automatic derivatives.

Rings see neither a turn about the beam (rot3) nor, by themselves, everything else: a parameter
that they do not determine is refused, never given a number.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import Geometry, positions, two_theta

__all__ = ["PARAMETERS", "Refined", "angles_at", "refine", "undetermined"]

Floats = NDArray[np.float64]

PARAMETERS = ("distance", "poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
"""What may be refined: the six parameters of the geometry, and the wavelength."""

_SMALLEST = 1e-7
"""A direction in which the rings change this little, relative to the most, is not seen."""
_PADDED = 512


class Refined(NamedTuple):
    """A geometry, the covariance of its free parameters, and how well the points lie on it.

    covariance : (parameter, parameter) in the order of `free`; residuals : (point) rad;
    weights : (point) 0 to 1, what was left of each point; chi2 : per degree of freedom
    """

    geometry: Geometry
    free: tuple[str, ...]
    covariance: Floats
    residuals: Floats
    weights: Floats
    chi2: float

    def sigma(self, name: str) -> float:
        """One standard deviation of a free parameter."""
        return math.sqrt(self.covariance[self.free.index(name), self.free.index(name)])


def angles_at(geometry: Geometry, rows: Floats, columns: Floats, shape: tuple[int, int]) -> Floats:
    """Scattering angles, rad, of points given with 0 at the centre of the first pixel."""
    t1, t2, t3 = positions(geometry, rows + 0.5, columns + 0.5, shape)
    return np.asarray(two_theta(t1, t2, t3))


@lru_cache(maxsize=16)
def _derivatives(free: tuple[str, ...], shape: tuple[int, int], orientation: int) -> Any:
    """A compiled function: derivatives of scattering angles by the free parameters.

    The wavelength moves the rings, not the points: its column is left to the caller.
    """
    moving = tuple(name for name in free if name != "wavelength")

    def angles(values: Any, fixed: Any, rows: Any, columns: Any) -> Any:
        geometry = Geometry._make((*fixed, orientation))._replace(
            **{name: values[i] for i, name in enumerate(moving)}
        )
        return two_theta(*positions(geometry, rows, columns, shape, jnp), jnp)

    return jax.jit(jax.jacfwd(angles))


def _jacobian(
    geometry: Geometry,
    free: tuple[str, ...],
    points: tuple[Floats, Floats],
    angles: Floats,
    shape: tuple[int, int],
) -> Floats:
    """Derivatives of (angle of the point - angle of its ring): (point, parameter), rad."""
    moving = [name for name in free if name != "wavelength"]
    count = len(angles)
    # A few sizes only, so that a handful of programs is compiled and not one per fit.
    padding = (0, -count % _PADDED)
    rows, columns = (np.pad(axis + 0.5, padding, mode="edge") for axis in points)
    values = np.array([getattr(geometry, name) for name in moving])
    with jax.enable_x64(True):  # noqa: FBT003  (its only way)
        function = _derivatives(free, shape, geometry.orientation)
        found = np.asarray(function(values, np.array(geometry[:9], np.float64), rows, columns))
    found = found[:count]
    if "wavelength" in free:
        ring = -2.0 * np.tan(angles / 2.0) / geometry.wavelength
        found = np.insert(found, free.index("wavelength"), ring, axis=1)
    return found


def undetermined(jacobian: Floats, free: Sequence[str]) -> list[str]:
    """Names of parameters along directions that the points do not see."""
    scale = np.linalg.norm(jacobian, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    _, strength, directions = np.linalg.svd(jacobian / scale, full_matrices=False)
    found: list[str] = []
    for size, direction in zip(strength, directions, strict=True):
        if size < _SMALLEST * strength[0]:
            found += [n for n, part in zip(free, direction, strict=True) if abs(part) > 0.1]
    return sorted(set(found), key=list(free).index)


def refine(
    start: Geometry,
    rows: Floats,
    columns: Floats,
    angles: Floats,
    shape: tuple[int, int],
    *,
    sigma: Floats,
    free: Sequence[str] = ("distance", "poni1", "poni2", "rot1", "rot2"),
    steps: int = 20,
) -> Refined:
    """Geometry that puts every point on its ring, points far off counting less.

    rows, columns : (point) pixel; angles : (point) rad, of the ring at the starting wavelength;
    sigma : (point) rad, relative to each other: their common scale is taken from the scatter.
    Errors: ValueError naming the parameters that the points do not determine, or where they
    lead to no geometry.
    """
    names = tuple(free)
    geometry, wavelength = start, start.wavelength
    weights = np.ones(len(rows))
    rings = np.sin(angles / 2.0) / wavelength
    for step in range(steps):
        target = 2.0 * np.arcsin(np.clip(rings * geometry.wavelength, -1.0, 1.0))
        residuals = angles_at(geometry, rows, columns, shape) - target
        matrix = _jacobian(geometry, names, (rows, columns), target, shape) / sigma[:, None]
        scaled = residuals / sigma
        spread = max(1.4826 * float(np.median(np.abs(scaled))), 1e-12)
        weights = 1.0 / (1.0 + (scaled / (4.0 * spread)) ** 2) ** 2
        root = np.sqrt(weights)
        if step == 0 and (missing := undetermined(matrix, names)):
            raise ValueError(
                f"the rings do not determine {', '.join(missing)}: leave out of `free` what is "
                "known otherwise"
            )
        scale = np.linalg.norm(matrix, axis=0)
        change = np.linalg.lstsq(root[:, None] * matrix / scale, -root * scaled, rcond=None)[0]
        change = change / scale
        moved = {n: getattr(geometry, n) + float(c) for n, c in zip(names, change, strict=True)}
        geometry = geometry._replace(**moved)
        if not (geometry.distance > 0 and all(map(math.isfinite, moved.values()))):
            raise ValueError("the points lead to no geometry: the rings were mistaken")
        if np.all(np.abs(change) * scale < 1e-6 * spread * math.sqrt(len(rows))):
            break
    return _refined(geometry, names, (rows, columns), rings, sigma, weights, shape)


def _refined(
    geometry: Geometry,
    names: tuple[str, ...],
    points: tuple[Floats, Floats],
    rings: Floats,
    sigma: Floats,
    weights: Floats,
    shape: tuple[int, int],
) -> Refined:
    target = 2.0 * np.arcsin(np.clip(rings * geometry.wavelength, -1.0, 1.0))
    residuals = angles_at(geometry, *points, shape) - target
    matrix = _jacobian(geometry, names, points, target, shape) / sigma[:, None]
    scale = np.linalg.norm(matrix, axis=0)
    matrix = matrix / scale
    # The sandwich of M-estimates (Huber 1981): the slope of the influence, not the weight, says
    # how firmly a point holds the result.
    scaled = residuals / sigma
    slope = weights * (4.0 * np.sqrt(weights) - 3.0)
    normal = np.linalg.inv(matrix.T @ (slope[:, None] * matrix))
    freedom = max(float(weights.sum()) - len(names), 1.0)
    chi2 = float((weights * scaled**2).sum() / freedom)
    middle = matrix.T @ ((weights * scaled)[:, None] ** 2 * matrix)
    covariance = normal @ middle @ normal * (weights.sum() / freedom)
    return Refined(geometry, names, covariance / np.outer(scale, scale), residuals, weights, chi2)
