"""Virtual datasets read source by source, so that each source is read without HDF5's lock."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lightwell.hdf5.layouts import ArrayLayout, array_layout
from lightwell.hdf5.selections import as_index, cut
from lightwell.hdf5.threads import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.hdf5.selections import Along

__all__ = ["OtherType", "VirtualArray", "open_virtual"]


class OtherType(Exception):
    """A source holds another type of number, or other axes, than the virtual dataset."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of a virtual dataset, and the box of a source that it shows.

    box : start and shape in the source, None for all of it, whose shape the mapping does not say.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    file: str
    path: str
    box: tuple[tuple[int, ...], tuple[int, ...]] | None


@dataclass(frozen=True, slots=True, eq=False)
class VirtualArray:
    """A virtual dataset as its pieces; `open` returns the array of a file and a path."""

    layout: ArrayLayout
    fill: Any
    pieces: tuple[Piece, ...]
    open: Callable[[str, str], Any]
    opened: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type as stored."""
        return self.layout.dtype

    def read_into(self, axes: "tuple[Along, ...]", out: "NDArray[Any]", threads: int) -> None:
        """Read a selection into `out`, which has its shape.

        Errors: those of the sources; OtherType where only HDF5 reads one.
        """
        if not out.size:
            return
        if sum(math.prod(piece.shape) for piece in self.pieces) < math.prod(self.layout.shape):
            out[...] = self.fill
        touched = [piece for piece in self.pieces if _inside(piece, axes) is not None]
        apart = len(touched) >= threads
        inner = 1 if apart else threads
        share(touched, lambda one: self._read(one, axes, out, inner), threads if apart else 1)

    def _read(
        self, piece: Piece, axes: "tuple[Along, ...]", out: "NDArray[Any]", threads: int
    ) -> None:
        found = _inside(piece, axes)
        assert found is not None  # noqa: S101
        along = [one for one, _ in found]
        where = out[tuple(place for _, place in found)]
        source = self._source(piece, out)
        first, lengths = piece.box or ((0,) * len(source.shape), source.shape)
        matched = _matched(piece.shape, lengths)
        if matched is None:
            raise OtherType
        selection: list[Any] = []
        for axis, origin in zip(matched, first, strict=True):
            if axis < 0:
                selection.append(slice(origin, origin + 1))
                continue
            index = as_index(along[axis])
            if isinstance(index, slice):
                index = slice(index.start + origin, index.stop + origin, index.step)
            else:
                index = index + origin
            selection.append(index)
        # Only axes of one index come or go, so that this is no copy.
        shape = [1 if axis < 0 else where.shape[axis] for axis in matched]
        source.read_into(tuple(selection), where.reshape(shape), threads)

    def _source(self, piece: Piece, out: "NDArray[Any]") -> Any:
        """The array that a piece shows; OtherType where its numbers are of another type."""
        key = (piece.file, piece.path)
        source = self.opened.get(key)
        if source is None:
            source = self.opened[key] = self.open(*key)
        if source.dtype != out.dtype:
            raise OtherType
        return source


def _inside(piece: Piece, axes: "Sequence[Along]") -> "list[tuple[Along, slice]] | None":
    """What of a selection lies in a piece, counted from its start; None for nothing."""
    found = []
    for along, start, length in zip(axes, piece.start, piece.shape, strict=True):
        part = cut(along, start, start + length)
        if part is None:
            return None
        found.append(part)
    return found


def open_virtual(
    dataset: Any,
    locate_file: Callable[[str], str | None],
    find: Callable[[str, str], Any],
) -> VirtualArray | ArrayLayout:
    """Return an open virtual dataset as pieces, or its layout and why only HDF5 reads it.

    locate_file : the file a source's name means; find : the array of a file and a path.
    """
    layout = array_layout(dataset)
    pieces: list[Piece] = []
    for source in dataset.virtual_sources():
        file = locate_file(str(source.file_name))
        piece = None if file is None else _piece(source, file)
        if piece is None:
            return replace(layout, why="its sources are not boxes")
        pieces.append(piece)
    if sum(math.prod(piece.shape) for piece in pieces) > math.prod(layout.shape):
        return replace(layout, why="its sources overlap")
    return VirtualArray(replace(layout, direct=True), dataset.fillvalue, tuple(pieces), find)


def _piece(source: Any, file: str) -> Piece | None:
    """A mapping as a piece; None where it is no box, or its axes are not those of the source."""
    target = _box(source.vspace)
    if target is None or "%" in source.file_name + source.dset_name:
        return None
    start, shape = target
    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        return Piece(start, shape, file, str(source.dset_name), None)
    origin = _box(source.src_space)
    if origin is None or _matched(shape, origin[1]) is None:
        return None
    return Piece(start, shape, file, str(source.dset_name), origin)


def _matched(shape: Sequence[int], lengths: Sequence[int]) -> tuple[int, ...] | None:
    """For each axis of a source that of the virtual dataset, -1 where it has one index.

    >>> _matched((1, 6, 5), (6, 5)), _matched((3, 1), (3, 1)), _matched((3, 2), (2, 3))
    ((1, 2), (0, -1), None)
    """
    wide = [axis for axis, length in enumerate(shape) if length != 1]
    if [shape[axis] for axis in wide] != [length for length in lengths if length != 1]:
        return None
    rising = iter(wide)
    return tuple(-1 if length == 1 else next(rising) for length in lengths)


def _box(space: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The start and the shape of what a data space selects, if that is a box."""
    shape = tuple(int(n) for n in space.get_simple_extent_dims())
    kind = space.get_select_type()
    if kind == h5py.h5s.SEL_ALL:
        return (0,) * len(shape), shape
    if kind != h5py.h5s.SEL_HYPERSLABS or space.get_select_npoints() < 1:
        return None
    low, high = space.get_select_bounds()
    lengths = tuple(int(last) - int(first) + 1 for first, last in zip(low, high, strict=True))
    if math.prod(lengths) != space.get_select_npoints():
        return None
    return tuple(int(first) for first in low), lengths
