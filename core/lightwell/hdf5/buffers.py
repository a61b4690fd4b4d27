"""Memory for what is read: in the place the system copies to fastest, used again and again.

Fresh pages cost as much as decoding does. And the system copies a file's pages faster to where a
page begins (benchmarks/reading.py shows it): NumPy's own arrays begin 16 bytes behind it.
"""

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["aligned", "is_aligned", "scratch"]

_PAGE = 4096
_LINE = 64

# A larger buffer goes back to the system; it is too rare to be worth its memory.
_KEPT_BYTES = 64 * 2**20


class _Buffers(threading.local):
    """The buffers of one thread, by what they are for."""

    def __init__(self) -> None:
        self.kept: dict[str, NDArray[np.uint8]] = {}


_buffers = _Buffers()


def scratch(purpose: str, size: int) -> "NDArray[np.uint8]":
    """Lend this thread `size` bytes, until it asks for the same purpose again."""
    found = _buffers.kept.get(purpose)
    if found is None or found.size < size:
        found = aligned((max(size, 1),), np.uint8)
        if size <= _KEPT_BYTES:
            _buffers.kept[purpose] = found
    return found[:size]


def aligned(shape: Sequence[int], dtype: Any) -> "NDArray[Any]":
    """Return an array, not filled yet, that begins where a page of memory does."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < _PAGE:
        return np.empty(tuple(shape), kind)
    room = np.empty(size + _PAGE, np.uint8)
    start = -room.ctypes.data % _PAGE
    found: NDArray[Any] = room[start : start + size].view(kind).reshape(tuple(shape))
    return found


def is_aligned(array: "NDArray[Any]") -> bool:
    """Whether an array begins where a line of the processor's cache does."""
    return bool(array.ctypes.data % _LINE == 0)
