"""Writing arrays in compressed chunks, encoded in threads and handed to HDF5 as they are."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightwell.hdf5.buffers import scratch
from lightwell.hdf5.codecs import bitshuffle_bound, encode_bitshuffle_lz4
from lightwell.hdf5.compression import filters
from lightwell.hdf5.surviving import check_disk
from lightwell.hdf5.threads import reading_threads, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["copy_chunks", "create_compressed", "write_chunks", "write_compressed"]

# So many encoded chunks wait to be written for each thread: enough to keep all of them busy.
_AHEAD = 4


def create_compressed(
    group: Any, name: str, shape: Sequence[int], dtype: Any, chunks: Sequence[int] | None
) -> Any:
    """Return a new dataset without values, to be filled by `write_chunks`.

    chunks : its edges, compressed by bitshuffle and LZ4; None for an array in one piece.
    """
    if chunks is None:
        return group.create_dataset(name, shape=tuple(shape), dtype=dtype)
    return group.create_dataset(
        name, shape=tuple(shape), dtype=dtype, chunks=tuple(chunks), **filters("bitshuffle-lz4")
    )


def write_compressed(
    group: Any,
    name: str,
    values: "NDArray[Any]",
    chunks: Sequence[int] | None,
    *,
    threads: int | None = None,
) -> Any:
    """Write an array in chunks of bitshuffle-LZ4, the same bytes for any number of threads.

    Any HDF5 that has hdf5plugin's filters reads it. Errors: OSError as the disk says.
    """
    dataset = create_compressed(group, name, values.shape, values.dtype, chunks)
    write_chunks(dataset, values, (0,) * values.ndim, threads=threads)
    return dataset


def write_chunks(
    dataset: Any, values: "NDArray[Any]", corner: Sequence[int], *, threads: int | None = None
) -> None:
    """Write a part of a dataset of `create_compressed`, its chunks encoded in threads.

    corner : where the part begins, on edges of chunks; it must end on edges, or the dataset there.
    Errors: ValueError for a part that does not; OSError as the disk says.
    """
    chunks = dataset.chunks
    bound = None if chunks is None else bitshuffle_bound(math.prod(chunks), values.dtype.itemsize)
    if chunks is None or bound is None or not values.size or values.dtype != dataset.dtype:
        ends = zip(corner, values.shape, strict=True)
        dataset[tuple(slice(start, start + length) for start, length in ends)] = values
        return
    _refuse_unaligned(dataset, values.shape, corner)
    count = threads or reading_threads()
    corners = _corners(values.shape, chunks)
    total = math.prod(-(-n // edge) for n, edge in zip(values.shape, chunks, strict=True))
    slots = [np.empty(bound, np.uint8) for _ in range(min(count * _AHEAD, total))]
    sizes = [0] * len(slots)
    while batch := list(itertools.islice(corners, len(slots))):

        def encode(number: int, batch: Any = batch) -> None:
            sizes[number] = encode_bitshuffle_lz4(
                _padded(values, batch[number], chunks), slots[number]
            )

        share(range(len(batch)), encode, count)
        # In order, and by one thread: HDF5 lets in no more than one.
        for inside, slot, size in zip(batch, slots, sizes, strict=False):
            place = tuple(a + b for a, b in zip(corner, inside, strict=True))
            dataset.id.write_direct_chunk(place, slot[:size])
        # What a full disk refuses is kept in memory; no more of it than one batch.
        check_disk(dataset)


def _refuse_unaligned(dataset: Any, shape: Sequence[int], corner: Sequence[int]) -> None:
    for start, length, edge, whole in zip(
        corner, shape, dataset.chunks, dataset.shape, strict=True
    ):
        stop = start + length
        if start % edge or (stop % edge and stop != whole):
            raise ValueError(f"{start} to {stop} of {whole} does not end on chunks of {edge}")


def _corners(shape: Sequence[int], chunks: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the first element of every chunk, in C order."""
    ranges = (range(0, length, edge) for length, edge in zip(shape, chunks, strict=True))
    return itertools.product(*ranges)


def _padded(values: "NDArray[Any]", corner: Sequence[int], chunks: Sequence[int]) -> "NDArray[Any]":
    """Return a chunk in C order, zeros where the array ends before it."""
    inside = tuple(
        slice(start, min(start + edge, length))
        for start, edge, length in zip(corner, chunks, values.shape, strict=True)
    )
    part = values[inside]
    size = math.prod(chunks) * values.dtype.itemsize
    chunk: NDArray[Any] = scratch("encoded", size).view(values.dtype).reshape(tuple(chunks))
    if part.shape != chunk.shape:
        chunk[...] = 0
    chunk[tuple(slice(0, length) for length in part.shape)] = part
    return chunk


def copy_chunks(source: Any, target: Any, along: int, shift: int) -> bool:
    """Copy the chunks of an open dataset into another, `shift` further along an axis, undecoded.

    Returns whether that was possible: chunks, filters, type and the other axes must be the same,
    and the place must be on an edge of chunks.
    """
    if not _alike(source, target) or shift % target.chunks[along]:
        return False
    others = [length for axis, length in enumerate(source.shape) if axis != along]
    if others != [length for axis, length in enumerate(target.shape) if axis != along]:
        return False
    end = shift + source.shape[along]
    if source.shape[along] % target.chunks[along] and end != target.shape[along]:
        return False
    for corner in _corners(source.shape, source.chunks):
        mask, content = source.id.read_direct_chunk(corner)
        place = (*corner[:along], corner[along] + shift, *corner[along + 1 :])
        target.id.write_direct_chunk(place, content, mask)
        check_disk(target)
    return True


def _alike(source: Any, target: Any) -> bool:
    """Whether the chunks of one dataset are chunks of the other."""
    if source.chunks is None or source.chunks != target.chunks or source.dtype != target.dtype:
        return False
    lists = [one.id.get_create_plist() for one in (source, target)]
    first, second = (
        [plist.get_filter(number)[::2] for number in range(plist.get_nfilters())] for plist in lists
    )
    return bool(first == second)
