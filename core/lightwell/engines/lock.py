"""The lock of a job: two processes never run the same one, and a crash never leaves it locked."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from lightwell.errors import Conflict

__all__ = ["JobLock", "is_locked"]

_PATIENCE_S = 10.0


class JobLock:
    """An advisory lock on a file, held by this process and by the workers it hands it to.

    The workers of a killed job hold it until the last of them is gone, so that a resumed job
    never meets a file one of them is still writing.
    Errors: Conflict where another process keeps it.
    """

    def __init__(self, path: Path, patience_s: float = _PATIENCE_S) -> None:
        self.path = path
        self.patience_s = patience_s
        self.descriptor = -1

    def __enter__(self) -> Self:
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self.descriptor)
                    raise Conflict(
                        "another process is running this job",
                        where=str(self.path.parent),
                        remedy="wait for it; its result will be found by the same command",
                    ) from None
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        # Explicitly: a process that somebody forked meanwhile has a copy of the descriptor.
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock now; asking for it disturbs nobody."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
