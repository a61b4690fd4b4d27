"""Access and totals of a whole embedded catalog, made from its documents."""

import sqlite3
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from lightwell.access import grants_in
from lightwell.catalog.rights import with_access
from lightwell.catalog.rows import read_row, write_row
from lightwell.catalog.tables import Connections

__all__ = ["in_order", "settle_derived", "settle_older"]


def settle_older(connections: Connections) -> None:
    """Give a catalog of an earlier version what its documents lack: access and totals."""
    if not _lacks_totals(connections.connection()):
        return
    with connections.writing() as connection:
        # Another process may have done it while this one waited.
        if _lacks_totals(connection):
            derived = _sources(connection)
            pids = [pid for (pid,) in connection.execute("SELECT pid FROM dataset").fetchall()]
            _settle(connection, (pid for pid in pids if pid not in derived))
            _settle(connection, in_order(derived))


def _lacks_totals(connection: sqlite3.Connection) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM dataset) AND NOT EXISTS (SELECT 1 FROM share)"
    return bool(connection.execute(sql).fetchone()[0])


def settle_derived(connection: sqlite3.Connection) -> None:
    """Give every derived dataset the rules that follow from its inputs and its own grants."""
    _settle(connection, in_order(_sources(connection)))


def _settle(connection: sqlite3.Connection, pids: Iterable[str]) -> None:
    def read(pid: str) -> dict[str, object] | None:
        row = read_row(connection, pid)
        return row.document if row else None

    for pid in pids:
        row = read_row(connection, pid)
        if row is not None:
            document = with_access(row.document, grants_in(row.document), read)
            write_row(connection, document, row.rev, row)


def _sources(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return what each derived dataset was derived from."""
    found: dict[str, set[str]] = {}
    for pid, source in connection.execute(
        "SELECT d.pid, a.value FROM attr AS a JOIN dataset AS d ON d.id = a.doc "
        "WHERE a.path = 'derived_from' AND a.type = 's'"
    ):
        found.setdefault(pid, set()).add(source)
    return found


def in_order(sources: dict[str, set[str]]) -> list[str]:
    """Return the derived datasets, inputs before results."""
    try:
        return [pid for pid in TopologicalSorter(sources).static_order() if pid in sources]
    except CycleError:
        # Whatever goes round in circles goes back to nothing anybody may see.
        return list(sources)
