"""Binning: neighbouring detector pixels averaged while they are read, and what follows from it.

Places and distances keep their meaning: pixel sizes grow, and a place counted from the centre of
the first pixel becomes the same place counted from the centre of the first binned one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lightwell.model import Detector, Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = [
    "BinnedArray",
    "binned_entry",
    "binned_extent",
    "binned_place",
    "binned_slices",
    "full_extent",
    "full_place",
]

PIECE_BYTES = 16 << 20
"""How much of the data is held unbinned at a time."""

E = TypeVar("E", bound=Entry)
Slices = tuple[int | None, int | None, int | None]


def binned_place(place: float, factor: int) -> float:
    """A place along an axis in binned points; both count from the centre of the first point.

    >>> binned_place(0.5, 2), binned_place(295.5, 2), full_place(147.5, 2)
    (0.0, 147.5, 295.5)
    """
    return (place - (factor - 1) / 2) / factor


def full_place(place: float, factor: int) -> float:
    """The place in unbinned points of a place in binned ones."""
    return place * factor + (factor - 1) / 2


def binned_extent(extent: float, factor: int) -> float:
    """A distance in binned points; a whole number stays whole, and an odd one odd.

    >>> binned_extent(21, 2), binned_extent(12, 2), binned_extent(0, 2), binned_extent(5.0, 2)
    (11, 6, 0, 2.5)
    """
    if not isinstance(extent, int):
        return extent / factor
    if extent % 2:
        return 2 * round((extent / factor - 1) / 2) + 1
    return round(extent / factor)


def full_extent(extent: float, factor: int) -> float:
    """The distance in unbinned points of one in binned points."""
    return extent * factor


def binned_slices(slices: Slices, factor: int) -> Slices:
    """The binned points that hold the chosen unbinned ones.

    >>> binned_slices((512, 513, 1), 2), binned_slices((0, 1596, 100), 2)
    ((256, 257, 1), (0, 798, 50))
    """
    start, stop, step = slices
    return (
        None if start is None else start // factor,
        None if stop is None else -(-stop // factor),
        None if step is None else max(1, step // factor),
    )


def binned_entry(entry: E, factor: int) -> E:
    """The entry as a detector with pixels that many times larger would have described it.

    Only the main detector is binned, and of it what the pixels decide: their size, and the places
    that are counted in them.
    """
    instrument = entry.instrument
    if factor == 1 or instrument is None or instrument.detector is None:
        return entry
    detector = instrument.detector
    changes = {
        **_changed(detector, ("x_pixel_size", "y_pixel_size"), full_extent, factor),
        **_changed(
            detector,
            (
                "beam_center_x",
                "beam_center_y",
                "x_rotation_axis_pixel_position",
                "y_rotation_axis_pixel_position",
            ),
            binned_place,
            factor,
        ),
    }
    binned = instrument.model_copy(update={"detector": detector.model_copy(update=changes)})
    return entry.model_copy(update={"instrument": binned})


def _changed(detector: Detector, names: Sequence[str], rule: Any, factor: int) -> dict[str, Any]:
    known = {name: getattr(detector, name) for name in names}
    return {name: rule(float(value), factor) for name, value in known.items() if value is not None}


@dataclass(frozen=True, eq=False)
class BinnedArray:
    """Means over blocks of neighbouring points of another lazy array, which is read on demand.

    factors : how many points along each axis become one; points too few for a block are left out.
    """

    source: "LazyArray"
    factors: tuple[int, ...]

    @classmethod
    def along(
        cls, source: "LazyArray", names: Sequence[str], factors: Mapping[str, int]
    ) -> "LazyArray":
        """Bin an array with these axes along some of them; the array itself where along none."""
        found = tuple(factors.get(name, 1) for name in names)
        return source if all(factor == 1 for factor in found) else cls(source, found)

    @property
    def shape(self) -> tuple[int, ...]:
        pairs = zip(self.source.shape, self.factors, strict=True)
        return tuple(length // factor for length, factor in pairs)

    @property
    def dtype(self) -> "np.dtype[Any]":
        import numpy as np

        kind = self.source.dtype
        return kind if kind.kind in "fc" else np.dtype(np.float32)

    def read(self, selection: tuple[Any, ...] = ()) -> "NDArray[Any]":
        """Return the selected means; no more is read than the blocks they are of."""
        import numpy as np

        full = (*selection, *(slice(None),) * (len(self.shape) - len(selection)))
        wanted = [_indices(each, length) for each, length in zip(full, self.shape, strict=True)]
        result = np.empty(tuple(len(each) for each in wanted), self.dtype)
        if not result.size:
            return result
        # Whole along every axis but the first, which is read in pieces.
        others = zip(wanted[1:], self.factors[1:], strict=True)
        inner = tuple(_stretch(each, factor) for each, factor in others)
        picks = tuple(each - each.min() for each in wanted[1:])
        row = math.prod(s.stop - s.start for s in inner) * self.source.dtype.itemsize
        count = max(1, PIECE_BYTES // max(row * self.factors[0], 1))
        for start in range(0, len(wanted[0]), count):
            some = wanted[0][start : start + count]
            block = self._block(some, inner)
            result[start : start + count] = block[np.ix_(np.arange(len(some)), *picks)]
        return result

    def _block(self, rows: "NDArray[Any]", inner: tuple[slice, ...]) -> "NDArray[Any]":
        """The means of these rows, for the whole stretch along the other axes."""
        import numpy as np

        factor = self.factors[0]
        points = (rows[:, None] * factor + np.arange(factor)).reshape(-1)
        rising = bool((np.diff(points) == 1).all())
        first = slice(int(points[0]), int(points[-1]) + 1) if rising else points
        values = np.asarray(self.source.read((first, *inner)))
        split: list[int] = []
        for length, each in zip(values.shape, self.factors, strict=True):
            split += [length // each, each]
        blocks = tuple(range(1, 2 * len(self.factors), 2))
        # In 64 bits, so that the means of counts are exact before they are rounded once.
        sums = values.reshape(split).sum(axis=blocks, dtype=self._exact)
        means: NDArray[Any] = (sums / math.prod(self.factors)).astype(self.dtype)
        return means

    @property
    def _exact(self) -> Any:
        import numpy as np

        return np.complex128 if self.source.dtype.kind == "c" else np.float64


def _indices(selected: Any, length: int) -> "NDArray[Any]":
    import numpy as np

    if isinstance(selected, slice):
        return np.arange(length)[selected]
    found = np.asarray(selected, np.intp)
    return np.where(found < 0, found + length, found)


def _stretch(wanted: "NDArray[Any]", factor: int) -> slice:
    return slice(int(wanted.min()) * factor, (int(wanted.max()) + 1) * factor)
