"""Which ring a crest belongs to, and from that the first geometry.

An upright detector at distance L shows ring n at radius L·tan(2θ): every pair of a radius that has
many crests and a ring is a guess of L. The best guesses are followed: crests go to their nearest
rings, the geometry is refined, and ever wider rings join, so that a tilt is known before it
matters.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import Geometry
from lightwell_saxs.kernels.refinement import angles_at, refine
from lightwell_saxs.kernels.ring_finding import Crests

__all__ = ["Indexed", "index_rings"]

Floats = NDArray[np.float64]

_GUESSES = 6
_RINGS_TRIED = 8
_PEAKS_TRIED = 8
_NEAR = 2.0
"""pixel: a crest this far from a ring may be its own."""


class Indexed(NamedTuple):
    """A first geometry, and how much better than chance its rings meet the crests."""

    geometry: Geometry
    score: float


def index_rings(
    crests: Crests,
    centre: tuple[float, float],
    pixels: tuple[float, float],
    wavelength: float,
    rings: Floats,
    shape: tuple[int, int],
    *,
    near: tuple[float, float] | None = None,
    orientation: int = 3,
) -> list[Indexed]:
    """Geometries that explain the crests, the best first.

    pixels : m, size along rows and columns; rings : rad, rising; near : m, the distance is known
    to lie between these.
    Errors: ValueError where no guess explains them.
    """
    down = (crests.rows - centre[0]) * pixels[0]
    across = (crests.columns - centre[1]) * pixels[1]
    radius, size = np.hypot(down, across), math.sqrt(pixels[0] * pixels[1])
    guesses = _guesses(radius / size, crests.contrast, rings, near, size)
    rated = sorted(guesses, key=lambda d: -_agreement(radius / size, rings, d / size))
    found = []
    for distance in _distinct(rated)[:_GUESSES]:
        start = _upright(centre, distance, pixels, wavelength, shape, orientation)
        try:
            found.append(_followed(start, crests, rings, shape, size))
        except ValueError:
            continue
    found = [one for one in found if near is None or near[0] <= one.geometry.distance <= near[1]]
    if not found:
        raise ValueError("no distance puts the rings of this powder where the frame has crests")
    return sorted(found, key=lambda one: -one.score)


def _distinct(distances: list[float]) -> list[float]:
    """The distances in their order, without those within a hundredth of an earlier one."""
    found: list[float] = []
    for distance in distances:
        if all(abs(distance / other - 1.0) > 0.01 for other in found):
            found.append(distance)
    return found


def _upright(
    centre: tuple[float, float],
    distance: float,
    pixels: tuple[float, float],
    wavelength: float,
    shape: tuple[int, int],
    orientation: int,
) -> Geometry:
    row, column = centre[0] + 0.5, centre[1] + 0.5
    row = shape[0] - row if orientation in (1, 2) else row
    column = shape[1] - column if orientation in (1, 4) else column
    place = (row * pixels[0], column * pixels[1])
    return Geometry(distance, *place, 0.0, 0.0, 0.0, *pixels, wavelength, orientation)


def _guesses(
    radius: Floats,
    contrast: Floats,
    rings: Floats,
    near: tuple[float, float] | None,
    size: float,
) -> list[float]:
    """Distances, m, from every radius with many crests and every one of the first rings."""
    count = np.bincount(np.rint(radius).astype(np.int64), np.minimum(contrast, 5.0))
    # Near the beam stop every radius has crests, and none stands out.
    around = np.convolve(count, np.full(31, 1 / 31), "same")
    summed = np.convolve(count, [0.5, 1.0, 1.0, 1.0, 0.5], "same") - 4.0 * around
    # Wide rings have more pixels, and are no better known for it.
    dense = np.maximum(summed, 0.0) / np.sqrt(np.arange(1, len(count) + 1))
    is_peak = np.r_[False, (dense[1:-1] >= dense[:-2]) & (dense[1:-1] > dense[2:]), False]
    peaks = np.flatnonzero(is_peak)
    strong = peaks[np.argsort(-dense[peaks], kind="stable")][:_PEAKS_TRIED]
    found = {
        float(r / math.tan(angle)) * size
        for r in strong
        for angle in rings[:_RINGS_TRIED]
        if angle < 1.2
    }
    return sorted(d for d in found if near is None or 0.9 * near[0] <= d <= 1.1 * near[1])


def _agreement(radius: Floats, rings: Floats, distance: float) -> float:
    """How well crests and the inner rings of an upright detector fit.

    radius, distance : pixel
    """
    places = distance * np.tan(rings[rings < 1.4])
    inside = places[places > radius.min() - 5.0][:_RINGS_TRIED]
    if not len(inside) or inside[0] > radius.max():
        return 0.0
    # Outer rings are moved too far by a tilt.
    near = radius[radius < inside[-1] + 8.0]
    inside = inside[inside < radius.max() + 5.0]
    return _rating(near, inside, _NEAR + 0.01 * inside)


def _rating(places: Floats, rings: Floats, half: Floats) -> float:
    """Share of the rings that are there, times the share of the points that are on them.

    places : (point); rings : (ring) rising; half : (ring), half width of a ring; all in pixels.
    A ring is there if it has far more points than the bands beside it.
    """
    gaps = np.diff(rings)
    room = np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf]) / 2.0
    half = np.minimum(half, room / 2.0)
    outer = np.minimum(4.0 * half, room)
    after = np.minimum(np.searchsorted(rings, places), len(rings) - 1)
    lower = np.maximum(after - 1, 0)
    ring = np.where(np.abs(places - rings[lower]) < np.abs(rings[after] - places), lower, after)
    away = np.abs(places - rings[ring])
    on = np.bincount(ring[away < half[ring]], minlength=len(rings))
    beside = np.bincount(
        ring[(away > 1.5 * half[ring]) & (away < outer[ring])], minlength=len(rings)
    )
    chance = beside * half / np.maximum(outer - 1.5 * half, 1e-9)
    is_there = on > 2.0 * chance + 8.0
    explained = np.where(is_there, on - chance, 0.0).sum() / max(len(places), 1)
    return float(is_there.mean() * explained)


def _followed(
    geometry: Geometry, crests: Crests, rings: Floats, shape: tuple[int, int], size: float
) -> Indexed:
    """The geometry refined on ever more rings, nearest ring by nearest ring."""
    kept = _thinned(crests)
    free: tuple[str, ...] = ("distance", "poni1", "poni2")
    widest = float(angles_at(geometry, kept.rows, kept.columns, shape).max())
    first = rings[min(2, len(rings) - 1)]
    for step, part in enumerate((0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0)):
        angles = angles_at(geometry, kept.rows, kept.columns, shape)
        ring, away = _nearest_ring(angles, rings, geometry, size)
        limit = first * 1.1 + part * max(widest - first, 0.0)
        near = (angles < limit) & (away < (8.0 if step < 4 else 4.0 if step < 6 else _NEAR))
        if near.sum() < 15:
            if step < 4:
                continue
            raise ValueError("too few crests lie on rings")
        if step >= 2 and len(np.unique(ring[near])) >= 2:
            free = ("distance", "poni1", "poni2", "rot1", "rot2")
        sigma = size / geometry.distance * np.cos(angles) ** 2
        try:
            found = refine(
                geometry, kept.rows[near], kept.columns[near], rings[ring[near]], shape,
                sigma=sigma[near], free=free, steps=6,
            )  # fmt: skip
        except ValueError:
            if len(free) == 3:
                raise
            continue
        if max(abs(found.geometry.rot1), abs(found.geometry.rot2)) < 1.0:
            geometry = found.geometry
    return Indexed(geometry, _score(geometry, kept, rings, shape, size))


def _thinned(crests: Crests, most: int = 2048) -> Crests:
    """At most so many crests, evenly over all of them."""
    step = max(len(crests.rows) / most, 1.0)
    chosen = np.floor(np.arange(0, len(crests.rows), step)).astype(np.int64)
    return Crests(*(part[chosen] for part in crests))


def _nearest_ring(
    angles: Floats, rings: Floats, geometry: Geometry, size: float
) -> tuple[NDArray[np.int64], Floats]:
    """The ring nearest to each point, and how far it is in pixels."""
    after = np.clip(np.searchsorted(rings, angles), 1, len(rings) - 1)
    ring = np.where(angles - rings[after - 1] < rings[after] - angles, after - 1, after)
    if len(rings) == 1:
        ring = np.zeros(len(angles), np.int64)
    pixel = size / geometry.distance * np.cos(angles) ** 2
    return ring, np.abs(angles - rings[ring]) / pixel


def _score(
    geometry: Geometry, crests: Crests, rings: Floats, shape: tuple[int, int], size: float
) -> float:
    """How well crests and rings fit: the rating over scattering angles, in pixels at the PONI."""
    angles = angles_at(geometry, crests.rows, crests.columns, shape)
    pixel = size / geometry.distance
    inside = rings[(rings > angles.min() - 5 * pixel) & (rings < angles.max() + 5 * pixel)]
    if not len(inside):
        return 0.0
    inside = inside[: 3 * _RINGS_TRIED]
    near = angles[angles < inside[-1] + 8 * pixel]
    return _rating(near / pixel, inside / pixel, _NEAR * np.cos(inside) ** 2)
