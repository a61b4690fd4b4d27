"""Areas of pixels, quadrilaterals in (radial, azimuthal) space, cut at the edges of bins.

The area of a polygon inside a strip or a cell is the sum over its edges of the integral of the
height under the edge, clipped to the cell (Green's theorem): exact for any simple polygon, and
the same few operations for every pixel, so that NumPy does all of them at once.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["cell_areas", "closed_polygons", "strip_areas"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FLAT = 1e-8
"""Edges that rise less than this in a cell are level: rounding would be worse than the error."""


def closed_polygons(radial: Floats, azimuth: Floats) -> tuple[Floats, Floats, Floats]:
    """Pixels as simple polygons: azimuths unwound across ±π, the beam's pixel closed over 0.

    radial, azimuth : (pixel, 4); returns both as (pixel, corner) and (pixel) the areas.
    """
    step = np.diff(azimuth, axis=1, append=azimuth[:, :1])
    step = (step + math.pi) % (2 * math.pi) - math.pi
    chi = np.concatenate([azimuth[:, :1], azimuth[:, :1] + np.cumsum(step[:, :3], axis=1)], axis=1)
    winding = step.sum(axis=1)
    around = np.abs(winding) > math.pi
    if around.any():
        radial, chi = _with_pole(radial, chi, winding, around)
    # Unwound upwards, so that everything lies between -π and 3π.
    chi = chi + np.where(chi.min(axis=1, keepdims=True) < -math.pi, 2 * math.pi, 0.0)
    return radial, chi, _area(radial, chi)


def _with_pole(
    radial: Floats, chi: Floats, winding: Floats, around: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Add three corners: back to the first azimuth a turn later, and down to radius 0 and back."""
    repeat = np.where(around, radial[:, 0], radial[:, 3])
    closing = np.where(around, chi[:, 0] + winding, chi[:, 3])
    down = np.where(around, 0.0, radial[:, 3])
    back = np.where(around, chi[:, 0], chi[:, 3])
    return (
        np.column_stack([radial, repeat, down, down]),
        np.column_stack([chi, closing, closing, back]),
    )


def _area(r: Floats, chi: Floats) -> Floats:
    """Area with the sign of the direction the corners are walked in, by the shoelace formula."""
    height = chi - chi[:, :1]
    following, above = np.roll(r, -1, axis=1), np.roll(height, -1, axis=1)
    return np.asarray(0.5 * ((following - r) * (above + height)).sum(axis=1))


def strip_areas(r: Floats, chi: Floats, column: Integers) -> Floats:
    """Area of each polygon between the radial edges `column` and `column + 1`, with its sign.

    r : (entry, corner) in bins; chi : (entry, corner); column : (entry)
    """
    low = column.astype(np.float64)
    # From the first corner, not from 0: pixels are small and their azimuths are not.
    height = chi - chi[:, :1]
    total = np.zeros(len(r))
    for edge in range(r.shape[1]):
        t0, t1, v0, v1 = _cut(r, height, edge, low)
        total += (t1 - t0) * (v0 + v1) * 0.5
    return total


def cell_areas(
    r: Floats, chi: Floats, column: Integers, row: Integers, *, levelled: bool = False
) -> Floats:
    """Area of each polygon inside the cell (row, column), with its sign.

    r, chi : (entry, corner), both in bins; column, row : (entry); levelled : every edge is taken
    as level inside a column, at its mean height there
    """
    low = column.astype(np.float64)
    height = chi - row[:, None]
    total = np.zeros(len(r))
    for edge in range(r.shape[1]):
        t0, t1, v0, v1 = _cut(r, height, edge, low)
        rise = v1 - v0
        level = (np.abs(rise) < _FLAT) | levelled
        slope_free = np.clip((v0 + v1) * 0.5, 0.0, 1.0)
        mean = (_ramp(v1) - _ramp(v0)) / np.where(level, 1.0, rise)
        total += (t1 - t0) * np.where(level, slope_free, mean)
    return total


def _cut(r: Floats, height: Floats, edge: int, low: Floats) -> tuple[Floats, ...]:
    """The part of an edge above one bin: where it begins and ends, and its heights there."""
    after = (edge + 1) % r.shape[1]
    r0, r1, h0, h1 = r[:, edge], r[:, after], height[:, edge], height[:, after]
    t0, t1 = np.clip(r0, low, low + 1.0), np.clip(r1, low, low + 1.0)
    run = r1 - r0
    slope = (h1 - h0) / np.where(run == 0.0, 1.0, run)
    return t0, t1, h0 + slope * (t0 - r0), h0 + slope * (t1 - r0)


def _ramp(v: Floats) -> Floats:
    """The integral of min(max(v, 0), 1) up to v."""
    inside = np.clip(v, 0.0, 1.0)
    return np.asarray(0.5 * inside * inside + np.maximum(v - 1.0, 0.0))
