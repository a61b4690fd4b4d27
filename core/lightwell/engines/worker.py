"""The worker: a process of its own with one XLA thread, told what to compute over a pipe.

Started as ``python -m lightwell.engines.worker FD PARENT ORDINAL``. XLA on CPU changes the bits of
FFTs and sums with the number of its threads, so a worker has one, and parallelism comes from more
workers.
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
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from lightwell.engines.blame import tells_of_shortage
from lightwell.engines.environment import cpu_class
from lightwell.engines.preparing import listen
from lightwell.errors import LightwellError, MemoryShortage, PluginError

__all__ = ["bytes_read", "forget_peak", "main", "peak_memory", "shared_memory", "single_thread"]

_sending = threading.Lock()


def single_thread(cache: Path | None = None, ordinal: int = 0) -> None:
    """Start JAX with a thread pool of one, whatever the number of cores.

    ordinal : of the worker; where there are several devices, workers take them in turn.

    XLA sizes its pool by the cores it may use when it starts. Afterwards every thread gets them
    all back: a thread keeps the affinity it was born with, and the workers would share one core.

    cache : where compiled programs are kept for the next process, and taken from.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if allowed:
        os.sched_setaffinity(0, {min(allowed)})
    import jax

    jax.config.update("jax_enable_x64", False)  # noqa: FBT003  (the signature is jax's)
    if cache is not None:
        # A program made for wider vectors would round differently, so each class has its own.
        jax.config.update("jax_compilation_cache_dir", str(cache / f"programs-{cpu_class()}"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    devices = jax.local_devices()
    if len(devices) > 1:
        jax.config.update("jax_default_device", devices[ordinal % len(devices)])
    if allowed:
        for thread in _threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, allowed)


def _threads() -> list[int]:
    tasks = Path("/proc/self/task")
    return [int(task.name) for task in tasks.iterdir()] if tasks.exists() else [0]


def die_with_parent(parent: int) -> None:
    """Make sure that no worker outlives the process that started it.

    Linux kills it at once (and also when the thread that started it ends, which is the one that
    runs the job); elsewhere it finds out by itself.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        # It died while this process was still starting, too early for the signal.
        os._exit(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def peak_memory() -> int:
    """The largest resident size of this process, in bytes, since `forget_peak` if that works."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def bytes_read() -> int:
    """How many bytes this process has read so far, from the disk or what the system kept of it.

    0 where the system does not count.
    """
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])
    return 0


def shared_memory() -> int:
    """How much of this process's memory are pages of files, which all workers share; in bytes."""
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        kinds = ("RssFile:", "RssShmem:")
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kinds))
    return 0


def forget_peak() -> None:
    """Let the peak begin anew, where the system can: the next slab is measured by itself.

    What was freed goes back to the system first; the C library would keep it, and the memory of a
    worker would creep up from slab to slab.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(descriptor: int, parent: int, ordinal: int) -> None:
    """Answer commands until the pipe closes."""
    pipe = Connection(descriptor)
    try:
        die_with_parent(parent)
        # The supervisor decides: a signal to the group reaches it too, and it ends its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            sys.path[:], cache = pipe.recv()
        except (EOFError, OSError):
            return
        single_thread(cache, ordinal)
        # Loaded now: amid a slab there may be no memory for it, and then it counts as the slab's.
        import_module("lightwell.engines.duties")
        import_module("lightwell.hdf5")
        listen()
    except Exception as error:
        # The answer to whatever it is asked first.
        _send(pipe, ("error", _not_begun(error), traceback.format_exc()))
        return
    _serve(pipe, cache)


def _not_begun(error: Exception) -> LightwellError:
    """Why the worker could not start, as a sentence."""
    # Python itself says SystemError where its C code was not told that memory was short.
    if isinstance(error, SystemError) or tells_of_shortage(error):
        return MemoryShortage(
            "a worker had not the memory to start",
            remedy="run it again, it resumes; fewer workers leave more room for each",
        )
    return LightwellError(
        f"a worker could not start ({type(error).__name__}: {str(error) or 'no message'})",
        remedy="look at LIGHTWELL_PLATFORM and XLA_FLAGS, by which it chose where to compute; "
        "if `python -c 'import jax; jax.devices()'` fails too, install lightwell again",
    )


def _serve(pipe: Connection, cache: Path | None) -> None:
    from lightwell.engines.duties import Duties
    from lightwell.hdf5 import release

    def begun() -> Duties:
        return Duties(
            tell=lambda event: _send(pipe, ("event", event)),
            saved=lambda facts: _send(pipe, ("segment", facts)),
            failed=lambda error: _send(pipe, ("error", error, _traceback(error))),
            cache=cache,
        )

    duties = begun()
    held: list[int] = []
    while True:
        try:
            command, arguments = pickle.loads(pipe.recv_bytes())  # noqa: S301  (our own pipe)
            if command == "hold":
                # Locks of the job: open here, they stay the job's while this process lives.
                held += [recv_handle(pipe) for _ in range(arguments[0])]
                continue
            if command == "release":
                duties = begun()
                # Open files would keep others from writing them while this one waits.
                release()
                while held:
                    os.close(held.pop())
                _send(pipe, ("done", None))
                continue
        except (EOFError, OSError):
            return
        except Exception as error:
            _send(pipe, ("error", _explained(error), traceback.format_exc()))
            continue
        _answer(pipe, duties, command, arguments)


def _answer(pipe: Connection, duties: Any, command: str, arguments: tuple[Any, ...]) -> None:
    try:
        result = getattr(duties, command)(*arguments)
    except Exception as error:  # whatever a step raises is the supervisor's to report
        _send(pipe, ("error", error, traceback.format_exc()))
    else:
        _send(pipe, ("done", result))


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _explained(error: Exception) -> LightwellError:
    """Why the recipe could not be taken in, as a sentence."""
    if isinstance(error, LightwellError):
        return error
    if tells_of_shortage(error):
        # Of the worker, not of the recipe: another one may have the memory.
        return MemoryShortage(
            "a worker ran out of memory when it loaded the recipe",
            remedy="run it again, it resumes; fewer workers leave more room for each",
        )
    return PluginError(
        f"a worker could not load the recipe ({type(error).__name__}: {error})",
        remedy="steps, products and plans have to stand at the top of a module that "
        "`python -c 'import …'` can import",
    )


def _send(pipe: Connection, message: tuple[Any, ...]) -> None:
    try:
        content = pickle.dumps(message)
        if message[0] == "error":
            # Some exceptions pickle and cannot be read back, for want of an argument.
            pickle.loads(content)  # noqa: S301  (our own bytes)
    except Exception:
        kind, error, *rest = message
        content = pickle.dumps((kind, RuntimeError(f"{type(error).__name__}: {error}"), *rest))
    # The thread that writes answers too.
    with _sending, contextlib.suppress(OSError):
        pipe.send_bytes(content)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
