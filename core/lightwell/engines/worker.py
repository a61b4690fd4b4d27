"""The worker: a process of its own with one XLA thread, told what to compute over a pipe.

Started as ``python -m lightwell.engines.worker FD``. XLA on CPU changes the bits of FFTs and sums
with the number of its threads, so a worker has one, and parallelism comes from more workers.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["main", "single_thread"]


def single_thread() -> None:
    """Start JAX with a thread pool of one, whatever the number of cores.

    XLA sizes its pool by the cores it may use when it starts; the affinity is widened again
    afterwards, for reading and writing.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if allowed:
        os.sched_setaffinity(0, {min(allowed)})
    import jax

    jax.config.update("jax_enable_x64", False)
    jax.devices()
    if allowed:
        os.sched_setaffinity(0, allowed)


def die_with_parent() -> None:
    """Make sure that no worker outlives the process that started it."""
    parent = os.getppid()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(descriptor: int) -> None:
    """Answer commands until the pipe closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = Connection(descriptor)
    sys.path[:] = pipe.recv()
    single_thread()
    from lightwell.engines.duties import Duties

    duties = Duties(lambda event: _send(pipe, ("event", event)))
    while True:
        try:
            command, arguments = pickle.loads(pipe.recv_bytes())  # noqa: S301  (our own pipe)
        except EOFError:
            return
        except Exception as error:  # an import of the recipe's module may fail in any way
            _send(pipe, ("error", error, traceback.format_exc()))
            continue
        _answer(pipe, duties, command, arguments)


def _answer(pipe: Connection, duties: Any, command: str, arguments: tuple[Any, ...]) -> None:
    try:
        result = getattr(duties, command)(*arguments)
    except Exception as error:  # whatever a step raises is the supervisor's to report
        _send(pipe, ("error", error, traceback.format_exc()))
    else:
        _send(pipe, ("done", result))


def _send(pipe: Connection, message: tuple[Any, ...]) -> None:
    try:
        content = pickle.dumps(message)
    except Exception:  # an exception that does not pickle still has a text
        content = pickle.dumps((message[0], RuntimeError(str(message[1])), *message[2:]))
    with contextlib.suppress(BrokenPipeError):
        pipe.send_bytes(content)


if __name__ == "__main__":
    main(int(sys.argv[1]))
