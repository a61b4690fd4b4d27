"""Commands of lightwell, each in a process of its own, forked from one that has all loaded.

For campaigns of thousands: a fork takes milliseconds, a fresh interpreter most of a second. The
process that forks opens no file of anybody, so that one case knows nothing of another.
"""

import atexit
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

__all__ = ["Forked", "Outcome"]

_PAUSE_SECONDS = 0.002


class Outcome(NamedTuple):
    """How a command ended, e.g. `Outcome(2, "lightwell: …", 98_000_000, 0.04, False)`.

    status : of the process, negative for the signal that ended it; said : standard output and
    error; peak : bytes of memory; seconds : of work, not of waiting for others who work on the
    machine; stuck : it was ended for taking too long by the clock.
    """

    status: int
    said: str
    peak: int
    seconds: float
    stuck: bool


class Forked:
    """Lends a forked process to each command; a context, whose end ends the process that forks.

    memory : bytes a command may ask for before it is refused them; environment : in addition to
    this process's. Not where the system cannot fork (Windows).
    """

    def __init__(
        self, *, memory: int = 4 << 30, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lightwell-forked-")
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(memory)],
            env={**os.environ, **single, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, *arguments: str | os.PathLike[str], home: Path, seconds: float = 120.0
    ) -> Outcome:
        """Run a command line of lightwell, such as `run("ingest", path, home=home)`."""
        log = Path(self._folder.name, "said.txt")
        order = {
            "arguments": [os.fspath(word) for word in arguments],
            "home": str(home),
            "log": str(log),
            "seconds": seconds,
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the process that forks has no pipes")
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline() or "null")
        if answer is None:
            raise RuntimeError("the process that forks has died")
        return Outcome(said=log.read_text("utf-8", errors="replace"), **answer)

    def close(self) -> None:
        """End the process that forks."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()


def _serve(memory: int) -> None:
    """Answer orders until there are no more; in a forked process, carry one out and end."""
    _load()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _end(_carry_out(order, memory))
        status, usage, stuck = _watched(child, time.monotonic() + order["seconds"])
        unit = 1 if sys.platform == "darwin" else 1024
        answer = {
            "status": os.waitstatus_to_exitcode(status),
            "peak": usage.ru_maxrss * unit,
            "seconds": usage.ru_utime + usage.ru_stime,
            "stuck": stuck,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _load() -> None:
    """Import what commands about files import, and make the tables that they make."""
    import pwd  # noqa: F401

    import olefile  # type: ignore[import-untyped, unused-ignore]  # noqa: F401
    import tifffile  # noqa: F401

    import lightwell.cli.main
    import lightwell.session.session  # noqa: F401
    from lightwell.files import File
    from lightwell.nexus.validation import DEFAULT
    from lightwell.nexus.validation.profiles import profile_of
    from lightwell.plugins import Plugins
    from lightwell.units import convert

    convert(1.0, "keV", "eV")
    profile_of(DEFAULT).load(None)
    plugins = Plugins()
    plugins.schemas  # noqa: B018  (looked up for what that imports)
    for importer in plugins.importers.values():
        importer.claims(File(sys.executable))
    # What is never collected is never written to, and so is shared with those who are forked.
    gc.collect()
    gc.freeze()


def _end(status: int) -> None:
    """End as an interpreter does, HDF5's own last act included, but leave its memory alone.

    Python gives every object back one by one, which in a forked process copies all of them.
    """
    atexit._run_exitfuncs()  # noqa: SLF001  (there is no public name)
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).exit(status)


def _watched(child: int, until: float) -> tuple[int, Any, bool]:
    """Wait for a process, and end it when its time is over."""
    while time.monotonic() < until:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage, False
        time.sleep(_PAUSE_SECONDS)
    os.kill(child, 9)
    _, status, usage = os.wait4(child, 0)
    return status, usage, True


def _carry_out(order: Mapping[str, Any], memory: int) -> int:
    """Run the command line as a shell would, without reading from anybody."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    os.environ["LIGHTWELL_HOME"] = order["home"]
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for handle, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(handle, place)
    arguments: Sequence[str] = order["arguments"]
    if arguments[:1] == ["validate"]:
        _validate_here()
    from lightwell.cli.main import run

    return run(list(arguments))


def _validate_here() -> None:
    """The command starts a process for what HDF5 may do; this one is such a process already."""
    from lightwell.nexus import validation

    validation.validate_apart = validation.validate  # type: ignore[assignment, unused-ignore]


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
