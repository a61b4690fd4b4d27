"""Laying out: what was read of an array goes to its scratch while the next piece is read."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lightwell.engines.scratch import ScratchArray
from lightwell.engines.worker import bytes_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["lay_out"]


def lay_out(
    array: "LazyArray", scratch: ScratchArray, pieces: Sequence[tuple[int, int]]
) -> Mapping[str, Any]:
    """Read pieces of the first axis of an array and put them to their places in the scratch.

    Two pieces are in memory at a time. Returns the first and the last member, the bytes read and
    written, and the seconds of both.
    """
    return _Laying(array, scratch).run(pieces)


class _Laying:
    def __init__(self, array: "LazyArray", scratch: ScratchArray) -> None:
        self._array, self._scratch = array, scratch
        self._low = scratch.span(scratch.held[0])[0]
        self._high = scratch.span(scratch.held[-1])[1]
        self._read_s = self._write_s = 0.0
        self._written = 0

    def run(self, pieces: Sequence[tuple[int, int]]) -> Mapping[str, Any]:
        before = bytes_read()
        with ThreadPoolExecutor(1, thread_name_prefix="lightwell-laying-out") as writer:
            behind: Future[None] | None = None
            for start, stop in pieces:
                values = self._read(start, stop)
                if behind is not None:
                    behind.result()
                behind = writer.submit(self._write, start, values)
                del values
            if behind is not None:
                behind.result()
        return {
            "start": pieces[0][0],
            "stop": pieces[-1][1],
            "bytes": self._written,
            "read_bytes": bytes_read() - before,
            "read_s": self._read_s,
            "write_s": self._write_s,
        }

    def _read(self, start: int, stop: int) -> "NDArray[Any]":
        began = time.perf_counter()
        cuts = [slice(None)] * len(self._scratch.shape)
        cuts[self._scratch.along] = slice(self._low, self._high)
        cuts[0] = slice(start, stop)
        values = self._array.read(tuple(cuts))
        self._read_s += time.perf_counter() - began
        return values

    def _write(self, start: int, values: "NDArray[Any]") -> None:
        began = time.perf_counter()
        low = start if self._scratch.along == 0 else self._low
        self._written += self._scratch.write(start, values, low)
        self._write_s += time.perf_counter() - began
