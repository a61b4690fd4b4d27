"""Which share of every pixel falls into which cell of the plane of (q_xy, q_z).

Splitting is as in `splitting`, on a plane without a period. No pixel is spread across the missing
wedge: its corners are all taken on the side its centre is on, and a pixel that has corners on both
sides counts where its centre is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.grazing import GrazingPositions
from lightwell_saxs.kernels.intervals import overlaps, touched_bins
from lightwell_saxs.kernels.quadrilaterals import cell_areas
from lightwell_saxs.kernels.splitting import Axis, Operator, Splitting

__all__ = ["build_map_operator", "seen_range"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SLIVER = 1e-7
_BATCH = 1 << 18


class _Entries(NamedTuple):
    pixel: Integers
    cell: Integers
    share: Floats


def seen_range(
    places: GrazingPositions, valid: NDArray[np.bool_]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ranges of q_xy and q_z of all valid pixels, corners included.

    Errors: ValueError where no pixel is valid.
    """
    if not valid.any():
        raise ValueError("every pixel is masked")
    across, up = places.in_plane_corners[valid], places.out_of_plane_corners[valid]
    return (float(across.min()), float(across.max())), (float(up.min()), float(up.max()))


def build_map_operator(
    places: GrazingPositions,
    valid: NDArray[np.bool_],
    across: Axis,
    up: Axis,
    *,
    splitting: Splitting = "full",
) -> Operator:
    """The operator from pixels to cells (q_z, q_xy), q_z outside.

    valid : (row, column), pixels that count; across, up : bins of q_xy and of q_z.
    """
    flat = np.flatnonzero(valid.reshape(-1))
    pieces = [
        _entries(places, flat[start : start + _BATCH], across, up, splitting)
        for start in range(0, max(len(flat), 1), _BATCH)
    ]
    found = _Entries(*(np.concatenate(part) for part in zip(*pieces, strict=True)))
    return Operator.of(*found, across.bins * up.bins, valid.size)


def _entries(
    places: GrazingPositions, pixels: Integers, across: Axis, up: Axis, splitting: Splitting
) -> _Entries:
    """Entries of some pixels, pixels in rising order."""
    is_point = places.straddles.reshape(-1)[pixels] | (splitting == "none")
    points = _points(places, pixels[is_point], across, up)
    split = _boxes if splitting == "bbox" else _quadrilaterals
    areas = split(places, pixels[~is_point], across, up, splitting == "levelled")
    pixel = np.concatenate([points.pixel, areas.pixel])
    order = np.argsort(pixel, kind="stable")
    cell, share = (points.cell, areas.cell), (points.share, areas.share)
    return _Entries(pixel[order], np.concatenate(cell)[order], np.concatenate(share)[order])


def _points(places: GrazingPositions, pixels: Integers, across: Axis, up: Axis) -> _Entries:
    column = np.floor(across.coordinate(places.in_plane.reshape(-1)[pixels])).astype(np.int64)
    row = np.floor(up.coordinate(places.out_of_plane.reshape(-1)[pixels])).astype(np.int64)
    inside = (column >= 0) & (column < across.bins) & (row >= 0) & (row < up.bins)
    cell = (row * across.bins + column)[inside]
    return _Entries(pixels[inside], cell, np.ones(len(cell)))


def _corners(
    places: GrazingPositions, pixels: Integers, across: Axis, up: Axis
) -> tuple[Floats, Floats]:
    x = across.coordinate(places.in_plane_corners.reshape(-1, 4)[pixels])
    return x, up.coordinate(places.out_of_plane_corners.reshape(-1, 4)[pixels])


def _boxes(
    places: GrazingPositions,
    pixels: Integers,
    across: Axis,
    up: Axis,
    levelled: bool,  # noqa: FBT001  (the signature of both ways to split)
) -> _Entries:
    x, y = _corners(places, pixels, across, up)
    which, column, share = overlaps(x.min(axis=1), x.max(axis=1), across.bins)
    entry, row, part = overlaps(y.min(axis=1)[which], y.max(axis=1)[which], up.bins)
    cell = row * across.bins + column[entry]
    return _Entries(pixels[which[entry]], cell, share[entry] * part)


def _quadrilaterals(
    places: GrazingPositions,
    pixels: Integers,
    across: Axis,
    up: Axis,
    levelled: bool,  # noqa: FBT001  (the signature of both ways to split)
) -> _Entries:
    x, y = _corners(places, pixels, across, up)
    following, above = np.roll(x, -1, axis=1), np.roll(y - y[:, :1], -1, axis=1)
    whole = 0.5 * ((following - x) * (above + y - y[:, :1])).sum(axis=1)
    which, column = touched_bins(x.min(axis=1), x.max(axis=1), across.bins)
    entry, row = touched_bins(y.min(axis=1)[which], y.max(axis=1)[which], up.bins)
    owner, column = which[entry], column[entry]
    areas = cell_areas(x[owner], y[owner], column, row, levelled=levelled)
    share = areas / np.where(whole == 0.0, np.inf, whole)[owner]
    kept = share > _SLIVER
    return _Entries(pixels[owner[kept]], (row * across.bins + column)[kept], share[kept])
