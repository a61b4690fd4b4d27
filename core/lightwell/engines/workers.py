"""The supervisor's side of the workers: start, ask, listen, end."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Pipe, wait
from threading import Event as ThreadEvent
from typing import Any, Self

from lightwell.engines.environment import xla_flags
from lightwell.errors import Interrupted, LightwellError, WorkerError

__all__ = ["Worker", "Workers"]

Tell = Callable[[Mapping[str, Any]], None]


class Worker:
    """One worker process and the pipe to it."""

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        ours, theirs = Pipe()
        self.pipe: Any = ours
        self.doing: str | None = None
        self._about = ""
        command = [sys.executable, "-m", "lightwell.engines.worker"]
        self.process = subprocess.Popen(
            [*command, str(theirs.fileno()), str(os.getpid())],
            env=_environment(),
            pass_fds=(theirs.fileno(), *keep_open),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            self.pipe.send(sys.path)
        except OSError as error:
            raise self.died() from error

    @property
    def busy(self) -> bool:
        """True between a command and its answer."""
        return self.doing is not None

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

    def receive(self) -> tuple[str, Any]:
        """The next message: ("event", …) or ("done", …).

        Errors: whatever the worker raised; WorkerError where it died.
        """
        try:
            kind, *content = pickle.loads(self.pipe.recv_bytes())  # noqa: S301  (our own pipe)
        except (EOFError, OSError) as gone:
            raise self.died() from gone
        if kind == "event":
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
        during = f"during {self._about}" if self.doing else "before it was asked for anything"
        again = "run the same command again, it resumes"
        if status == -signal.SIGKILL:
            cause = "was killed (SIGKILL, often because the machine ran out of memory)"
            remedy = f"{again}; give a smaller --memory than the machine has"
        elif status < 0:
            cause = f"crashed ({_signal_name(-status)})"
            remedy = f"{again}; if it crashes there each time, a compiled library of a step does it"
        else:
            cause = f"ended with status {status}"
            remedy = f"{again}; its own message stands above"
        return WorkerError(f"a worker {cause} {during}", remedy=remedy)

    def end(self) -> None:
        """Stop the process, whatever it is doing."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()


class Workers:
    """The workers of one job; leaving the `with` block ends them all."""

    def __init__(self, tell: Tell, stop: ThreadEvent, keep_open: Sequence[int] = ()) -> None:
        self._tell = tell
        self._stop = stop
        self._keep_open = keep_open
        self.members: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self.members:
            self.dismiss(self.members[-1])

    def hire(self) -> Worker:
        """Start one more worker."""
        self.members.append(Worker(self._keep_open))
        return self.members[-1]

    def dismiss(self, member: Worker) -> None:
        """End a worker."""
        self.members.remove(member)
        member.end()

    def shrink(self, number: int) -> None:
        """End the last workers until there are `number`."""
        while len(self.members) > number:
            self.dismiss(self.members[-1])

    def call(self, command: str, *arguments: Any) -> Any:
        """Ask the first worker and wait for its answer, passing on events.

        Errors: what the worker raised; Interrupted where the job was told to stop.
        """
        member = self.members[0] if self.members else self.hire()
        member.ask(command, *arguments)
        while True:
            for answer in self.listen([member]):
                return answer[1]

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


def _environment() -> dict[str, str]:
    """One thread for every library that would start more, before any of them is imported.

    Settings of JAX are left behind: they are made for the program that embeds us, and some of
    them change bits.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    threads = ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    single = dict.fromkeys(threads, "1")
    own = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": xla_flags(), "PYTHONUNBUFFERED": "1"}
    return {**kept, **single, **own}
