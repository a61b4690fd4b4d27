"""Scratch: the arrays of an input laid out tile by tile, where the file has them frame by frame.

A chunk is decoded as a whole, so a slab of a few rows out of every frame reads the whole scan.
Read once and laid out anew, each tile is one contiguous block. Blocks that are done with go back
to the disk. What a crash of the machine leaves is not trusted: nothing here is synchronised.
"""

import ctypes
import dataclasses
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.errors import DamagedResult, InputError
from lightwell.failpoints import failpoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Scratch", "ScratchArray", "boot"]

_JOURNAL = "journal.jsonl"
_PUNCH_HOLE = 0x03  # and keep the size


@dataclasses.dataclass(frozen=True)
class ScratchArray:
    """An array in blocks of `block` points along one axis, each contiguous in the file.

    held : the numbers of the blocks that the file has, in its order.
    """

    path: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    along: int
    block: int
    held: tuple[int, ...]

    @property
    def grain(self) -> tuple[int, ...]:
        return (1,) * len(self.shape)

    @property
    def block_bytes(self) -> int:
        """The bytes of one block; the last of the axis may fill its own in part."""
        others = math.prod(self.shape[: self.along]) * math.prod(self.shape[self.along + 1 :])
        return others * min(self.block, self.shape[self.along]) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The size of the file."""
        return len(self.held) * self.block_bytes

    def span(self, number: int) -> tuple[int, int]:
        """The points that a block holds."""
        return number * self.block, min((number + 1) * self.block, self.shape[self.along])

    def offset(self, number: int) -> int:
        """Where a block begins.

        Errors: DamagedResult for a block the file does not have.
        """
        try:
            return self.held.index(number) * self.block_bytes
        except ValueError:
            raise DamagedResult(
                f"the scratch file has no block {number}",
                where=self.path,
                remedy="run the same command again, it reads the data anew",
            ) from None

    def read(self, selection: tuple[Any, ...] = ()) -> "NDArray[Any]":
        """Read a part by slices; a whole block comes in one go."""
        import numpy as np

        full = (*selection, *(slice(None),) * (len(self.shape) - len(selection)))
        start, stop, step = full[self.along].indices(self.shape[self.along])
        parts = [
            self._block(number, start, stop)
            for number in range(start // self.block, -(-stop // self.block))
            if start < stop
        ]
        shape = (*self.shape[: self.along], 0, *self.shape[self.along + 1 :])
        whole: NDArray[Any] = np.concatenate(
            parts or [np.empty(shape, self.dtype)], axis=self.along
        )
        whole = parts[0] if len(parts) == 1 else whole
        rest = list(full)
        rest[self.along] = slice(None, None, step)
        found: NDArray[Any] = whole[tuple(rest)]
        return found

    def _block(self, number: int, start: int, stop: int) -> "NDArray[Any]":
        """The points of a block between two, as an array of its own."""
        from lightwell.hdf5 import aligned

        first, last = self.span(number)
        shape = (*self.shape[: self.along], last - first, *self.shape[self.along + 1 :])
        found = aligned(shape, self.dtype)
        _read_exactly(self.path, found, self.offset(number))
        if start <= first and last <= stop:
            return found
        wanted = slice(max(start, first) - first, min(stop, last) - first)
        return found[(*(slice(None),) * self.along, wanted)].copy()

    def write(self, lead: int, values: "NDArray[Any]", low: int) -> int:
        """Put values to their places: all of the array from `lead` of the first axis on.

        low : the first point along the axis that `values` has; a block is written from it only
        as far as it is held. Returns the bytes written.
        """
        import numpy as np

        written = 0
        handle = os.open(self.path, os.O_WRONLY)
        try:
            for number in self.held:
                first, last = self.span(number)
                start, stop = max(first, low), min(last, low + values.shape[self.along])
                if start >= stop:
                    continue
                cut = (*(slice(None),) * self.along, slice(start - low, stop - low))
                part = np.ascontiguousarray(values[cut])
                inner = math.prod(self.shape[self.along + 1 :]) * self.dtype.itemsize
                at = (start - first) * inner if self.along == 0 else 0
                if self.along:
                    row = math.prod(self.shape[1 : self.along]) * (last - first) * inner
                    at = lead * row
                written += _write_exactly(handle, part, self.offset(number) + at)
        finally:
            os.close(handle)
        return written


def _read_exactly(path: str, out: "NDArray[Any]", offset: int) -> None:
    view = out.reshape(-1).view("u1").data
    handle = os.open(path, os.O_RDONLY)
    try:
        done = 0
        while done < len(view):
            count = os.preadv(handle, [view[done:]], offset + done)
            if count == 0:
                raise DamagedResult("the scratch file ends too early", where=path)
            done += count
    finally:
        os.close(handle)


def _write_exactly(handle: int, part: "NDArray[Any]", offset: int) -> int:
    view = part.reshape(-1).view("u1").data
    done = 0
    while done < len(view):
        done += os.pwrite(handle, view[done:], offset + done)
    return done


def boot() -> str:
    """What is another after the machine was started anew; nothing where that cannot be told."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


class Scratch:
    """The scratch folder of one input along one axis, and the journal of what is in it."""

    def __init__(self, folder: Path, arrays: Mapping[str, ScratchArray]) -> None:
        self.folder = folder
        self.arrays = dict(arrays)
        self.done: set[tuple[str, int, int]] = set()
        self.released: set[int] = set()

    @property
    def nbytes(self) -> int:
        """What the files take when they are full."""
        return sum(array.nbytes for array in self.arrays.values())

    def open(self, needed: Iterable[int]) -> None:
        """Go on with the files of an earlier try if they have every needed block; else make them.

        Errors: InputError where the disk has no room for them.
        """
        if self._resume(set(needed)):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.done, self.released = set(), set()
        self.folder.mkdir(parents=True)
        free = shutil.disk_usage(self.folder).free
        if self.nbytes > free:
            self.folder.rmdir()
            raise InputError(
                f"{self.nbytes / 1e9:.1f} GB of scratch are needed to read the frames only once, "
                f"the disk has {free / 1e9:.1f} GB",
                where=str(self.folder.parent),
                remedy="make room, or choose fewer slices with --slices",
            )
        for array in self.arrays.values():
            with Path(array.path).open("wb") as file:
                file.truncate(array.nbytes)
        self._note({"boot": boot(), "layout": self._layout()})

    def _resume(self, needed: set[int]) -> bool:
        try:
            text = (self.folder / _JOURNAL).read_text(encoding="utf-8")
            # A line that was cut short is work that was not done.
            lines = [
                json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"
            ]
        except (OSError, ValueError):
            return False
        header = {"boot": boot(), "layout": self._layout()}
        if not lines or lines[0] != header or not header["boot"]:
            return False
        self.done = {tuple(line["done"]) for line in lines if "done" in line}
        self.released = {number for line in lines for number in line.get("released", ())}
        return not needed & self.released

    def _layout(self) -> list[Any]:
        return [
            [name, list(a.shape), a.dtype.str, a.along, a.block, list(a.held)]
            for name, a in sorted(self.arrays.items())
        ]

    def finish(self, name: str, start: int, stop: int) -> None:
        """Note that members of an array's first axis are in the file."""
        self.done.add((name, start, stop))
        self._note({"done": [name, start, stop]})
        failpoint("scratch-part")

    def release(self, numbers: Sequence[int]) -> None:
        """Give the disk back what blocks took that nobody needs any more."""
        fresh = [number for number in numbers if number not in self.released]
        if not fresh:
            return
        # Noted first: a block that is gone must never be taken for zeros.
        self._note({"released": fresh})
        failpoint("scratch-released")
        self.released |= set(fresh)
        for array in self.arrays.values():
            for number in fresh:
                if number in array.held:
                    _punch(array.path, array.offset(number), array.block_bytes)

    def _note(self, line: Mapping[str, Any]) -> None:
        with (self.folder / _JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _punch(path: str, offset: int, size: int) -> None:
    """Free the disk below a part of a file, where the system can."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        handle = os.open(path, os.O_RDWR)
        try:
            call = ctypes.CDLL(None).fallocate64
            call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
            call(handle, _PUNCH_HOLE, offset, size)
        finally:
            os.close(handle)
