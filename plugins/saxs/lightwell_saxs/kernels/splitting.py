"""Which share of every pixel falls into which bin: the sparse operator of an integration.

Ways to split a pixel: `none`, all of it where its centre is; `bbox`, evenly over the rectangle in
(radial, azimuthal) space that holds it; `full`, by the exact area of its quadrilateral cut at the
edges of bins; `levelled`, as `full`, but in two dimensions the edges of the quadrilateral are level
within a radial bin: that is how pyFAI fills a cake. Built once per geometry, in double precision,
on the host.

A part outside the range counts for nothing. A pixel across ±π continues on the other side. The
pixel that holds the beam is closed over radius 0.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import PixelPositions
from lightwell_saxs.kernels.intervals import overlaps, touched_bins
from lightwell_saxs.kernels.quadrilaterals import cell_areas, closed_polygons, strip_areas

__all__ = ["Axis", "Operator", "Splitting", "build_operator", "full_range"]

Splitting = Literal["none", "bbox", "full", "levelled"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SLIVER = 1e-7
_BATCH = 1 << 18
"""Pixels at a time: the tables in between take some 100 bytes per pixel and bin."""


class Axis(NamedTuple):
    """Bins of equal width between two ends."""

    first: float
    last: float
    bins: int

    @property
    def width(self) -> float:
        """The width of a bin."""
        return (self.last - self.first) / self.bins

    def centres(self) -> Floats:
        """The middle of every bin."""
        steps: Floats = np.arange(self.bins, dtype=np.float64)
        return np.asarray(self.first + self.width * (steps + 0.5))

    def coordinate(self, values: Floats) -> Floats:
        """Values in units of bins, 0 at the first edge."""
        return (values - self.first) / self.width


class Operator(NamedTuple):
    """Shares of pixels in bins, row by row (a row is a bin), pixels in rising order.

    pixels : (entry) int32, index of the pixel in the flattened frame; coefficients : (entry)
    float32, its share; pointer : (bin + 1) int64, where the entries of each bin begin;
    pixel_count : pixels of a frame. In two dimensions the azimuthal bin is the outer one.
    """

    pixels: NDArray[np.int32]
    coefficients: NDArray[np.float32]
    pointer: NDArray[np.int64]
    pixel_count: int

    @classmethod
    def of(
        cls, pixel: Integers, cell: Integers, share: Floats, bins: int, pixel_count: int
    ) -> "Operator":
        """The operator of entries (pixel, bin, share), whose pixels rise."""
        order = np.argsort(cell, kind="stable")
        pointer = np.zeros(bins + 1, np.int64)
        np.cumsum(np.bincount(cell, minlength=bins), out=pointer[1:])
        return cls(
            pixel[order].astype(np.int32), share[order].astype(np.float32), pointer, pixel_count
        )

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.pointer) - 1

    def sums(self, values: Floats, power: int = 1) -> Floats:
        """Sum over the pixels of every bin, in double precision: Σ c^power · values."""
        weights = self.coefficients.astype(np.float64) ** power
        cell = np.repeat(np.arange(self.bins), np.diff(self.pointer))
        found = np.bincount(cell, weights * values.reshape(-1)[self.pixels], self.bins)
        return found.astype(np.float64)


def full_range(positions: PixelPositions, valid: NDArray[np.bool_]) -> tuple[float, float]:
    """The radial range all valid pixels lie in, corners included.

    Errors: ValueError where no pixel is valid.
    """
    corners = positions.radial_corners[valid]
    if not corners.size:
        raise ValueError("every pixel is masked")
    return float(corners.min()), float(corners.max())


def build_operator(
    positions: PixelPositions,
    valid: NDArray[np.bool_],
    radial: Axis,
    azimuthal: Axis | None = None,
    *,
    splitting: Splitting = "full",
    sector: tuple[float, float] | None = None,
) -> Operator:
    """The operator from pixels to radial bins, or to (azimuthal, radial) bins.

    valid : (row, column), pixels that count; sector : rad, pixels of which no part (no centre,
    without splitting) lies between the two azimuths are left out; the first may be larger than
    the second, then the sector goes across ±π.
    """
    chosen = valid if sector is None else valid & _in_sector(positions, sector, splitting)
    flat = np.flatnonzero(chosen.reshape(-1))
    pieces = [
        _entries(positions, flat[start : start + _BATCH], radial, azimuthal, splitting)
        for start in range(0, len(flat), _BATCH)
    ]
    pixel, cell, share = (
        (np.concatenate(part) for part in zip(*pieces, strict=True))
        if pieces
        else (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    )
    bins = radial.bins * (azimuthal.bins if azimuthal else 1)
    return Operator.of(pixel, cell, share, bins, chosen.size)


def _entries(
    positions: PixelPositions,
    pixels: Integers,
    radial: Axis,
    azimuthal: Axis | None,
    splitting: Splitting,
) -> tuple[Integers, Integers, Floats]:
    """Pixel, bin and share of every entry of some pixels, pixels in rising order."""
    if splitting in ("full", "levelled"):
        return _full(positions, pixels, radial, azimuthal, levelled=splitting == "levelled")
    centre = radial.coordinate(positions.radial.reshape(-1)[pixels])
    turn = positions.azimuth.reshape(-1)[pixels]
    if splitting == "none":
        return _none(pixels, centre, turn, radial, azimuthal)
    half = np.abs(
        radial.coordinate(positions.radial_corners.reshape(-1, 4)[pixels]) - centre[:, None]
    ).max(axis=1)
    which, cell, share = overlaps(centre - half, centre + half, radial.bins)
    if azimuthal is None:
        return pixels[which], cell, share
    away = np.abs(positions.azimuth_corners.reshape(-1, 4)[pixels] - turn[:, None])
    reach = np.minimum(away, 2 * math.pi - away).max(axis=1)
    return _across(pixels, (which, cell, share), turn - reach, turn + reach, radial, azimuthal)


def _none(
    pixels: Integers, centre: Floats, turn: Floats, radial: Axis, azimuthal: Axis | None
) -> tuple[Integers, Integers, Floats]:
    cell = np.floor(centre).astype(np.int64)
    inside = (cell >= 0) & (cell < radial.bins)
    if azimuthal is not None:
        row = np.floor(azimuthal.coordinate(_unwound(turn, azimuthal))).astype(np.int64)
        inside &= (row >= 0) & (row < azimuthal.bins)
        cell = row * radial.bins + cell
    return pixels[inside], cell[inside], np.ones(int(inside.sum()))


def _across(
    pixels: Integers,
    along: tuple[Integers, Integers, Floats],
    low: Floats,
    high: Floats,
    radial: Axis,
    azimuthal: Axis,
) -> tuple[Integers, Integers, Floats]:
    """Entries along the radius spread over the azimuths as well."""
    which, cell, share = along
    found = []
    for shift in _turns(azimuthal):
        first = azimuthal.coordinate(low[which] + shift)
        last = azimuthal.coordinate(high[which] + shift)
        entry, row, part = overlaps(first, last, azimuthal.bins)
        found.append((pixels[which[entry]], row * radial.bins + cell[entry], share[entry] * part))
    return _joined(found)


def _full(
    positions: PixelPositions,
    pixels: Integers,
    radial: Axis,
    azimuthal: Axis | None,
    *,
    levelled: bool,
) -> tuple[Integers, Integers, Floats]:
    r, chi, area = closed_polygons(
        positions.radial_corners.reshape(-1, 4)[pixels],
        positions.azimuth_corners.reshape(-1, 4)[pixels],
    )
    r = radial.coordinate(r)
    which, cell = touched_bins(r.min(axis=1), r.max(axis=1), radial.bins)
    whole = area / radial.width
    if azimuthal is None:
        share = strip_areas(r[which], chi[which], cell) / whole[which]
        return pixels[which], cell, share
    found = []
    for shift in _turns(azimuthal):
        turned = azimuthal.coordinate(chi + shift)
        low, high = turned.min(axis=1)[which], turned.max(axis=1)[which]
        entry, row = touched_bins(low, high, azimuthal.bins)
        owner, column = which[entry], cell[entry]
        part = cell_areas(r[owner], turned[owner], column, row, levelled=levelled)
        share = part * azimuthal.width / whole[owner]
        # Slivers are rounding, and would give a cell without pixels a value.
        kept = share > _SLIVER
        found.append((pixels[owner[kept]], (row * radial.bins + column)[kept], share[kept]))
    return _joined(found)


def _joined(
    parts: list[tuple[Integers, Integers, Floats]],
) -> tuple[Integers, Integers, Floats]:
    pixel, cell, share = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(pixel, kind="stable")
    return pixel[order], cell[order], share[order]


def _turns(azimuthal: Axis) -> Iterator[float]:
    """The whole turns by which a pixel may have to be moved to meet the azimuthal axis."""
    for turn in (-1, 0, 1):
        # Polygons reach from -π to 3π, since those across ±π are unwound upwards; rectangles go
        # beyond -π as well.
        if azimuthal.first < (3 + 2 * turn) * math.pi and azimuthal.last > (2 * turn - 2) * math.pi:
            yield 2 * math.pi * turn


def _unwound(turn: Floats, azimuthal: Axis) -> Floats:
    """Azimuths moved by whole turns into the one that begins where the axis does."""
    return turn + 2 * math.pi * np.ceil((azimuthal.first - turn) / (2 * math.pi))


def _in_sector(
    positions: PixelPositions, sector: tuple[float, float], splitting: Splitting
) -> NDArray[np.bool_]:
    """Pixels of which a part lies in the sector; the centre decides without splitting."""
    start, extent = sector[0], (sector[1] - sector[0]) % (2 * math.pi)
    centre = positions.azimuth
    if splitting == "none":
        return np.asarray((centre - start) % (2 * math.pi) <= extent)
    offset = positions.azimuth_corners - centre[..., None]
    offset = (offset + math.pi) % (2 * math.pi) - math.pi
    if splitting == "bbox":
        reach = np.abs(offset).max(axis=-1)
        low, high = centre - reach, centre + reach
    else:
        low, high = centre + offset.min(axis=-1), centre + offset.max(axis=-1)
    # The sector grown by the pixel: the pixel's start lies at most its own length before it.
    begins = (low - start) % (2 * math.pi) <= extent
    holds = (start - low) % (2 * math.pi) <= high - low
    return np.asarray(begins | holds)
