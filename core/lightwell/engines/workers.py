"""The supervisor's side of the workers: start, ask, listen, end."""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from threading import Event as ThreadEvent
from typing import Any, Self

from lightwell.errors import Interrupted, LightwellError, WorkerError

__all__ = ["Worker", "Workers"]

Tell = Callable[[Mapping[str, Any]], None]


class Worker:
    """One worker process and the pipe to it."""

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        ours, theirs = Pipe()
        self.pipe: Connection = ours
        command = [sys.executable, "-m", "lightwell.engines.worker", str(theirs.fileno())]
        self.process = subprocess.Popen(  # noqa: S603  (our own module, our own interpreter)
            command,
            env=_environment(),
            pass_fds=(theirs.fileno(), *keep_open),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.pipe.send(sys.path)
        self.busy = False

    def ask(self, command: str, *arguments: Any) -> None:
        """Send a command; the answer comes by `receive`.

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
        try:
            self.pipe.send_bytes(content)
        except OSError as error:
            raise self.died() from error
        self.busy = True

    def receive(self) -> tuple[str, Any]:
        """The next message: ("event", …) or ("done", …).

        Errors: whatever the worker raised; WorkerError where it died.
        """
        try:
            kind, *content = pickle.loads(self.pipe.recv_bytes())  # noqa: S301  (our own pipe)
        except (EOFError, OSError) as error:
            raise self.died() from error
        if kind == "event":
            return kind, content[0]
        self.busy = False
        if kind == "error":
            error, trace = content
            if not isinstance(error, LightwellError):
                error.add_note(f"in a worker:\n{trace}")
            raise error
        return kind, content[0]

    def died(self) -> WorkerError:
        """Why the worker is gone, as a sentence."""
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = 0
        memory = status == -9
        return WorkerError(
            f"a worker ended with status {status}" + (" (killed, out of memory?)" if memory else ""),
            remedy="run the same command again, it resumes; give --memory less than the machine has",
        )

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
        for worker in self.members:
            worker.end()

    def grow(self, number: int) -> None:
        """Start workers until there are `number`."""
        while len(self.members) < number:
            self.members.append(Worker(self._keep_open))

    def shrink(self, number: int) -> None:
        """End the last workers until there are `number`."""
        while len(self.members) > number:
            self.members.pop().end()

    def call(self, command: str, *arguments: Any, worker: int = 0) -> Any:
        """Ask one worker and wait for its answer, passing on events.

        Errors: what the worker raised; Interrupted where the job was told to stop.
        """
        self.grow(worker + 1)
        member = self.members[worker]
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
        answers = []
        by_pipe = {member.pipe: member for member in members if member.busy}
        deadline = time.monotonic() + patience
        while by_pipe and not answers and time.monotonic() < deadline:
            for pipe in wait(list(by_pipe), timeout=max(deadline - time.monotonic(), 0)):
                member = by_pipe[pipe]  # type: ignore[index]
                kind, content = member.receive()
                if kind == "event":
                    self._tell(content)
                else:
                    answers.append((member, content))
        return answers


def _environment() -> dict[str, str]:
    """One thread for every library that would start more, before any of them is imported."""
    single = ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    flags = " ".join(
        word
        for word in os.environ.get("XLA_FLAGS", "").split()
        if "force_host_platform_device_count" not in word
    )
    changes = {name: "1" for name in single} | {"XLA_FLAGS": flags, "PYTHONUNBUFFERED": "1"}
    return {**os.environ, "JAX_PLATFORMS": "cpu", **changes}
