"""The front of the command line: the verbs, and what happens when one of them fails."""

import sys
import tempfile
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from lightwell.cli import (
    access,
    calibration,
    catalog,
    catalog_places,
    datasets,
    demo,
    export,
    frames,
    jobs,
    journal,
    planning,
    plugins,
    running,
    validate,
)
from lightwell.cli.answers import complain, reader_may_leave
from lightwell.disks import tells_of_full_disk
from lightwell.errors import DiskFull, LightwellError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lightwell",
    help="From a detector's files to a catalogued, reconstructed, explorable result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
datasets.add_to(app)
catalog.add_to(app)
frames.add_to(app)
journal.add_to(app)
catalog_places.add_to(app)
access.add_to(app)
jobs.add_to(app)
planning.add_to(app)
running.add_to(app)
plugins.add_to(app)
demo.add_to(app)
validate.add_to(app)
export.add_to(app)
calibration.add_to(app)

USAGE_ERROR = 2
INTERRUPTED = 75
OUR_FAULT = 1
TYPER_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt inside a verb."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its status.

    0 done, 2 the user's input, 75 stopped and resumable, 1 our fault.
    """
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its status."""
    try:
        status = app(arguments, standalone_mode=False)
        with reader_may_leave():
            sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except LightwellError as error:
        complain(error)
        return error.exit_status
    except TyperException as error:
        return _usage(error)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # the last line of defence: no traceback reaches a scientist
        return _full(error) if tells_of_full_disk(error) else _our_fault(error)
    if status == TYPER_INTERRUPTED:
        return _interrupted()
    return status if isinstance(status, int) else 0


def _interrupted() -> int:
    complain("stopped; run the same command again, a job resumes where it was")
    return INTERRUPTED


def _usage(error: TyperException) -> int:
    show = getattr(error, "show", None)
    if show is not None:
        show()
    return int(getattr(error, "exit_code", USAGE_ERROR))


def _full(error: Exception) -> int:
    name = getattr(error, "filename", None)
    full = DiskFull("a disk is full", where=name and str(name), remedy="Make room and try again")
    complain(full)
    return full.exit_status


def _our_fault(error: Exception) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="lightwell-error-", suffix=".txt", delete=False, encoding="utf-8"
    ) as report:
        traceback.print_exception(error, file=report)
    complain(
        f"this is a fault of lightwell, not of your data: {type(error).__name__}: {error}. "
        f"Please report it with the file {Path(report.name)}"
    )
    return OUR_FAULT
