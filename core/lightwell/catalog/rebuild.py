"""A catalog made anew from descriptions, and put in the place of the old one all at once."""

import json
import os
import sqlite3
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from lightwell.access import grants_in
from lightwell.catalog.bulk import BulkWriter, replace_rows
from lightwell.catalog.journal import Event, append_event, read_events, write_events
from lightwell.catalog.records import CatalogRow
from lightwell.catalog.rights import with_access
from lightwell.catalog.tables import Connections
from lightwell.datasets import now
from lightwell.errors import Conflict, UnreadableFile
from lightwell.failpoints import failpoint
from lightwell.users import User

__all__ = ["adopt", "fill", "part_of", "read_exported", "replace_damaged", "salvage_journal"]

_LOGS: Final = ("-wal", "-shm")
_AT_ONCE: Final = 10_000


def part_of(path: Path) -> Path:
    """Return where the catalog that will replace one of a path is made."""
    return path.with_name(f"{path.name}.part")


def fill(path: Path, rows: Iterable[CatalogRow]) -> int:
    """Write rows, each of the revision its document says, into a new file; return how many.

    What a document says of access counts for its grants alone; the rules are made anew.
    """
    for ending in ("", *_LOGS):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    count, waiting = 0, iter(rows)
    writer = BulkWriter(path)
    try:
        while batch := list(islice(waiting, _AT_ONCE)):
            writer.write(map(_ruled, batch))
            count += len(batch)
        writer.finish()
    finally:
        writer.close()
    return count


def _ruled(row: CatalogRow) -> CatalogRow:
    """Return a row with its rules, if they follow from nothing else."""
    if row.document.get("derived_from"):
        return row
    document = with_access(row.document, grants_in(row.document), lambda _: None)
    return row._replace(document=document)


def adopt(connections: Connections, rebuilt: Path, *, journal_end: int, by: User) -> bool:
    """Take over what another file holds of datasets, in one transaction; the journal stays.

    Returns False, with nothing done, if the journal has gone beyond `journal_end` meanwhile.
    Renaming the file instead would leave other processes writing into the one that is gone, and
    its write-ahead log beside the new one.
    """
    connections.connection().execute("ATTACH ? AS rebuilt", (str(rebuilt),))
    try:
        with connections.writing() as connection:
            end = connection.execute("SELECT max(number) FROM journal").fetchone()[0]
            if (end or 0) != journal_end:
                return False
            _note_changes(connection, by)
            replace_rows(connection, "rebuilt")
            return True
    finally:
        connections.connection().execute("DETACH rebuilt")


def _note_changes(connection: sqlite3.Connection, by: User) -> None:
    """Say in journal and change log which documents are not what they were."""
    changed = connection.execute(
        "SELECT n.pid, n.rev, 'reindexed' FROM rebuilt.dataset AS n "
        "LEFT JOIN main.dataset AS o USING (pid) WHERE o.rev IS NOT n.rev UNION ALL "
        "SELECT o.pid, o.rev, 'left out' FROM main.dataset AS o "
        "LEFT JOIN rebuilt.dataset AS n USING (pid) WHERE n.pid IS NULL"
    ).fetchall()
    for pid, rev, what in changed:
        append_event(connection, by, what, pid, {"rev": rev})
        connection.execute(
            "INSERT INTO change (at, pid, rev, what) VALUES (?, ?, ?, ?)", (now(), pid, rev, what)
        )


def salvage_journal(path: Path) -> list[Event]:
    """Return the journal of a damaged catalog.

    Raises `UnreadableFile` if it cannot be read to its end.
    """
    try:
        connection = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
        try:
            return list(read_events(connection))
        finally:
            connection.close()
    except (sqlite3.Error, ValueError) as error:
        raise UnreadableFile(
            f"the journal in the damaged catalog cannot be read ({error})",
            where=str(path),
            remedy="Give an export of it by --journal, or move the catalog away to go on without "
            "what only the journal knows: retirements, successors, edits",
        ) from error


def read_exported(path: Path) -> list[Event]:
    """Return the events that `export_events` wrote; raises `UnreadableFile`."""
    try:
        with path.open(encoding="utf-8") as lines:
            return [Event(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableFile(
            f"this is no exported journal ({error})", where=str(path), remedy="Give another file"
        ) from error


def replace_damaged(path: Path, rebuilt: Path, events: Iterable[Event]) -> Path | None:
    """Give a rebuilt catalog a journal and the name of a damaged or missing one.

    Returns where the damaged one is kept. A death in between leaves one of the two in place.
    """
    _write_journal(rebuilt, events)
    kept = None
    if path.exists():
        kept = _free_name(path)
        os.link(path, kept)
        for ending in _LOGS:
            # A log belongs to the file it was written for; beside the new one it would damage it.
            path.with_name(path.name + ending).unlink(missing_ok=True)
    failpoint("reindex-filled")
    rebuilt.replace(path)
    failpoint("reindex-renamed")
    return kept


def _write_journal(path: Path, events: Iterable[Event]) -> None:
    connections = Connections(path)
    try:
        with connections.writing() as connection:
            write_events(connection, events)
        # Everything into the one file that is renamed; the next to open it uses a log again.
        connections.connection().execute("PRAGMA journal_mode = DELETE")
    finally:
        connections.close()
    with path.open("rb+") as written:
        os.fsync(written.fileno())


def _free_name(path: Path) -> Path:
    for number in range(1, 1000):
        name = path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")
        if not name.exists():
            return name
    raise Conflict("too many damaged catalogs are kept", where=str(path.parent))
