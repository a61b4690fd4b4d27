"""Where what people take away appears: whole, under a name that was free, or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lightwell.disks import needing_room
from lightwell.errors import Conflict, InputError, NotFound

__all__ = ["complete_output", "explained", "refuse_place"]

_FORBIDDEN: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def complete_output(path: Path, *, needed: int = 0) -> Iterator[Path]:
    """Yield a place for a file or folder, which becomes `path` only if the block succeeds.

    needed : bytes it will take, to be refused at once where the disk has not as many.
    Errors: Conflict where the name is taken, InputError where nothing can be written; then
    nothing is left behind.
    """
    refuse_place(path, needed=needed)
    part = _part(path)
    with explained(path):
        try:
            yield part
            _synchronise(part)
            _name(part, path)
        finally:
            _remove(part)


def refuse_place(path: Path, *, needed: int = 0) -> None:
    """Refuse a place that cannot be written to, before any work is done.

    Errors: NotFound for a folder that is not there, Conflict for a name that is taken, InputError
    where the disk is too full.
    """
    if not path.name:
        raise InputError("the output has no name", where=str(path), remedy="Give a file or folder")
    with explained(path):
        if not path.parent.is_dir():
            raise NotFound(
                "the folder for the output does not exist",
                where=str(path.parent),
                remedy="Make it, or check the path",
            )
        _refuse_taken(path)
        # Trying is the only sure way to know; permissions say little to root or across a network.
        trial = _part(path)
        trial.touch()
        trial.unlink()
        free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"the output takes {needed / 1e9:.3g} GB, the disk has {free / 1e9:.3g} GB left",
            where=str(path.parent),
            remedy="Make room, take fewer slices or a smaller dtype, or choose another disk",
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system, or HDF5 for it, says about writing into a sentence."""
    try:
        with needing_room(path.parent):
            yield
    except OSError as error:
        if error.errno in _FORBIDDEN:
            raise InputError(
                f"{path.name} may not be written there by this user",
                where=str(path.parent),
                remedy="Choose a folder of your own",
            ) from error
        raise InputError(f"{path.name} cannot be written ({error})", where=str(path)) from error


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise Conflict(
            "something stands there already", where=str(path), remedy="Choose another name"
        )


def _part(path: Path) -> Path:
    """Where the unfinished output stands; hidden, and no other process's."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _name(part: Path, path: Path) -> None:
    """Give what is finished its name; what somebody put there meanwhile stays."""
    _refuse_taken(path)
    if part.is_dir():
        part.rename(path)
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            _refuse_taken(path)
        except OSError:
            # Some file systems have no hard links; the check is then only as good as its moment.
            part.rename(path)
    with suppress(PermissionError):
        _synchronise(path.parent, folder=True)


def _synchronise(path: Path, *, folder: bool = False) -> None:
    """Have the system write it to the disk."""
    if path.is_dir() and not folder:
        # One call for what may be ten thousand chunks.
        os.sync()
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
