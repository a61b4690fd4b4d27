"""Disks without room: how the system, HDF5, NumPy and SQLite say it, and the sentence for it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lightwell.errors import DiskFull

__all__ = ["needing_room", "tells_of_full_disk"]

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHORT_WRITE: Final = re.compile(r"\d+ requested and \d+ written")
_SQLITE_FULL: Final = "database or disk is full"


def tells_of_full_disk(error: BaseException) -> bool:
    """Whether an error means it: some have a number, HDF5 hands on words, numpy counts what went.

    >>> tells_of_full_disk(OSError(28, "No space left on device")), tells_of_full_disk(OSError(2))
    (True, False)
    """
    if getattr(error, "errno", None) in _FULL:
        return True
    text = str(error)
    in_words = any(os.strerror(code) in text for code in _FULL)
    return in_words or _SQLITE_FULL in text or _SHORT_WRITE.search(text) is not None


@contextmanager
def needing_room(folder: Path, *, remedy: str = "nothing was left behind") -> Iterator[None]:
    """Say in a sentence that there was no room for what the block writes; other errors pass.

    Errors: DiskFull naming the folder.
    """
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if not tells_of_full_disk(error):
            raise
        raise DiskFull(
            "the disk is full, or files may not be as large",
            where=str(folder),
            remedy=f"Make room or choose another disk; {remedy}",
        ) from error
