"""The supervisor's side of the workers: start, ask, listen, end."""

import itertools
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Pipe, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any, Self, TypeVar

from lightwell.engines.blame import may_go_on, said
from lightwell.engines.environment import platform_wanted, xla_flags
from lightwell.engines.standby import give_back, refill, take_ready
from lightwell.errors import Interrupted, LightwellError, MemoryShortage, WorkerError

__all__ = ["Worker", "Workers", "worker_environment"]

Tell = Callable[[Mapping[str, Any]], None]
T = TypeVar("T")

_UNSAVED = 2
"""Slabs a worker may have under way: one being computed, one being closed."""


_SHORTAGE = (signal.SIGKILL, signal.SIGABRT, signal.SIGBUS)
"""How a process ends that gets no more memory: the system kills it, its C++ library gives up."""


class Worker:
    """One worker process and the pipe to it."""

    def __init__(
        self, keep_open: Sequence[int] = (), cache: Path | None = None, ordinal: int = 0
    ) -> None:
        ours, theirs = Pipe()
        self.pipe: Any = ours
        self.doing: str | None = None
        self.unsaved = 0
        self.ordinal = ordinal
        self.birth: Any = None
        """What it was born with, if it waited for a job (see `standby`)."""
        self._about = ""
        self._heard = False
        command = [sys.executable, "-m", "lightwell.engines.worker"]
        self.process = subprocess.Popen(
            [*command, str(theirs.fileno()), str(os.getpid()), str(ordinal)],
            env=worker_environment(),
            pass_fds=(theirs.fileno(), *keep_open),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            self.pipe.send((sys.path, cache))
        except OSError as error:
            raise self.died() from error

    @property
    def busy(self) -> bool:
        """True between a command and its answer, and until all its slabs are segments."""
        return self.doing is not None or self.unsaved > 0

    @property
    def is_free(self) -> bool:
        """True if it can compute a slab; that before may still be on its way to the disk."""
        return self.doing is None and self.unsaved < _UNSAVED

    def ask(self, command: str, *arguments: Any, about: str = "") -> None:
        """Send a command; the answer comes by `receive`.

        about : what it is about, for the message if the worker dies of it.
        Errors: LightwellError where the recipe cannot cross to another process.
        """
        try:
            content = pickle.dumps((command, arguments))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise LightwellError(
                f"the recipe cannot be sent to a worker: {error}",
                remedy="define steps, products and plans at the top of a module, not inside "
                "a function or a notebook cell",
            ) from error
        self.doing = command
        self._about = about or command
        try:
            self.pipe.send_bytes(content)
        except OSError as error:
            raise self.died() from error

    def hold(self, descriptors: Sequence[int]) -> None:
        """Have a worker that is running keep open what it would have inherited."""
        try:
            self.pipe.send_bytes(pickle.dumps(("hold", (len(descriptors),))))
            for descriptor in descriptors:
                send_handle(self.pipe, descriptor, self.process.pid)
        except OSError as error:
            raise self.died() from error

    def receive(self) -> tuple[str, Any]:
        """The next message: ("event", …), ("segment", …) or ("done", …).

        Errors: whatever the worker raised; WorkerError where it died.
        """
        try:
            kind, *content = pickle.loads(self.pipe.recv_bytes())  # noqa: S301  (our own pipe)
        except (EOFError, OSError) as gone:
            raise self.died() from gone
        self._heard = True
        if kind == "event":
            return kind, content[0]
        if kind == "segment":
            self.unsaved -= 1
            return kind, content[0]
        self.doing = None
        if kind == "error":
            raised: BaseException = content[0]
            if not isinstance(raised, LightwellError):
                raised.add_note(f"in a worker:\n{content[1]}")
            raise raised
        return kind, content[0]

    def died(self) -> WorkerError:
        """Why the worker is gone, as a sentence."""
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        during = f"during {self._about}" if self.busy else "before it was asked for anything"
        again = "run the same command again, it resumes"
        # Python's own failures come as messages: only a library that got no memory just exits.
        unstarted = status > 0 and not self._heard
        is_short = unstarted or -status in _SHORTAGE
        kind: type[WorkerError] = MemoryShortage if is_short else WorkerError
        if status == -signal.SIGKILL:
            cause = "was killed (SIGKILL, often because the machine ran out of memory)"
            remedy = f"{again}; give a smaller --memory than the machine has"
        elif status < 0:
            cause = f"crashed ({_signal_name(-status)})"
            remedy = f"{again}; if it crashes there each time, a compiled library of a step does it"
        elif unstarted:
            cause = f"ended with status {status}, most likely for want of memory,"
            remedy = f"{again}; fewer workers leave more room for each"
        else:
            cause = f"ended with status {status}"
            remedy = f"{again}; its own message stands above"
        return kind(f"a worker {cause} {during}", remedy=remedy)

    def end(self) -> None:
        """Stop the process, whatever it is doing."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()


class Workers:
    """The workers of one job; leaving the `with` block ends them all."""

    def __init__(
        self,
        tell: Tell,
        stop: ThreadEvent,
        keep_open: Sequence[int] = (),
        cache: Path | None = None,
    ) -> None:
        self._tell = tell
        self._cache = cache
        self._stop = stop
        self._keep_open = keep_open
        self.members: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.members = [m for m in self.members if kind is not None or not give_back(m)]
        while self.members:
            self.dismiss(self.members[-1])
        refill()

    def hire(self) -> Worker:
        """Start one more worker, on the first device that no other has."""
        taken = {member.ordinal for member in self.members}
        ordinal = next(n for n in itertools.count() if n not in taken)
        waiting = take_ready(self._cache) if ordinal == 0 else None
        if waiting is not None:
            self.members.append(waiting)
            waiting.hold(self._keep_open)
            return waiting
        self.members.append(Worker(self._keep_open, self._cache, ordinal))
        return self.members[-1]

    def dismiss(self, member: Worker) -> None:
        """End a worker."""
        self.members.remove(member)
        member.end()

    def shrink(self, number: int) -> None:
        """End the last workers until there are `number`."""
        while len(self.members) > number:
            self.dismiss(self.members[-1])

    def twice_if_short(self, action: Callable[[], T]) -> T:
        """Do something with workers, and again with new ones if memory was short for it."""
        try:
            return action()
        except Exception as error:
            if not may_go_on(error):
                raise
            self.shrink(0)
            text = f"{said(error)}; trying again with a new worker"
            self._tell({"event": "shortage", "text": text})
            return action()

    def call(self, command: str, *arguments: Any) -> Any:
        """Ask the first worker and wait for its answer, passing on events.

        Errors: what the worker raised; Interrupted where the job was told to stop.
        """
        member = self.members[0] if self.members else self.hire()
        member.ask(command, *arguments)
        while True:
            for answer in self.listen([member]):
                return answer[1]

    def share(self, number: int, tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Have up to `number` workers carry out commands; the answers as they come.

        tasks : command and arguments of each. Errors: as for `call`.
        """
        pending = list(reversed(tasks))
        while len(self.members) < min(number, len(pending)):
            self.hire()
        while pending or any(member.busy for member in self.members):
            for member in self.members:
                if pending and not member.busy:
                    member.ask(*pending.pop())
            for _, answer in self.listen(self.members):
                yield answer

    def listen(self, members: Sequence[Worker], patience: float = 0.2) -> list[tuple[Worker, Any]]:
        """Answers that have come in within `patience` seconds; events are passed on."""
        if self._stop.is_set():
            raise Interrupted(
                "the job was stopped",
                remedy="run the same command again, it resumes where it was",
            )
        answers: list[tuple[Worker, Any]] = []
        by_pipe = {member.pipe: member for member in members if member.busy}
        deadline = time.monotonic() + patience
        while by_pipe and not answers and time.monotonic() < deadline:
            for pipe in wait(list(by_pipe), timeout=max(deadline - time.monotonic(), 0)):
                member = by_pipe[pipe]
                kind, content = member.receive()
                if kind == "event":
                    self._tell(content)
                else:
                    answers.append((member, content))
        return answers


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def worker_environment() -> dict[str, str]:
    """One thread for every library that would start more, before any of them is imported.

    Settings of JAX are left behind: they are made for the program that embeds us, and some of
    them change bits.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    threads = ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    single = dict.fromkeys(threads, "1")
    own = {
        "JAX_PLATFORMS": platform_wanted(),
        "XLA_FLAGS": xla_flags(),
        "PYTHONUNBUFFERED": "1",
    }
    polite = {
        # Tiles come and go; in pages of 4 kB a third of the time was the system's, handing out.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        # Memory of a device is asked for tile by tile, unless its owner wants it otherwise.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    return {**polite, **kept, **single, **own}
