"""Selections of an array, axis by axis: what to read, and how to arrange it afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: Indices in rising order, each once.
    Along: TypeAlias = range | NDArray[np.intp]

__all__ = ["Selection", "Wanted", "as_index", "cut", "ends", "parts"]

Selection = tuple["slice | NDArray[Any]", ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read of every axis (at most one of them by a list), and what to take of that."""

    axes: "tuple[Along, ...]"
    after: "tuple[NDArray[np.intp] | None, ...]"

    @classmethod
    def of(cls, selection: Selection, shape: tuple[int, ...]) -> "Wanted":
        """Return the smallest block that holds a selection; IndexError beyond an axis."""
        axes: list[Along] = []
        after: list[NDArray[np.intp] | None] = []
        listed = False
        full: Selection = (*selection, *(slice(None) for _ in shape[len(selection) :]))
        for axis, (wanted, length) in enumerate(zip(full, shape, strict=True)):
            indices = _indices(wanted, length, axis)
            if isinstance(indices, range):
                axes.append(indices)
                after.append(None)
                continue
            unique, place = np.unique(indices, return_inverse=True)
            run: Along | None = _as_range(unique)
            if run is None and not listed:
                run, listed = unique, True
            elif run is None:
                run, place = range(int(unique[0]), int(unique[-1]) + 1), indices - unique[0]
            place = place.reshape(-1)
            axes.append(run)
            in_order = len(place) == len(run) and bool((place == np.arange(len(run))).all())
            after.append(None if in_order else place)
        return cls(tuple(axes), tuple(after))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the block that is read."""
        return tuple(len(along) for along in self.axes)

    @property
    def is_plain(self) -> bool:
        """Whether the block is the selection."""
        return all(taken is None for taken in self.after)

    def arranged(self, block: "NDArray[Any]") -> "NDArray[Any]":
        """Return the selection out of the block that was read."""
        for axis, taken in enumerate(self.after):
            if taken is not None:
                block = np.take(block, taken, axis=axis)
        return block


def _indices(wanted: Any, length: int, axis: int) -> Any:
    """Return a range forwards, or indices from 0; IndexError beyond the axis."""
    if isinstance(wanted, slice):
        start, stop, step = wanted.indices(length)
        if step > 0:
            return range(start, max(start, stop), step)
        return np.arange(start, stop, step)
    array = np.asarray(wanted)
    if array.dtype == bool:
        array = np.flatnonzero(array)
    array = np.where(array < 0, array + length, array).astype(np.intp, copy=False)
    if array.size and (array.min() < 0 or array.max() >= length):
        raise IndexError(f"index beyond axis {axis} of length {length}")
    return array


def _as_range(unique: Any) -> range | None:
    """Return sorted indices as a range, if they are evenly spaced."""
    if not unique.size:
        return range(0)
    steps = np.diff(unique)
    step = int(steps[0]) if steps.size else 1
    if steps.size and not (steps == step).all():
        return None
    return range(int(unique[0]), int(unique[-1]) + 1, step)


def cut(along: "Along", start: int, stop: int) -> "tuple[Along, slice] | None":
    """Return what of an axis lies in `start … stop`, counted from there, and its place in it.

    >>> cut(range(1, 20, 4), 8, 16)
    (range(1, 6, 4), slice(2, 4, None))
    """
    if isinstance(along, range):
        first = max(0, -(-(start - along.start) // along.step))
        last = min(len(along), max(0, -(-(stop - along.start) // along.step)))
        if first >= last:
            return None
        return range(along[first] - start, along[last - 1] - start + 1, along.step), slice(
            first, last
        )
    first, last = (int(one) for one in np.searchsorted(along, (start, stop)))
    return None if first >= last else (along[first:last] - start, slice(first, last))


def parts(along: "Along", edge: int) -> "Iterator[tuple[int, Along, slice]]":
    """Yield for each piece of `edge` indices: its number, what of the axis is in it, and where.

    >>> [(number, list(inside)) for number, inside, _ in parts(range(1, 9, 3), 4)]
    [(0, [1]), (1, [0, 3])]
    """
    if not len(along):
        return
    first, last = ends(along)
    if isinstance(along, range) and along.step <= edge:
        numbers: Any = range(first // edge, last // edge + 1)
    else:
        numbers = np.unique(np.asarray(along) // edge).tolist()
    for number in numbers:
        found = cut(along, number * edge, (number + 1) * edge)
        if found is not None:
            yield number, *found


def ends(along: "Along") -> tuple[int, int]:
    """Return the first and the last index."""
    return int(along[0]), int(along[-1])


def as_index(along: "Along") -> Any:
    """Return what numpy and h5py select by."""
    if not isinstance(along, range):
        return along
    if not len(along):
        return slice(0, 0)
    return slice(along.start, along[-1] + 1, along.step)
