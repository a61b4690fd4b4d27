"""Opening HDF5 files, with sentences for what can be wrong with them."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import h5py

from lightwell.errors import NotFound, UnreadableFile

__all__ = ["explained", "file_stamp", "identity", "is_hdf5", "open_file", "reading", "release"]

Mode = Literal["r", "r+", "w", "x", "a"]

# Enough for most results' segments, two descriptors each, far below the limit of open files.
_KEPT = 64


@dataclass
class _Handle:
    """An open file, and what its readers know about it as long as it does not change."""

    file: Any
    stamp: tuple[int, int, int]
    known: dict[Any, Any] = field(default_factory=dict)


_handles: "OrderedDict[str, _Handle]" = OrderedDict()
_lock = threading.RLock()
_owner = os.getpid()


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a readable HDF5 file, by its signature."""
    return bool(Path(path).is_file() and h5py.is_hdf5(os.fspath(path)))


def open_file(path: str | os.PathLike[str] | BinaryIO, mode: Mode = "r") -> Any:
    """Return the open `h5py.File` of a path or of a binary file object.

    Reading takes h5py's usual lock, so that a notebook can open the same file beside us; where
    somebody else holds it, a file being written elsewhere is read without. Raises UnreadableFile
    for a truncated file, another format, a file that may not be opened; NotFound for none.
    """
    if isinstance(path, (str, os.PathLike)):
        name = os.fspath(path)
    else:
        name = str(getattr(path, "name", "file object"))
    try:
        try:
            return h5py.File(path, mode)
        except OSError as error:
            if mode != "r" or "lock" not in str(error).lower():
                raise
            return h5py.File(path, mode, locking=False)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise explained(error, name, mode) from error


def explained(error: Exception, name: str, mode: str) -> Exception:
    """Return h5py's error as a sentence a user can act on."""
    text = str(error).lower()
    if isinstance(error, FileNotFoundError):
        return NotFound("the file does not exist", where=name, remedy="Check the path")
    if isinstance(error, FileExistsError) or "file exists" in text:
        return UnreadableFile("the file exists already", where=name, remedy="Choose another name")
    if isinstance(error, PermissionError) or "permission denied" in text:
        what = "read" if mode == "r" else "written"
        return UnreadableFile(f"the file may not be {what} by this user", where=name)
    if "truncated" in text:
        remedy = "Copy it again from its source, or wait until it is written"
        return UnreadableFile("the file is truncated", where=name, remedy=remedy)
    if isinstance(error, IsADirectoryError) or Path(name).is_dir():
        return UnreadableFile("this is a folder, not an HDF5 file", where=name)
    if "signature not found" in text:
        return UnreadableFile("this is not an HDF5 file", where=name, remedy="Check its format")
    if "lock" in text:
        remedy = "Wait until the other program has closed it"
        return UnreadableFile("another program has locked the file", where=name, remedy=remedy)
    return UnreadableFile(f"the file is damaged or cannot be opened ({error})", where=name)


def identity(item: Any) -> tuple[int, int]:
    """Return what is equal for two names of one object in a file, and for no others."""
    # h5py loads its low-level modules itself; type checkers do not see that.
    low_level: Any = h5py
    info = low_level.h5o.get_info(item.id)
    return int(info.fileno), int(info.addr)


def file_stamp(path: str) -> tuple[int, int, int]:
    """Return what changes when a file is replaced or written."""
    status = Path(path).stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[tuple[Any, dict[Any, Any]]]:
    """Lend the open file of a path, and a dictionary that lasts as long as the file is the same.

    Files stay open for the next reader, a few dozen of them; a file that changed is opened anew.
    HDF5 runs one call at a time in a process, so readers wait for each other here.
    """
    name = os.path.normpath(Path(path).absolute())
    with _lock:
        handle = _lent(name)
        yield handle.file, handle.known


def _lent(name: str) -> _Handle:
    global _owner
    if os.getpid() != _owner:
        # After a fork the parent's handles must be neither used nor closed.
        _handles.clear()
        _owner = os.getpid()
    try:
        stamp = file_stamp(name)
    except FileNotFoundError:
        release(name)
        raise NotFound("the file does not exist", where=name, remedy="Check the path") from None
    except OSError as error:
        raise explained(error, name, "r") from error
    found = _handles.get(name)
    if found is not None and found.stamp != stamp:
        release(name)
        found = None
    if found is None:
        found = _handles[name] = _Handle(open_file(name), stamp)
        while len(_handles) > _KEPT:
            _handles.popitem(last=False)[1].file.close()
    _handles.move_to_end(name)
    return found


def release(path: str | os.PathLike[str] | None = None) -> None:
    """Close the kept files below a path, or all: before files are moved, replaced or deleted."""
    with _lock:
        if os.getpid() != _owner:
            return
        root = None if path is None else Path(os.path.normpath(Path(path).absolute()))
        for name in list(_handles):
            if root is None or Path(name) == root or root in Path(name).parents:
                _handles.pop(name).file.close()
