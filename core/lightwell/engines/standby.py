"""A worker that waits: started before a job asks for one, so that the job need not wait for it.

The job that takes it hands its locks over, as it would let a worker of its own inherit them, and
gives it back at a good end: locks and tables are let go of, programs that were loaded stay.
Whatever a worker is born with (paths of modules, environment, working folder) must be what it
would be born with now, or it is sent away.
"""

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightwell.engines.workers import Worker

__all__ = ["give_back", "keep_ready", "refill", "take_ready"]

_guard = Lock()
_wanted: list[Path | None] = []
_waiting: list[tuple[Any, "Future[Worker]"]] = []
_starters: list[ThreadPoolExecutor] = []


def keep_ready(cache: Path | None) -> None:
    """Have one worker wait from now on, whenever no job has it.

    cache : where its compiled programs and tables are kept; a job with another one does not take
    it. Nothing happens where locks cannot be handed to a running process (Windows).
    """
    if sys.platform == "win32":
        return
    with _guard:
        _wanted[:] = [cache]
    refill()


def refill() -> None:
    """Start the worker that is wanted, unless one waits."""
    with _guard:
        if not _wanted or _waiting:
            return
        [cache] = _wanted
        # A worker dies with the thread that started it: this one lives as long as the process.
        if not _starters:
            _starters.append(ThreadPoolExecutor(1, "lightwell-standby"))
        _waiting.append((_birth(cache), _starters[0].submit(_started, cache)))


def take_ready(cache: Path | None) -> "Worker | None":
    """The worker that waits, if it is as one started now would be."""
    with _guard:
        if not _waiting:
            return None
        birth, starting = _waiting.pop()
    try:
        worker = starting.result()
    except Exception:  # the job starts one itself, and hears why that fails
        return None
    if birth == _birth(cache) and worker.process.poll() is None:
        worker.birth = birth
        return worker
    worker.end()
    return None


def give_back(worker: "Worker") -> bool:
    """Have a worker that was taken, and has nothing to do, wait again; False if it cannot."""
    if worker.birth is None or worker.busy:
        return False
    try:
        worker.ask("release")
        worker.receive()
    except Exception:  # it is of no use then; another one is started
        return False
    back: Future[Worker] = Future()
    back.set_result(worker)
    with _guard:
        if not _wanted or _waiting:
            return False
        _waiting.append((worker.birth, back))
    return True


def _started(cache: Path | None) -> "Worker":
    from lightwell.engines.workers import Worker

    return Worker(cache=cache)


def _birth(cache: Path | None) -> Any:
    from lightwell.engines.workers import worker_environment

    try:
        place = Path.cwd()
    except OSError:
        # It was deleted; then no worker is like another.
        return object()
    return cache, tuple(sys.path), worker_environment(), place


def _forget() -> None:
    """A forked process has no part in its parent's workers."""
    for kept in (_wanted, _waiting, _starters):
        kept.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
