"""Rings of a powder in a frame: where their crests are, and which point they go round.

Nothing is known but the frame: no centre, no distance. Counts are put under a square root first,
which makes their noise the same everywhere.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crests", "find_centre", "find_crests", "smoothed"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_FINE, _COARSE, _LINE = 3, 21, 7
_CONTRAST = 0.6
"""Of a crest above its surroundings, in units of √counts: about four deviations of the noise."""
_DIRECTIONS = 4000
_GRID = 48


class Crests(NamedTuple):
    """Pixels on the crests of rings.

    rows, columns : (point) pixel, 0 at the centre of the first one; contrast : (point) √counts
    """

    rows: Floats
    columns: Floats
    contrast: Floats


def smoothed(image: Floats, valid: Flags, size: int) -> Floats:
    """Mean of the valid pixels in a square of `size` pixels round each; NaN where there is none."""
    total = _box(np.where(valid, image, 0.0), size)
    count = _box(valid.astype(np.float64), size)
    return np.where(count > 0.5, total / np.maximum(count, 1.0), np.nan)


def _box(image: Floats, size: int) -> Floats:
    """Sums over a square, by running sums."""
    reach = size // 2
    for axis in (0, 1):
        padded = np.pad(image, [(reach + 1, reach) if a == axis else (0, 0) for a in (0, 1)])
        running = np.cumsum(padded, axis=axis)
        length = image.shape[axis]
        last = np.take(running, np.arange(size, size + length), axis=axis)
        image = last - np.take(running, np.arange(length), axis=axis)
    return image


def find_centre(root: Floats, valid: Flags) -> tuple[float, float]:
    """Row and column that the slopes of the frame point at, or away from.

    root : (row, column) √counts. The centre may lie outside the frame.
    Errors: ValueError where no slope stands out of the noise.
    """
    points, normals, weight = _slopes(root, valid)
    height, width = root.shape
    # Half a frame beyond every edge.
    rows = np.linspace(-0.5 * height, 1.5 * height, 2 * _GRID)
    columns = np.linspace(-0.5 * width, 1.5 * width, 2 * _GRID)
    best, centre = -1.0, (0.0, 0.0)
    for row in rows:
        votes = _votes(points, normals, weight, row, columns)
        if votes.max() > best:
            best, centre = float(votes.max()), (float(row), float(columns[votes.argmax()]))
    return _intersection(points, normals, weight, centre)


def _slopes(root: Floats, valid: Flags) -> tuple[Floats, Floats, Floats]:
    """The steepest places: where they are, the direction along the ring there, their weight."""
    fine = smoothed(root, valid, 5)
    down, across = np.gradient(fine)
    whole = _box((~valid).astype(np.float64), 9) < 0.5
    steep = np.hypot(down, across)
    usable = whole & np.isfinite(steep)
    usable[:4], usable[-4:], usable[:, :4], usable[:, -4:] = False, False, False, False
    flat = np.flatnonzero(usable.reshape(-1))
    if not len(flat):
        raise ValueError("no part of the frame is free of masked pixels")
    # Noise of √counts is about 1/2; over 5 x 5 pixels its slope is below 0.05.
    order = np.argsort(-steep.reshape(-1)[flat], kind="stable")
    chosen = flat[order[: len(flat) // 20 + 1]]
    chosen = chosen[steep.reshape(-1)[chosen] > 0.1]
    if len(chosen) < 50:
        raise ValueError("nothing in the frame stands out of the noise")
    chosen = chosen[:: max(len(chosen) // _DIRECTIONS, 1)]
    size = steep.reshape(-1)[chosen]
    row, column = np.divmod(chosen, root.shape[1])
    gradient = np.stack([down.reshape(-1)[chosen], across.reshape(-1)[chosen]], axis=1)
    along = np.stack([-gradient[:, 1], gradient[:, 0]], axis=1) / size[:, None]
    # Strong rings must not silence weak ones.
    return np.stack([row, column], axis=1).astype(np.float64), along, np.sqrt(size)


def _votes(points: Floats, along: Floats, weight: Floats, row: float, columns: Floats) -> Floats:
    """How much of the slope points at each column of a row."""
    down = row - points[:, 0, None]
    across = columns[None, :] - points[:, 1, None]
    off = along[:, 0, None] * down + along[:, 1, None] * across
    limit = np.maximum(0.06 * np.hypot(down, across), 3.0)
    return np.asarray((weight[:, None] * (np.abs(off) < limit)).sum(axis=0))


def _intersection(
    points: Floats, along: Floats, weight: Floats, centre: tuple[float, float]
) -> tuple[float, float]:
    """The point closest to all lines, those that miss it counting ever less."""
    place = np.array(centre)
    for scale in (20.0, 10.0, 5.0, 3.0, 3.0, 3.0):
        reach = np.hypot(*(place - points).T)
        off = ((place - points) * along).sum(axis=1)
        # A line is the less certain the farther its slope is from the centre.
        spread = scale * (1.0 + reach / 100.0)
        share = weight / (1.0 + (off / spread) ** 2) ** 2 / spread**2
        matrix = np.einsum("n,ni,nj->ij", share, along, along)
        vector = np.einsum("n,ni,n->i", share, along, (points * along).sum(axis=1))
        place = np.linalg.solve(matrix + 1e-12 * np.eye(2) * np.trace(matrix), vector)
    return float(place[0]), float(place[1])


def find_crests(root: Floats, valid: Flags, centre: tuple[float, float]) -> Crests:
    """Pixels higher than their neighbours towards the centre and away from it.

    Errors: ValueError where there are fewer than twenty.
    """
    fine, coarse = smoothed(root, valid, _FINE), smoothed(root, valid, _COARSE)
    contrast = fine - coarse
    rows, columns = np.indices(root.shape, dtype=np.float64)
    down, across = rows - centre[0], columns - centre[1]
    reach = np.maximum(np.hypot(down, across), 1e-9)
    is_crest = valid & (contrast > _CONTRAST) & (reach > 8.0)
    for step in (-2.0, -1.0, 1.0, 2.0):
        beside = _nearest(fine, rows + step * down / reach, columns + step * across / reach)
        # At a gap the neighbour is not known, and the crest might be in the gap.
        is_crest &= np.isfinite(beside) & (fine >= beside)
    # A ring is a line: noise has crests too, but not one beside the other.
    is_crest &= _box(is_crest.astype(np.float64), _LINE) > _LINE - 2.5
    found = np.flatnonzero(is_crest.reshape(-1))
    if len(found) < 20:
        raise ValueError("the frame shows no rings: no crests round the point its slopes lead to")
    row, column = np.divmod(found, root.shape[1])
    height: Any = contrast.reshape(-1)[found]
    return Crests(row.astype(np.float64), column.astype(np.float64), height)


def _nearest(image: Floats, rows: Floats, columns: Floats) -> Floats:
    row, column = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
    inside = (row >= 0) & (row < image.shape[0]) & (column >= 0) & (column < image.shape[1])
    found = image[np.where(inside, row, 0), np.where(inside, column, 0)]
    return np.where(inside, found, np.nan)
