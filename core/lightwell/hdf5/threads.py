"""The threads that read and decode: a few, kept for the life of the process."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["limit_reading_threads", "reading_threads", "share"]

Task = TypeVar("Task")

_MOST = 8
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_owner = 0
_limit = 0
_busy = threading.local()


def reading_threads() -> int:
    """How many threads read where nobody says: one per core this process may use, at most 8."""
    if _limit:
        return _limit
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, _MOST))


def limit_reading_threads(count: int) -> None:
    """Have this process read with so many threads from now on; 0 leaves it to the cores."""
    global _limit
    _limit = max(0, min(count, _MOST))


def share(tasks: Iterable[Task], work: Callable[[Task], Any], threads: int) -> None:
    """Do every task, on this thread and `threads - 1` others; the first error stops them all.

    Threads that share tasks already do theirs alone: no pool waits for itself.
    """
    waiting = iter(tasks)
    if threads < 2 or getattr(_busy, "yes", False):
        for task in waiting:
            work(task)
        return
    guard = threading.Lock()
    failed = threading.Event()

    def drain() -> None:
        _busy.yes = True
        try:
            while not failed.is_set():
                with guard:
                    task = next(waiting, guard)
                if task is guard:
                    return
                work(task)  # type: ignore[arg-type]
        except BaseException:
            failed.set()
            raise
        finally:
            _busy.yes = False

    others: list[Future[None]] = [_workers().submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        # Nobody may write into the caller's array after this returns.
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def _workers() -> ThreadPoolExecutor:
    """The pool of this process; a forked child makes its own."""
    global _pool, _owner
    with _lock:
        if _pool is None or _owner != os.getpid():
            _pool = ThreadPoolExecutor(_MOST, thread_name_prefix="lightwell-reading")
            _owner = os.getpid()
        return _pool
