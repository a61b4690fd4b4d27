"""Where rings are, to a small part of a pixel: a peak fitted to each piece of each ring.

Around every ring that a geometry predicts, pixels within a window belong to sectors of azimuth. In
each sector a Gaussian on a slope is fitted to counts over scattering angle, all sectors at once;
its centre is a control point with an error from the fit.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import Geometry, azimuth, positions, two_theta
from lightwell_saxs.kernels.refinement import angles_at

__all__ = ["ControlPoints", "control_points"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FEWEST = 12
_STEPS = 12


class ControlPoints(NamedTuple):
    """Points on rings.

    rows, columns : (point) pixel, 0 at the centre of the first one; ring : (point), its index;
    sigma : (point) rad, of its scattering angle
    """

    rows: Floats
    columns: Floats
    ring: Integers
    sigma: Floats


class _Pieces(NamedTuple):
    """Pixels near rings, sorted by the piece of ring they belong to.

    offset : (pixel) from the ring, in window widths; piece : (pixel); ring : (piece)
    """

    pixel: Integers
    offset: Floats
    counts: Floats
    piece: Integers
    ring: Integers


def control_points(
    image: Floats,
    valid: NDArray[np.bool_],
    geometry: Geometry,
    rings: Floats,
    *,
    window: float = 6.0,
    length: float = 30.0,
) -> ControlPoints:
    """Fit a peak to every piece of ring the frame shows.

    image : (row, column) counts; rings : rad; window : pixel, half width of what belongs to a
    ring, less where rings are close; length : pixel, of a piece along the ring.
    Errors: ValueError where no piece shows a peak.
    """
    shape = (image.shape[0], image.shape[1])
    pieces, half = _pieces(image, valid, geometry, rings, window, length)
    centre, sigma, good = _fitted(pieces, len(pieces.ring))
    if good.sum() < 6:
        raise ValueError("too few pieces of rings show a peak")
    rows, columns = _places(pieces, centre, rings[pieces.ring] + centre * half, geometry, shape)
    return ControlPoints(rows[good], columns[good], pieces.ring[good], (sigma * half)[good])


def _pieces(
    image: Floats,
    valid: NDArray[np.bool_],
    geometry: Geometry,
    rings: Floats,
    window: float,
    length: float,
) -> tuple[_Pieces, Floats]:
    shape = (image.shape[0], image.shape[1])
    rows, columns = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    t1, t2, t3 = positions(geometry, rows, columns, shape)
    angle, turn = two_theta(t1, t2, t3).reshape(-1), azimuth(t1, t2).reshape(-1)
    pixel = math.sqrt(geometry.pixel1 * geometry.pixel2)
    # What a pixel is worth along the radius, at each ring.
    reach = window * pixel * np.cos(rings) ** 2 / geometry.distance
    gaps = np.diff(rings)
    room = np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf]) / 2.0
    half = np.minimum(reach, room)
    after = np.clip(np.searchsorted(rings, angle), 1, max(len(rings) - 1, 1))
    after = np.minimum(after, len(rings) - 1)
    lower = np.maximum(after - 1, 0)
    ring = np.where(np.abs(angle - rings[lower]) < np.abs(rings[after] - angle), lower, after)
    offset = (angle - rings[ring]) / half[ring]
    # Rings closer than four pixels are one peak.
    usable = half * 1.0001 >= np.minimum(reach, 4.0 / window * reach)
    inside = valid.reshape(-1) & (np.abs(offset) <= 1.0) & usable[ring]
    radius = geometry.distance * np.tan(rings) / pixel
    sectors = np.clip(np.rint(2 * math.pi * radius / length), 8, 360).astype(np.int64)
    chosen = np.flatnonzero(inside)
    own = ring[chosen]
    sector = np.floor((turn[chosen] + math.pi) / (2 * math.pi) * sectors[own]).astype(np.int64)
    key = own * 512 + np.minimum(sector, sectors[own] - 1)
    order = np.argsort(key, kind="stable")
    names, piece = np.unique(key[order], return_inverse=True)
    found = _Pieces(
        chosen[order], offset[chosen][order], image.reshape(-1)[chosen][order], piece, names // 512
    )
    return found, half[found.ring]


def _fitted(pieces: _Pieces, count: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Centre and its error of the peak of every piece, in half windows; and whether it is one."""
    x, y, piece = pieces.offset, pieces.counts, pieces.piece
    number = np.bincount(piece, minlength=count)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(piece, values, count) / np.maximum(number, 1))

    outside = np.abs(x) > 0.6
    edges = np.maximum(np.bincount(piece[outside], minlength=count), 1)
    base = np.bincount(piece[outside], y[outside], count) / edges
    above = np.maximum(y - base[piece], 0.0)
    weight = np.maximum(np.bincount(piece, above, count), 1e-12)
    centre: Floats = np.bincount(piece, above * x, count) / weight
    width = np.sqrt(np.bincount(piece, above * (x - centre[piece]) ** 2, count) / weight)
    values = np.stack([np.full(count, 1.0), centre, np.clip(width, 0.1, 0.45), base, 0 * base])
    values[0] = np.maximum(3.0 * (mean(y) - base), 1e-3)
    matrix = np.zeros((count, 5, 5))
    chi2 = np.zeros(count)
    for _ in range(_STEPS):
        values, matrix, chi2 = _stepped(values, x, y, piece, count)
    inverse = np.linalg.inv(matrix)
    freedom = np.maximum(number - 5, 1)
    sigma = np.sqrt(np.maximum(inverse[:, 1, 1], 0.0) * np.maximum(chi2 / freedom, 1.0))
    good = (number >= _FEWEST) & (np.abs(values[1]) < 0.6) & (np.abs(values[2]) < 0.6)
    # A peak that the fit cannot tell from nothing is none.
    good &= values[0] > 4.0 * np.sqrt(np.maximum(inverse[:, 0, 0] * chi2 / freedom, 0.0))
    good &= np.isfinite(sigma) & (sigma < 0.3) & _spans(pieces, count)
    return values[1], sigma, good


def _spans(pieces: _Pieces, count: int) -> NDArray[np.bool_]:
    """Whether pixels lie on both sides of the ring and on it, not only beyond a gap."""
    third = np.clip(np.floor((pieces.offset + 1.0) * 1.5), 0, 2).astype(np.int64)
    number = np.bincount(pieces.piece * 3 + third, minlength=3 * count).reshape(count, 3)
    return np.asarray((number >= 3).all(axis=1))


def _stepped(
    values: Floats, x: Floats, y: Floats, piece: Integers, count: int
) -> tuple[Floats, Floats, Floats]:
    """One damped Gauss-Newton step of every peak: height, centre, width, level, slope."""
    height, centre, width, level, slope = (v[piece] for v in values)
    z = (x - centre) / width
    bell = np.exp(-0.5 * z * z)
    model = height * bell + level + slope * x
    columns = np.stack(
        [bell, height * bell * z / width, height * bell * z * z / width, np.ones_like(x), x]
    )
    # The variance of the model, not of the counts: a pixel without counts is not certain.
    share = 1.0 / np.maximum(model, 1.0)
    difference = y - model
    chi2: Floats = np.bincount(piece, share * difference**2, count).astype(np.float64)
    matrix = np.empty((count, 5, 5))
    vector = np.empty((count, 5))
    for i in range(5):
        vector[:, i] = np.bincount(piece, share * columns[i] * difference, count)
        for j in range(i, 5):
            matrix[:, i, j] = matrix[:, j, i] = np.bincount(
                piece, share * columns[i] * columns[j], count
            )
    diagonal = np.einsum("nii->ni", matrix)
    damped = matrix.copy()
    np.einsum("nii->ni", damped)[...] = diagonal * 1.02 + 1e-9 * (diagonal.max(axis=1)[:, None] + 1)
    change = np.linalg.solve(damped, vector[..., None])[..., 0].T
    moved = values + change
    moved[1] = values[1] + np.clip(change[1], -0.2, 0.2)
    moved[2] = np.clip(np.abs(values[2] + np.clip(change[2], -0.1, 0.1)), 0.05, 0.8)
    np.einsum("nii->ni", matrix)[...] += 1e-9 * (diagonal.max(axis=1)[:, None] + 1)
    return moved, matrix, chi2


def _places(
    pieces: _Pieces, centre: Floats, angle: Floats, geometry: Geometry, shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Row and column of every peak: from the middle of its pixels along the radius to its angle.

    centre : (piece) in half windows; angle : (piece) rad, where the peak is by the geometry
    """
    count = len(pieces.ring)
    row, column = np.divmod(pieces.pixel, shape[1])
    # Pixels near the peak weigh most: the way to it is short then, and the ring there straight.
    near = np.exp(-0.5 * ((pieces.offset - centre[pieces.piece]) / 0.2) ** 2)
    weight = np.maximum(np.bincount(pieces.piece, near, count), 1e-12)
    rows = np.bincount(pieces.piece, near * row, count) / weight
    columns = np.bincount(pieces.piece, near * column, count) / weight
    for _ in range(4):
        here = angles_at(geometry, rows, columns, shape)
        down = angles_at(geometry, rows + 0.5, columns, shape) - here
        across = angles_at(geometry, rows, columns + 0.5, shape) - here
        way = 0.5 * (angle - here) / np.maximum(down**2 + across**2, 1e-30)
        rows, columns = rows + way * down, columns + way * across
    return rows, columns
