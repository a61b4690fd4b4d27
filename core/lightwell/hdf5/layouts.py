"""How an HDF5 dataset lies in its file: chunks, codec, and what reading a slab of it costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

from lightwell.hdf5.codecs import Filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArrayLayout", "ChunkIndex", "array_layout", "chunk_index"]

Kind = Literal["contiguous", "chunked", "virtual", "compact", "external", "none"]

# Beyond this the numbers of chunks do not fit an index.
_MOST_CHUNKS = 2**62


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Shape, type, chunks and codec of an HDF5 dataset, and how it is read.

    chunks : the edges of a chunk, None where there are none; codec : "none", "bitshuffle-lz4",
    "deflate", … or the numbers of the filters; stored_bytes : what it takes in its file;
    direct : whether it is read in threads without HDF5, and if not, `why`.
    """

    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    kind: Kind
    chunks: tuple[int, ...] | None
    codec: str
    stored_bytes: int
    direct: bool = False
    why: str = ""

    @property
    def nbytes(self) -> int:
        """What the numbers take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def amplification(self, axis: int, count: int) -> float:
        """How many times the array is read if it is read `count` indices of an axis at a time.

        Compressed chunks are read whole each time that a slab touches them; of what is stored as
        it is, only what is wanted. 1.0 is the best.
        """
        length = self.shape[axis]
        if self.chunks is None or self.codec == "none" or not length or count >= length:
            return 1.0
        edge = min(self.chunks[axis], length)
        read = 0
        for start in range(0, length, count):
            stop = min(start + count, length)
            first, last = start // edge, (stop - 1) // edge
            read += min((last + 1) * edge, length) - first * edge
        return read / length

    def touched(self, axis: int, start: int, stop: int) -> float:
        """Which share of the stored bytes reading `start … stop` of an axis touches, about."""
        length = self.shape[axis]
        if stop <= start or not length:
            return 0.0
        if self.chunks is None or self.codec == "none":
            return (stop - start) / length
        edge = self.chunks[axis]
        return min(-(-stop // edge) * edge, length) / length - start // edge * edge / length


@dataclass(frozen=True, slots=True, eq=False)
class ChunkIndex:
    """Where the stored chunks are, found once: sorted by their number in C order.

    numbers, offsets, sizes : (chunk) int64; masks : (chunk) uint32, the filters left out.
    """

    grid: tuple[int, ...]
    numbers: "NDArray[np.int64]"
    offsets: "NDArray[np.int64]"
    sizes: "NDArray[np.int64]"
    masks: "NDArray[np.uint32]"

    @property
    def is_full(self) -> bool:
        """Whether every chunk is stored."""
        return len(self.numbers) == math.prod(self.grid)

    def entry(self, place: Sequence[int]) -> int | None:
        """Return the row of the chunk at a place of the grid; None if it is not stored."""
        number = 0
        for position, length in zip(place, self.grid, strict=True):
            number = number * length + position
        row = int(np.searchsorted(self.numbers, number))
        found = row < len(self.numbers) and self.numbers[row] == number
        return row if found else None

    def place(self, row: int) -> tuple[int, ...]:
        """Return where in the grid the chunk of a row is."""
        number = int(self.numbers[row])
        place: list[int] = []
        for length in reversed(self.grid):
            number, position = divmod(number, length)
            place.append(position)
        return tuple(reversed(place))


def filters_of(dataset: Any) -> tuple[Filter, ...]:
    """Return the filters of an open dataset, in the order of writing."""
    plist = dataset.id.get_create_plist()
    found = (plist.get_filter(number) for number in range(plist.get_nfilters()))
    return tuple(Filter(int(code), tuple(int(v) for v in values)) for code, _, values, _ in found)


def array_layout(dataset: Any) -> ArrayLayout:
    """Return how an open dataset is stored; whether it is read directly is not looked at."""
    plist = dataset.id.get_create_plist()
    kinds: dict[int, Kind] = {
        h5py.h5d.COMPACT: "compact",
        h5py.h5d.CONTIGUOUS: "contiguous",
        h5py.h5d.CHUNKED: "chunked",
        h5py.h5d.VIRTUAL: "virtual",
    }
    kind = kinds.get(plist.get_layout(), "none")
    if kind == "contiguous" and plist.get_external_count():
        kind = "external"
    stored = 0 if kind == "virtual" else int(dataset.id.get_storage_size())
    chunks = tuple(int(n) for n in dataset.chunks) if kind == "chunked" else None
    shape = tuple(int(n) for n in dataset.shape)
    return ArrayLayout(shape, dataset.dtype, kind, chunks, _codec_name(dataset), stored)


def _codec_name(dataset: Any) -> str:
    """A name without having the codec: "bitshuffle-lz4", or the filters' numbers."""
    names: dict[tuple[int, ...], str] = {
        (): "none",
        (1,): "deflate",
        (2, 1): "shuffle-deflate",
        (32001,): "blosc",
    }
    filters = filters_of(dataset)
    codes = tuple(one.code for one in filters)
    if codes == (32008,):
        kind = filters[0].values[4:5]
        named: dict[tuple[int, ...], str] = {(2,): "bitshuffle-lz4", (3,): "bitshuffle-zstd"}
        return named.get(kind, "bitshuffle")
    return names.get(codes, "+".join(str(code) for code in codes))


def chunk_index(dataset: Any, chunks: Sequence[int]) -> ChunkIndex | None:
    """Return where the chunks of an open dataset are; None for a grid beyond all bounds."""
    grid = tuple(-(-length // edge) for length, edge in zip(dataset.shape, chunks, strict=True))
    if math.prod(grid) > _MOST_CHUNKS:
        return None
    found: list[tuple[int, int, int, int]] = []

    def note(info: Any) -> None:
        number = 0
        for start, edge, length in zip(info.chunk_offset, chunks, grid, strict=True):
            position = int(start) // edge
            if position >= length:
                # A chunk beyond the extent, left behind when the array shrank.
                return
            number = number * length + position
        if info.byte_offset is not None:
            # From the beginning of the file, user block included.
            offset = int(info.byte_offset)
            found.append((number, offset, int(info.size), int(info.filter_mask)))

    dataset.id.chunk_iter(note)
    table = np.array(sorted(found), dtype=np.int64).reshape(-1, 4)
    if len(table) > 1 and (np.diff(table[:, 0]) == 0).any():
        # Two chunks of one place: only HDF5 knows which of them counts.
        return None
    numbers, offsets, sizes, masks = (np.ascontiguousarray(table[:, i]) for i in range(4))
    return ChunkIndex(grid, numbers, offsets, sizes, masks.astype(np.uint32))
