"""Reading a stored array without HDF5: positions looked up once, decoded in threads.

HDF5 runs one call at a time in a process and reads into memory of its own; here every thread
reads its chunks where they stand and decodes them into the caller's array. Each array is compared
with HDF5 in one chunk when it is opened; where they differ, or where anything is unusual, HDF5
reads it.
"""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lightwell.errors import UnreadableFile
from lightwell.hdf5.blocks import Block, asked_ahead, pieces, read_block, read_bytes
from lightwell.hdf5.buffers import scratch
from lightwell.hdf5.codecs import Codec, Filter, codec_for
from lightwell.hdf5.layouts import ArrayLayout, ChunkIndex, array_layout, chunk_index, filters_of
from lightwell.hdf5.selections import as_index, parts
from lightwell.hdf5.threads import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.hdf5.selections import Along

__all__ = ["Descriptor", "StoredArray", "open_stored"]

_log = logging.getLogger(__name__)

# Smaller reads are not worth waking another thread.
_ALONE_BYTES = 512 * 1024
# One chunk larger than this is better read by HDF5: threads gain nothing, and a check doubles it.
_LARGEST_CHUNK = 2**30


class Descriptor:
    """A file open for positioned reads, closed when nobody reads from it any more."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.size = os.fstat(self.number).st_size

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # Kept as a default: when the interpreter ends, the module may have gone before.
        if hasattr(self, "number"):
            close(self.number)


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """An array of a file that is read without HDF5; safe in any number of threads.

    dtype : as stored, byte order included; index : of the chunks, None if they are one block at
    `offset` (-1 if that was never written).
    """

    where: str
    file: Descriptor
    layout: ArrayLayout
    fill: Any
    filters: tuple[Filter, ...] = ()
    offset: int = -1
    index: ChunkIndex | None = None
    codecs: dict[int, Codec | None] = field(default_factory=dict)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type as stored."""
        return self.layout.dtype

    def read_into(self, axes: "tuple[Along, ...]", out: "NDArray[Any]", threads: int) -> None:
        """Read a selection into `out`, which has its shape.

        Errors: UnreadableFile naming the chunk that is damaged or lies beyond the end.
        """
        if out.size == 0:
            return
        if out.nbytes <= _ALONE_BYTES or (threads > 1 and self._asked_ahead(axes)):
            threads = 1
        if self.index is not None:
            share(self._chunks(axes), lambda task: self._read_chunk(*task, out), threads)
        elif self.offset < 0:
            out[...] = self.fill
        else:
            share(pieces(axes, out.itemsize), lambda task: self._read_piece(*task, out), threads)

    def _asked_ahead(self, axes: "tuple[Along, ...]") -> bool:
        """Whether the reads are too short for threads, what they take being fetched already."""
        return asked_ahead(self.file.number, self._plain_blocks(axes))

    def _plain_blocks(self, axes: "tuple[Along, ...]") -> "Iterator[Block]":
        """Yield the blocks that are stored as they are; none of compressed chunks."""
        if self.index is None:
            if self.offset >= 0:
                yield self.offset, self.layout.shape, self.dtype, axes
            return
        if self.filters:
            return
        for place, inside, _ in self._chunks(axes):
            row = self.index.entry(place)
            if row is not None:
                yield int(self.index.offsets[row]), self.layout.chunks or (), self.dtype, inside

    def _read_piece(
        self, axes: "tuple[Along, ...]", where: tuple[slice, ...], out: "NDArray[Any]"
    ) -> None:
        shape = self.layout.shape
        try:
            read_block(self.file.number, self.offset, shape, self.dtype, axes, out[where])
        except (ValueError, OSError) as error:
            raise self._damaged("the array", error) from error

    def _chunks(
        self, axes: "tuple[Along, ...]"
    ) -> "Iterator[tuple[tuple[int, ...], tuple[Along, ...], tuple[slice, ...]]]":
        """Yield each chunk that is touched: where in the grid, what of it, and where in `out`."""
        edges = self.layout.chunks or ()
        lists = [list(parts(along, edge)) for along, edge in zip(axes, edges, strict=True)]
        for index in np.ndindex(*(len(one) for one in lists)):
            chosen = [one[number] for one, number in zip(lists, index, strict=True)]
            place, inside, where = zip(*chosen, strict=True) if chosen else ((), (), ())
            yield tuple(place), tuple(inside), tuple(where)

    def _read_chunk(
        self,
        place: tuple[int, ...],
        inside: "tuple[Along, ...]",
        where: tuple[slice, ...],
        out: "NDArray[Any]",
    ) -> None:
        assert self.index is not None and self.layout.chunks is not None  # noqa: S101, PT018
        row = self.index.entry(place)
        if row is None:
            out[where] = self.fill
            return
        try:
            self._read_stored(row, inside, out[where])
        except (ValueError, OSError) as error:
            raise self._damaged(f"chunk {place}", error) from error

    def _read_stored(self, row: int, inside: "tuple[Along, ...]", out: "NDArray[Any]") -> None:
        index, edges = self.index, self.layout.chunks
        assert index is not None and edges is not None  # noqa: S101, PT018
        offset, count = int(index.offsets[row]), int(index.sizes[row])
        needed = self.dtype.itemsize * int(np.prod(edges, dtype=np.int64))
        if offset < 0 or count < 0 or offset + count > self.file.size:
            raise ValueError(f"bytes {offset} to {offset + count} lie beyond the end of the file")
        codec = self.codec(int(index.masks[row]))
        if codec is None:
            raise ValueError("its filters cannot be undone")
        if codec.name == "none":
            if count != needed:
                raise ValueError(f"{count} bytes are stored, {needed} are needed")
            read_block(self.file.number, offset, edges, self.dtype, inside, out)
            return
        if count > 2 * needed + 2**20:
            raise ValueError(f"{count} bytes are stored for a chunk of {needed}")
        if codec.most and needed > codec.most * (count + 64):
            raise ValueError(f"{count} bytes cannot hold the {needed} of a chunk")
        stored = scratch("stored", count + codec.guard)
        read_bytes(self.file.number, offset, stored[:count])
        self._decode(codec, stored, count, needed, inside, out)

    def _decode(
        self,
        codec: Codec,
        stored: "NDArray[np.uint8]",
        count: int,
        needed: int,
        inside: "tuple[Along, ...]",
        out: "NDArray[Any]",
    ) -> None:
        """Decode a chunk, in place where all of it is wanted as it is."""
        edges = self.layout.chunks or ()
        whole = out.shape == edges and out.flags.c_contiguous and self.dtype == out.dtype
        if whole:
            codec.decode(stored, count, out.reshape(-1).view(np.uint8))
            return
        plain = scratch("chunk", needed)
        codec.decode(stored, count, plain)
        chunk = plain.view(self.dtype).reshape(edges)
        out[...] = chunk[tuple(as_index(along) for along in inside)]

    def codec(self, mask: int) -> Codec | None:
        """Return how a chunk is decoded whose filters were left out where the mask has a bit."""
        if mask not in self.codecs:
            used = [one for bit, one in enumerate(self.filters) if not mask >> bit & 1]
            edges = self.layout.chunks or ()
            needed = self.dtype.itemsize * int(np.prod(edges, dtype=np.int64))
            self.codecs[mask] = codec_for(used, self.dtype.itemsize, needed)
        return self.codecs[mask]

    def _damaged(self, what: str, error: Exception) -> UnreadableFile:
        return UnreadableFile(
            f"{what} of the array is damaged: {error}",
            where=self.where,
            remedy="Copy the file again from its source, or wait until it is written",
        )


def open_stored(dataset: Any, file: Descriptor, where: str) -> StoredArray | ArrayLayout:
    """Return an open dataset as an array read without HDF5, or its layout and why it is not.

    file : the one that the dataset is in.
    """
    layout = array_layout(dataset)
    why = _why_not(dataset, layout)
    if why:
        return replace(layout, why=why)
    try:
        found = _opened(dataset, layout, file, where)
        if isinstance(found, StoredArray):
            why = _why_differs(found, dataset)
            return replace(layout, why=why) if why else found
    except (OSError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        found = f"its chunks cannot be looked up ({error})"
    return replace(layout, why=found)


def _why_not(dataset: Any, layout: ArrayLayout) -> str:
    """Return why only HDF5 can read a dataset; nothing if it need not."""
    if not hasattr(os, "preadv"):
        return "this system has no positioned reads"
    if layout.kind not in ("contiguous", "chunked"):
        return f"its layout is {layout.kind}"
    if dataset.file.driver not in ("sec2", "windows"):
        return f"its file is read by the driver {dataset.file.driver}"
    if layout.dtype.hasobject or layout.dtype.names:
        return "its values are no plain numbers"
    if not h5py.h5t.py_create(layout.dtype, logical=True).equal(dataset.id.get_type()):
        return "its numbers are stored in a way of their own"
    return ""


def _opened(dataset: Any, layout: ArrayLayout, file: Descriptor, where: str) -> StoredArray | str:
    """Look up where everything is; return why that does not work where it does not."""
    fill = _fill(dataset)
    direct = replace(layout, direct=True)
    if layout.chunks is None:
        offset = dataset.id.get_offset()
        # Before a user block, HDF5 gives some offset also for what was never written.
        if offset is None or not layout.stored_bytes:
            return StoredArray(where, file, direct, fill) if fill is not None else "it has no fill"
        if layout.stored_bytes != layout.nbytes:
            return "its size is not that of its numbers"
        # HDF5 counts this one from the beginning of the file, user block included.
        return StoredArray(where, file, direct, fill, offset=int(offset))
    if layout.dtype.itemsize * int(np.prod(layout.chunks, dtype=np.float64)) > _LARGEST_CHUNK:
        return "its chunks are larger than a gigabyte"
    index = chunk_index(dataset, layout.chunks)
    if index is None:
        return "its chunks cannot be numbered"
    if fill is None and not index.is_full:
        return "chunks are missing, and nothing says what stands there"
    found = StoredArray(where, file, direct, fill, filters_of(dataset), index=index)
    if layout.codec not in ("none", "2") and _has_plain_edges(found, index):
        return "its edges may be stored without filters"
    masks = {int(mask) for mask in np.unique(index.masks)}
    if any(found.codec(mask) is None for mask in masks or {0}):
        return f"only HDF5 decodes {layout.codec}"
    return found


def _has_plain_edges(found: StoredArray, index: ChunkIndex) -> bool:
    """Whether all chunks that reach beyond the array are as large as if nothing was compressed.

    An option of HDF5 leaves those as they are; nothing that can be asked tells.
    """
    edges = found.layout.chunks or ()
    ragged = [n % edge != 0 for n, edge in zip(found.layout.shape, edges, strict=True)]
    if not any(ragged) or not len(index.numbers):
        return False
    places = np.stack(np.unravel_index(index.numbers, index.grid), axis=-1)
    outer = (places == np.asarray(index.grid) - 1)[:, ragged].any(axis=1)
    needed = found.dtype.itemsize * int(np.prod(edges, dtype=np.int64))
    return bool(outer.any() and ((index.sizes == needed) & (index.masks == 0))[outer].all())


def _fill(dataset: Any) -> Any:
    """What stands where nothing was written; None where that is not defined."""
    plist = dataset.id.get_create_plist()
    if plist.get_fill_time() == h5py.h5d.FILL_TIME_NEVER:
        return None
    if plist.fill_value_defined() == h5py.h5d.FILL_VALUE_UNDEFINED:
        return None
    return dataset.fillvalue


def _why_differs(found: StoredArray, dataset: Any) -> str:
    """Compare a part with HDF5; return what to say if they differ."""
    for start, stop in _samples(found):
        axes = tuple(range(low, high) for low, high in zip(start, stop, strict=True))
        shape = tuple(len(along) for along in axes)
        ours = np.empty(shape, found.dtype.newbyteorder("="))
        try:
            found.read_into(axes, ours, 1)
        except UnreadableFile:
            # It is damaged, and filters of HDF5 may crash on it: whoever reads it is told.
            continue
        theirs = np.asarray(dataset[tuple(slice(a.start, a.stop) for a in axes)])
        if ours.tobytes() != theirs.astype(ours.dtype, copy=False).tobytes():
            _log.warning("%s is read by HDF5: read directly, a part of it differs", found.where)
            return "read directly, a part of it differs from what HDF5 reads"
    return ""


def _samples(found: StoredArray) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield the corners of what is compared: a middle chunk, and one at a ragged edge."""
    shape, index, edges = found.layout.shape, found.index, found.layout.chunks
    if 0 in shape:
        return
    if index is None or edges is None:
        # The end of the array, a few pages of it.
        count, start = max(1, 16384 // found.dtype.itemsize), []
        for length in reversed(shape):
            start.append(max(0, length - count))
            count = max(1, count // length)
        yield tuple(reversed(start)), shape
        return
    if not len(index.numbers):
        return
    rows = [len(index.numbers) // 2]
    if any(length % edge for length, edge in zip(shape, edges, strict=True)):
        rows.append(len(index.numbers) - 1)
    for row in dict.fromkeys(rows):
        corner = tuple(p * edge for p, edge in zip(index.place(row), edges, strict=True))
        ends = (min(c + edge, n) for c, edge, n in zip(corner, edges, shape, strict=True))
        yield corner, tuple(ends)
