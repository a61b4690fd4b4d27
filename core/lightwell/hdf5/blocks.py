"""Positioned reads of a part of a block of numbers that stands in a file as it is."""

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lightwell.hdf5.buffers import is_aligned, scratch
from lightwell.hdf5.selections import ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.hdf5.selections import Along

__all__ = ["Block", "asked_ahead", "pieces", "read_block", "read_bytes"]

# A read costs about as much as passing over so many bytes (measured: some 4 µs of Python and
# system, at some 8 GB/s).
_READ_COST = 32 * 1024
# No buffer for bytes between those that are wanted gets larger.
_LARGEST_SPAN = 16 * 2**20
# Shorter reads are over before another thread is awake.
_SHORT = 128 * 1024
# Enough work for a thread to be worth asking it.
_PIECE = 4 * 2**20
# What is read to where no line of the cache begins goes by way of memory where one does, so many
# bytes at a time (measured: a third faster than directly; with less than a megabyte, slower).
_STEP = 2 * 2**20


def read_bytes(handle: int, position: int, out: "NDArray[np.uint8]") -> None:
    """Fill `out` with the bytes at a position; ValueError where the file ends before."""
    if out.size < _STEP or is_aligned(out):
        _read_directly(handle, position, out)
        return
    count = out.size // _STEP
    bounds = [out.size * number // count for number in range(count + 1)]
    for start, stop in itertools.pairwise(bounds):
        step = scratch("step", stop - start)
        _read_directly(handle, position + start, step)
        out[start:stop] = step


def _read_directly(handle: int, position: int, out: "NDArray[np.uint8]") -> None:
    done = 0
    while done < out.size:
        count = os.preadv(handle, [out[done:].data], position + done)
        if count == 0:
            raise ValueError(f"the file ends {out.size - done} bytes before it")
        done += count


@dataclass(frozen=True, slots=True)
class _Reads:
    """The reads that a selection of a block takes: the leading `level` axes index by index.

    first : where the first byte would be if those were 0; span : how many bytes each reads.
    """

    axes: "Sequence[Along]"
    strides: Sequence[int]
    level: int
    first: int
    span: int

    @classmethod
    def of(
        cls, position: int, shape: Sequence[int], itemsize: int, axes: "Sequence[Along]"
    ) -> "_Reads":
        strides = _strides(shape, itemsize)
        spans = [0] * len(shape) + [itemsize]
        for axis in reversed(range(len(shape))):
            first, last = ends(axes[axis])
            spans[axis] = spans[axis + 1] + (last - first) * strides[axis]
        level = _level(axes, spans, itemsize)
        inner = range(level, len(shape))
        first = position + sum(ends(axes[axis])[0] * strides[axis] for axis in inner)
        return cls(axes, strides, level, first, spans[level])

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """Yield where each read belongs among the leading axes, and where in the file it begins."""
        for index in np.ndindex(*(len(along) for along in self.axes[: self.level])):
            steps = (int(self.axes[i][n]) * self.strides[i] for i, n in enumerate(index))
            yield index, self.first + sum(steps)


Block: TypeAlias = "tuple[int, Sequence[int], np.dtype[Any], Sequence[Along]]"
"""Where a block begins in the file, its shape and type, and what of each axis is wanted."""


def asked_ahead(handle: int, blocks: "Iterable[Block]") -> bool:
    """Have the system fetch what short reads will take; whether they are short.

    Short reads are Python's work more than the system's, and threads only take its lock from each
    other. What would make them wait, the disk, is told of all of them before the first.
    """
    begun = False
    for position, shape, dtype, axes in blocks:
        reads = _Reads.of(position, shape, dtype.itemsize, axes)
        if reads.span >= _SHORT:
            return False
        for _, start in reads:
            if not begun and _is_at_hand(handle, start, reads.span):
                return True
            begun = True
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(handle, start, reads.span, os.POSIX_FADV_WILLNEED)
    return begun


def _is_at_hand(handle: int, start: int, size: int) -> bool:
    """Whether the system has some bytes of a file in memory; False where it does not tell."""
    try:
        return os.preadv(handle, [bytearray(size)], start, os.RWF_NOWAIT) == size
    except (OSError, AttributeError):
        return False


def read_block(
    handle: int,
    position: int,
    shape: Sequence[int],
    dtype: "np.dtype[Any]",
    axes: "Sequence[Along]",
    out: "NDArray[Any]",
) -> None:
    """Read the selected part of a C-ordered block into `out`.

    position : of its first byte in the file; dtype : as stored; axes : what of each axis.
    Bytes in between are read too where that costs less than another read.
    Errors: ValueError where the file ends within the block.
    """
    if 0 in out.shape:
        return
    reads = _Reads.of(position, shape, dtype.itemsize, axes)
    level = reads.level
    inner = math.prod(out.shape[level:]) * dtype.itemsize
    # Read in place, if what is wanted is all there is and stands in `out` as in the file.
    target = out[(0,) * level] if level else out
    in_place = reads.span == inner and target.flags.c_contiguous and dtype == out.dtype
    for index, start in reads:
        part = out[index] if index else out
        if in_place:
            read_bytes(handle, start, part.reshape(-1).view(np.uint8))
            continue
        span = scratch("span", reads.span)
        read_bytes(handle, start, span)
        _pick(span, axes[level:], reads.strides[level:], dtype, out, index)


def _pick(
    span: "NDArray[np.uint8]",
    axes: "Sequence[Along]",
    strides: Sequence[int],
    dtype: "np.dtype[Any]",
    out: "NDArray[Any]",
    index: tuple[int, ...],
) -> None:
    """Copy what is wanted out of the bytes from the first to the last of it."""
    lengths: list[int] = []
    steps: list[int] = []
    chosen: list[Any] = []
    for along, stride in zip(axes, strides, strict=True):
        first, last = ends(along)
        if isinstance(along, range):
            lengths.append(len(along))
            steps.append(along.step * stride)
            chosen.append(slice(None))
        else:
            lengths.append(last - first + 1)
            steps.append(stride)
            chosen.append(along - first)
    view: Any = np.ndarray(lengths, dtype, span, 0, steps)
    out[index] = view[tuple(chosen)]


def _level(axes: "Sequence[Along]", spans: Sequence[int], itemsize: int) -> int:
    """How many leading axes are read index by index; the rest in one go, gaps included."""
    best, least = len(axes), math.inf
    runs, wanted = 1, itemsize * math.prod(len(along) for along in axes)
    for level, span in enumerate(spans):
        dense = span * runs == wanted
        cost = runs * (_READ_COST + span)
        if cost < least and (dense or span <= _LARGEST_SPAN):
            best, least = level, cost
        if level < len(axes):
            runs *= len(axes[level])
    return best


def _strides(shape: Sequence[int], itemsize: int) -> list[int]:
    strides = [itemsize] * len(shape)
    for axis in reversed(range(len(shape) - 1)):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strides


def pieces(
    axes: "Sequence[Along]", itemsize: int
) -> "Iterator[tuple[tuple[Along, ...], tuple[slice, ...]]]":
    """Yield parts of a selection that are worth a thread each, and where they belong in it."""
    axes = tuple(axes)
    total = itemsize * math.prod(len(along) for along in axes)
    axis = next((i for i, along in enumerate(axes) if len(along) > 1), None)
    if total <= _PIECE or axis is None:
        yield axes, tuple(slice(None) for _ in axes)
        return
    length = len(axes[axis])
    count = min(length, -(-total // _PIECE))
    bounds = [length * number // count for number in range(count + 1)]
    for start, stop in itertools.pairwise(bounds):
        part = (*axes[:axis], axes[axis][start:stop], *axes[axis + 1 :])
        for inner, where in pieces(part, itemsize) if stop - start == 1 else [(part, None)]:
            place = [slice(None)] * len(axes) if where is None else list(where)
            place[axis] = slice(start, stop)
            yield inner, tuple(place)
