"""Writing HDF5 so that a disk that fills up is an error and not the end of the process.

HDF5 cannot close a file whose last writes failed: it keeps it half open, and the next file that
this process opens, or its end, is a crash. So HDF5 is never told.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightwell.disks import tells_of_full_disk
from lightwell.hdf5.opening import explained, open_file

__all__ = ["check_disk", "surviving"]

# By the name that HDF5 gives a file object, which is another for each.
_checks: dict[str, Callable[[], None]] = {}


def check_disk(item: Any) -> None:
    """Raise what the disk refused of the file that an open object is in, before more is written."""
    check = _checks.get(str(item.file.filename))
    if check is not None:
        check()


@contextmanager
def surviving(path: Path) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Lend a new `h5py.File`, and a check that raises what the disk refused since.

    To be called now and then; leaving the block checks too. Errors: OSError as the system says;
    UnreadableFile for a place that is not ours.
    """
    disk = _opened(path)
    try:
        file = open_file(disk, "w")  # type: ignore[arg-type]
        name = str(file.filename)
        _checks[name] = disk.check
        try:
            yield file, disk.check
        finally:
            _checks.pop(name, None)
            file.close()
        disk.check()
    finally:
        disk.close()


def _opened(path: Path) -> "_Disk":
    try:
        return _Disk(path)
    except OSError as error:
        if tells_of_full_disk(error):
            raise
        raise explained(error, str(path), "w") from error


class _Disk(io.RawIOBase):
    """A file on a disk; what the disk refuses is kept in memory, so that HDF5 can end in peace."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._place = self._end = 0
        self._problem: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise what the disk refused."""
        if self._problem is not None:
            raise self._problem

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def truncate(self, size: int | None = None, /) -> int:
        self._end = self._place if size is None else size
        try:
            os.ftruncate(self._handle, self._end)
        except OSError as error:
            self._problem = self._problem or error
        return self._end

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self._problem is None and done < len(view):
                done += os.pwrite(self._handle, view[done:], self._place + done)
        except OSError as error:
            self._problem = error
        if done < len(view):
            self._refused.append((self._place + done, bytes(view[done:])))
        self._place += len(view)
        self._end = max(self._end, self._place)
        return len(view)

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._end - self._place))
        found = os.pread(self._handle, count, self._place)
        view[:count] = found.ljust(count, b"\0")
        for place, data in self._refused:
            first, last = max(place, self._place), min(place + len(data), self._place + count)
            if first < last:
                view[first - self._place : last - self._place] = data[first - place : last - place]
        self._place += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()
