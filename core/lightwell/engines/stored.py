"""Arrays that stand in segments, read as one."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.engines.grains import grain_of
from lightwell.engines.segments import Segment, SegmentFolder, segment_array, write_segment
from lightwell.engines.sources import Source
from lightwell.errors import DamagedResult
from lightwell.products import Product

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightwell.hdf5 import Hdf5Array
    from lightwell.stacks import LazyArray

__all__ = ["SegmentedArray", "segmented", "stored_whole", "write_whole"]


@dataclasses.dataclass(frozen=True)
class SegmentedArray:
    """Pieces put together along one of their axes, none of them read yet.

    pieces : (first point, array) in order; along : the axis they are joined on.
    """

    pieces: tuple[tuple[int, "Hdf5Array"], ...]
    along: int
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"

    @property
    def grain(self) -> tuple[int, ...] | None:
        """How many points along each axis are read together: a chunk of a segment."""
        return grain_of(self.pieces[0][1])

    def read(self, selection: tuple[Any, ...]) -> "NDArray[Any]":
        """Read a rectangular part; only the segments it touches are opened."""
        import numpy as np

        selection = (*selection, *(slice(None) for _ in self.shape[len(selection) :]))
        start, stop, step = selection[self.along].indices(self.shape[self.along])
        parts = []
        for first, array in self.pieces:
            length = array.shape[self.along]
            low, high = max(start, first) - first, min(stop, first + length) - first
            if low < high:
                where = list(selection)
                where[self.along] = slice(low, high)
                parts.append(array.read(tuple(where)))
        if sum(part.shape[self.along] for part in parts) != max(stop - start, 0):
            raise DamagedResult(
                f"the points {start} to {stop - 1} are not all stored",
                where=self.pieces[0][1].path,
                remedy="run the recipe again",
            )
        if not parts:
            empty = list(selection)
            empty[self.along] = slice(0, 0)
            return self.pieces[0][1].read(tuple(empty))
        whole = np.concatenate(parts, axis=self.along) if len(parts) != 1 else parts[0]
        return whole[(*(slice(None),) * self.along, slice(None, None, step))]


def segmented(
    segments: Sequence[Segment],
    product: type[Product],
    axis: str,
    span: Callable[[int, int], tuple[int, int]],
    length: int,
) -> Mapping[str, "LazyArray"]:
    """Every array of a product that was stored in segments along an axis of that length.

    Not all of it has to be stored; to read what is not is an error.
    """
    found: dict[str, Any] = {}
    for name, dims in product.dims().items():
        arrays = [segment_array(segment, name) for segment in segments]
        if axis not in dims.names:
            found[name] = arrays[0]
            continue
        along = dims.names.index(axis)
        starts = [span(s.first, s.last)[0] for s in segments]
        shape = list(arrays[0].shape)
        shape[along] = length
        pieces = tuple(zip(starts, arrays, strict=True))
        found[name] = SegmentedArray(pieces, along, tuple(shape), arrays[0].dtype)
    return found


def write_whole(folder: Path, product: Product) -> None:
    """Keep a product that was computed at once, a fold's or an iteration's."""
    SegmentFolder(folder).prepare()
    write_segment(folder, (0, 1), [product], "")


def stored_whole(folder: Path, product: type[Product]) -> Source:
    """A product that `write_whole` kept, to be read piece by piece."""
    [segment] = SegmentFolder(folder).holding([0])
    return Source(product, {name: segment_array(segment, name) for name in product.dims()})
