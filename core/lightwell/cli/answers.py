"""What the command line prints: JSON for programs, lines for people, sentences for errors."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.errors import LightwellError, ParameterError

if TYPE_CHECKING:
    from lightwell.datasets import Dataset

__all__ = [
    "AsJson",
    "Settings",
    "Values",
    "complain",
    "dataset_facts",
    "parse_values",
    "reader_may_leave",
    "say",
    "show_json",
]

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on one line, for programs.")]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Give a value; units are understood."),
]
Settings = Annotated[
    str | None,
    typer.Option("--settings", metavar="FILE", help="The lightwell.toml to use."),
]


def say(text: str) -> None:
    """One line for people, on standard output."""
    with reader_may_leave():
        sys.stdout.write(_one_line(text) + "\n")


def _one_line(text: str) -> str:
    r"""What a terminal shows as one line: names of files may hold anything.

    >>> print(_one_line("new\nline \x1b[31m é"))
    new\nline \x1b[31m é
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End quietly where whoever reads our output (head, less) has seen enough."""
    try:
        yield
    except BrokenPipeError:
        # What is still buffered would complain again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def complain(problem: LightwellError | str) -> None:
    """One sentence on standard error."""
    sys.stderr.write(f"lightwell: {_one_line(str(problem))}\n")


def show_json(answer: Mapping[str, Any]) -> None:
    """An answer for programs."""
    say(json.dumps(answer, default=str, ensure_ascii=False))


def parse_values(pairs: list[str] | None) -> dict[str, str]:
    """Names and values from ``name=value``.

    Errors: ParameterError for anything else, or a name given twice.

    >>> parse_values(["first_angle=0", "note=a=b"])
    {'first_angle': '0', 'note': 'a=b'}
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError(f"--set {pair!r} is not name=value")
        if name in found:
            raise ParameterError(f"--set gives '{name}' twice")
        found[name] = value.strip()
    return found


def dataset_facts(dataset: "Dataset") -> dict[str, Any]:
    """A dataset in the words of the command line's JSON."""
    return {
        "pid": dataset.pid,
        "definition": dataset.definition,
        "importer": dataset.importer,
        "path": dataset.path,
        "flags": [flag.model_dump(exclude_none=True) for flag in dataset.flags],
        "kind": dataset.kind,
        "title": dataset.entry.title,
        "created": dataset.created,
        "derived_from": list(dataset.derived_from),
    }
