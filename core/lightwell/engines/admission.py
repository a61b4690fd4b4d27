"""Admission: the jobs of an installation share one memory budget on each machine.

Every job has a file that it keeps locked as long as it lives; the lock goes with the process,
however it ends, and what it had is free again. Who comes first is served first.
"""

import fcntl
import itertools
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lightwell.errors import Interrupted
from lightwell.failpoints import failpoint

__all__ = ["Admission", "Share", "admitted", "shares"]

_INTERVAL_S = 0.25
_MAKING_S = 60.0
_counter = itertools.count()


@dataclass(frozen=True)
class Admission:
    """What is shared, and what a job asks of it.

    folder : where the shares are listed; capacity : bytes all jobs of this machine may have
    together; least : with how much the job is content; wait : whether it waits for that.
    """

    folder: Path
    capacity: int
    least: int
    wait: bool = True


@dataclass(frozen=True)
class Share:
    """One job's entry: who, how many bytes (0 while it waits), since when."""

    job: str
    pid: int
    memory: int
    since: float


class _Claim:
    """The file of one job, locked until it is left."""

    def __init__(self, folder: Path, job: str) -> None:
        self.share = Share(job, os.getpid(), 0, time.time())
        self.path = folder / f"{os.getpid()}-{next(_counter)}-{time.time_ns()}.json"
        # Locked before it has its name, so that nobody takes it for a dead job's.
        part = self.path.with_suffix(".new")
        self.descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        self.write(self.share)
        part.rename(self.path)
        failpoint("share-named")

    def write(self, share: Share) -> None:
        self.share = share
        content = json.dumps(asdict(share)).encode()
        os.pwrite(self.descriptor, content, 0)
        os.ftruncate(self.descriptor, len(content))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)


@contextmanager
def admitted(
    admission: Admission,
    job: str,
    wanted: int,
    *,
    stopped: Callable[[], bool],
    tell: Callable[[Mapping[str, Any]], None],
) -> Iterator[tuple[int, int]]:
    """Wait for a share of the memory and have it until the block is left.

    Gives the bytes and a descriptor that keeps them, for child processes that may live longer.
    Errors: Interrupted where the job was stopped, or may not wait.
    """
    folder = admission.folder / platform.node()
    folder.mkdir(parents=True, exist_ok=True)
    with _Claim(folder, job) as claim:
        said = ""
        while True:
            with _alone(folder):
                others = shares(folder, without=claim.path)
                memory = _granted(admission, claim.share, wanted, others)
                if memory:
                    claim.write(Share(job, os.getpid(), memory, claim.share.since))
                    break
            said = _wait(admission, wanted, others, said, stopped=stopped, tell=tell)
        yield memory, claim.descriptor


def _granted(admission: Admission, mine: Share, wanted: int, others: list[Share]) -> int:
    """How much the job gets now; 0 if it has to wait."""
    running = sum(share.memory for share in others)
    if any(not share.memory and _earlier(share, mine) for share in others):
        return 0
    if not running:
        # What asks for more than there is works alone, and not never.
        return wanted
    free = admission.capacity - running
    if free >= wanted:
        return wanted
    return free if free >= admission.least else 0


def _earlier(one: Share, other: Share) -> bool:
    return (one.since, one.pid) < (other.since, other.pid)


def _wait(
    admission: Admission,
    wanted: int,
    others: list[Share],
    said: str,
    *,
    stopped: Callable[[], bool],
    tell: Callable[[Mapping[str, Any]], None],
) -> str:
    text = _sentence(admission, wanted, others)
    if not admission.wait:
        raise Interrupted(text, remedy="run the same command again later, or let it wait")
    if stopped():
        raise Interrupted(
            "the job was stopped while it waited for memory", remedy="run the same command again"
        )
    if text != said:
        tell({"event": "waiting", "text": text, "holders": [asdict(share) for share in others]})
    time.sleep(_INTERVAL_S)
    return text


def _sentence(admission: Admission, wanted: int, others: list[Share]) -> str:
    used = sum(share.memory for share in others)
    free = max(admission.capacity - used, 0)
    holders = ", ".join(
        f"{share.job} (process {share.pid}) has {share.memory / 1e9:.2f} GB"
        for share in others
        if share.memory
    )
    waiting = sum(1 for share in others if not share.memory)
    queue = f"; {waiting} more wait" if waiting else ""
    return (
        f"{wanted / 1e9:.2f} GB of memory are wanted, {free / 1e9:.2f} of "
        f"{admission.capacity / 1e9:.2f} GB are free: {holders or 'nobody has any'}{queue}"
    )


def shares(folder: Path, without: Path | None = None) -> list[Share]:
    """The shares of the jobs that are alive; the files of dead ones are removed."""
    found = []
    for path in [*folder.glob("*.json"), *folder.glob("*.new")]:
        if path == without or _is_being_made(path):
            continue
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if path.suffix == ".json":
                found.append(Share(**json.loads(os.pread(descriptor, 1 << 16, 0))))
        else:
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    return found


def _is_being_made(path: Path) -> bool:
    """Whether a process may be between making its file and locking it."""
    try:
        return path.suffix == ".new" and time.time() - path.stat().st_mtime < _MAKING_S
    except FileNotFoundError:
        return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else grants or is granted meanwhile."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
