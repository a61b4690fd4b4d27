"""What happened, who did it and when: only ever appended to, and exportable."""

# ruff: noqa: S608 - only fixed texts are put together; values are parameters.

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lightwell.datasets import now
from lightwell.files import complete_file
from lightwell.users import User

__all__ = ["Event", "append_event", "export_events", "read_events", "write_events"]

_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, e.g. `Event(7, "2026-…Z", "mia", "retired", "lw-…", {"why": …})`."""

    number: int
    at: str
    who: str
    what: str
    pid: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def append_event(
    connection: sqlite3.Connection,
    by: User,
    what: str,
    pid: str | None = None,
    detail: Mapping[str, Any] | None = None,
    *,
    at: str | None = None,
) -> None:
    """Append an event inside the transaction that does what it says; `at` is now, if not given."""
    connection.execute(
        "INSERT INTO journal (at, who, what, pid, detail) VALUES (?, ?, ?, ?, ?)",
        (at or now(), by.name, what, pid, json.dumps(detail or {}, ensure_ascii=False)),
    )


def write_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write the events of another catalog's journal under their own numbers."""
    connection.executemany(
        "INSERT INTO journal (number, at, who, what, pid, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (
            (e.number, e.at, e.who, e.what, e.pid, json.dumps(e.detail, ensure_ascii=False))
            for e in events
        ),
    )


def read_events(
    connection: sqlite3.Connection, *, after: int = 0, pid: str | None = None
) -> Iterator[Event]:
    """Yield the events after a number in order, of one dataset if `pid` is given."""
    about, parameters = ("AND pid = ?", (pid,)) if pid else ("", ())
    while True:
        rows = connection.execute(
            "SELECT number, at, who, what, pid, detail FROM journal "
            f"WHERE number > ? {about} ORDER BY number LIMIT {_AT_ONCE}",
            (after, *parameters),
        ).fetchall()
        for number, at, who, what, subject, detail in rows:
            after = number
            yield Event(number, at, who, what, subject, json.loads(detail))
        if len(rows) < _AT_ONCE:
            return


def export_events(events: Iterable[Event], path: Path) -> int:
    """Write events as JSON lines and return how many; the file appears only when complete."""
    count = 0
    with complete_file(path) as part, part.open("w", encoding="utf-8") as stream:
        for event in events:
            stream.write(json.dumps(asdict(event), ensure_ascii=False) + "\n")
            count += 1
    return count
