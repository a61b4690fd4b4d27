"""Validation in a process of its own: HDF5 may die of a damaged file, we must not."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightwell.errors import LightwellError
from lightwell.nexus.validation.findings import Report, Scope
from lightwell.nexus.validation.profiles import DEFAULT, profile_of
from lightwell.nexus.validation.ruleset import RuleSet
from lightwell.nexus.validation.tree import printable
from lightwell.nexus.validation.validator import validate

__all__ = ["validate_apart"]

#: Longer than any file of ours takes; a damaged one may send HDF5 round in circles.
SECONDS = 60.0
# Of a processor. Real files take a hundredth of it; in circles of damaged links HDF5 never ends.
_MOST_WORK = 15
_SPENT = getattr(signal, "SIGXCPU", signal.SIGTERM)
_GRACE = 10.0
# No array is read: a large tree takes a tenth of it.
_MOST_MEMORY = 1 << 30


def validate_apart(
    path: str | os.PathLike[str],
    *,
    profile: str = DEFAULT,
    rules: RuleSet | None = None,
    roots: Sequence[Path] | None = None,
    seconds: float = SECONDS,
) -> Report:
    """Return what `validate` does; a file at which HDF5 crashes or hangs gets a report too.

    Raises what `validate` raises. Costs half a second more, since a process is started.
    """
    profile_of(profile)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_judge, args=(sender, os.fspath(path), profile, rules, roots), daemon=True
    )
    process.start()
    # Ours must be closed, or the end of the other process would not be noticed.
    sender.close()
    answer, stuck = None, True
    try:
        stuck = not receiver.poll(seconds)
        answer = None if stuck else receiver.recv()
    except EOFError:
        # It ended without an answer: its exit status says how.
        pass
    finally:
        receiver.close()
        _end(process, at_once=stuck)
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Report):
        return answer
    if process.exitcode == -_SPENT:
        stuck, seconds = True, _MOST_WORK
    code = "reader-stuck" if stuck else "reader-died"
    return _fatal(path, profile, rules, code, _cause(code, process.exitcode, seconds))


def _end(process: Any, *, at_once: bool) -> None:
    """Wait for a process that has answered or is dying; end one that does neither."""
    if not at_once:
        process.join(_GRACE)
    if process.is_alive():
        process.kill()
    process.join()


def _judge(
    sender: Any, path: str, profile: str, rules: RuleSet | None, roots: Sequence[Path] | None
) -> None:
    """Send the report, or the error that the user should read."""
    _bound_means()
    try:
        sender.send(validate(path, profile=profile, rules=rules, roots=roots))
    except LightwellError as error:
        sender.send(error)
    except Exception as error:
        # A fault of ours, not of the file; not every exception can be sent as it is.
        sender.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _bound_means() -> None:
    """Refuse HDF5 the gigabytes, and the endless work, that damage makes it ask for."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_WORK, _MOST_WORK + 1))
    except (ImportError, OSError, ValueError):
        # Windows has no such limits, macOS none for data, and a lower one may stand already.
        return


def _cause(code: str, status: int | None, seconds: float) -> str:
    if code == "reader-stuck":
        return f"The file could not be read within {seconds:g} s; it is probably damaged."
    try:
        name = signal.Signals(-(status or 0)).name
    except ValueError:
        name = f"status {status}"
    return f"Reading the file ended the process that did it ({name}); it is probably damaged."


def _fatal(
    path: str | os.PathLike[str], profile: str, rules: RuleSet | None, code: str, message: str
) -> Report:
    """Return the report of a file that cannot be looked at."""
    version = profile_of(profile).load(rules).version
    scope = Scope("NeXus", version, "broken", f"NeXus/{code}")
    mend = "Copy the file again from its source, or repair it with h5repack."
    finding = scope.finding(code, "/", message, mend)
    return Report(printable(os.fspath(path)), profile, version, (), (finding,))
