"""Documents and logs of the embedded catalog, inside one transaction."""

# ruff: noqa: S608 - only compiled conditions and names of columns; values are parameters.

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Any, Final

from lightwell.catalog.compiler import compile_query, promoted_column
from lightwell.catalog.counters import COUNTED_COLUMNS
from lightwell.catalog.fields import stored_key, stored_path
from lightwell.catalog.journal import Event, append_event, read_events, write_events
from lightwell.catalog.planner import plan_count, plan_facet, plan_find
from lightwell.catalog.query import And, Compare, Query, is_every
from lightwell.catalog.records import Change, FacetValue, Index, StoredRow
from lightwell.catalog.rows import (
    is_indexed,
    read_manifest,
    read_replicas,
    read_row,
    write_document,
    write_manifest,
    write_replicas,
    write_row,
)
from lightwell.catalog.shares import counted_totals, seen_totals
from lightwell.catalog.totals import Totals
from lightwell.errors import ParameterError
from lightwell.manifests import Manifest
from lightwell.storage import Replica
from lightwell.users import User

__all__ = ["SqliteRecords"]

_OWN: Final = (
    Index("dataset_pid", ("pid",), "a dataset by its pid"),
    Index("dataset_created", ("retired", "created", "pid"), "the newest that are not retired"),
    Index("dataset_newest", ("created", "pid"), "the newest, retired ones too"),
    *(
        Index(f"dataset_{name}", (name, "created", "pid"), f"the newest of one {name}")
        for name in ("kind", "definition", "owner", "proposal")
    ),
    Index("dataset_path", ("path",), "one path"),
    Index("dataset_importer", ("importer",), "one importer"),
    Index("attr", ("*",), "=, <, <=, >, >=, in and exists on every field, each value of a list"),
    Index("words", (), "beginnings of words"),
    Index("facet", COUNTED_COLUMNS, "the values of a field and how many datasets have each"),
)


class SqliteRecords:
    """What a transaction of one connection sees and writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def read(self, pid: str) -> StoredRow | None:
        return read_row(self.connection, pid)

    def sees(self, query: Query, pid: str) -> bool:
        condition = compile_query(And((Compare("pid", "=", pid), query)), "probe")
        sql = f"SELECT 1 FROM dataset AS d WHERE {condition.sql}"
        return self.connection.execute(sql, condition.parameters).fetchone() is not None

    def write(self, document: Mapping[str, Any], what: str, stored: StoredRow | None) -> StoredRow:
        return write_document(self.connection, document, what, stored)

    def rewrite(self, document: Mapping[str, Any], stored: StoredRow | None) -> StoredRow:
        return write_row(self.connection, document, int(document["rev"]), stored)

    def write_changes(self, changes: Iterable[Change]) -> None:
        self.connection.executemany(
            "INSERT INTO change (number, at, pid, rev, what) VALUES (?, ?, ?, ?, ?)",
            map(astuple, changes),
        )

    def append(
        self,
        by: User,
        what: str,
        pid: str | None,
        detail: Mapping[str, Any],
        *,
        at: str | None = None,
    ) -> None:
        append_event(self.connection, by, what, pid, detail, at=at)

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        return read_events(self.connection, after=after, pid=pid)

    def write_events(self, events: Iterable[Event]) -> None:
        write_events(self.connection, events)

    def manifest(self, row: StoredRow) -> Manifest:
        return read_manifest(self.connection, row)

    def write_manifest(self, row: StoredRow, manifest: Manifest) -> None:
        write_manifest(self.connection, row.id, manifest)

    def replicas(self, row: StoredRow) -> tuple[Replica, ...]:
        return read_replicas(self.connection, row.id)

    def write_replicas(self, row: StoredRow, replicas: Iterable[Replica]) -> None:
        write_replicas(self.connection, row.id, replicas)

    def find(
        self, query: Query, *, limit: int, before: tuple[str, str] | None, retired: bool
    ) -> list[dict[str, Any]]:
        sql, parameters = self._find(query, limit, before, retired=retired)
        return [json.loads(text) for (text,) in self.connection.execute(sql, parameters)]

    def _find(
        self, query: Query, limit: int, before: tuple[str, str] | None, *, retired: bool
    ) -> tuple[str, tuple[Any, ...]]:
        plan = plan_find(self.connection, query, limit=limit, retired=retired)
        older = "AND (d.created, d.pid) < (?, ?) " if before else ""
        order = f"{older}ORDER BY d.created DESC, d.pid DESC LIMIT ?"
        return plan.select("d.document", order, *(before or ()), limit)

    def count(self, query: Query, *, at_most: int) -> int:
        plan = plan_count(self.connection, query, at_most=at_most)
        sql, parameters = plan.select("1", "LIMIT ?", at_most)
        found = self.connection.execute(f"SELECT count(*) FROM ({sql})", parameters)
        return int(found.fetchone()[0])

    def facet(
        self, field: str, query: Query, *, at_most: int, newest: int | None = None
    ) -> tuple[FacetValue, ...]:
        if newest is None and is_every(query) and self._is_counted(field):
            sql = (
                "SELECT type, value, datasets FROM facet INDEXED BY facet_most WHERE path = ? "
                "ORDER BY datasets DESC, type, value LIMIT ?"
            )
            parameters: tuple[Any, ...] = (stored_key(stored_path(field)), at_most)
        else:
            sql, parameters = self._facet(field, query, at_most, newest)
        rows = self.connection.execute(sql, parameters).fetchall()
        return tuple(FacetValue(bool(v) if kind == "b" else v, n) for kind, v, n in rows)

    def _facet(
        self, field: str, query: Query, at_most: int, newest: int | None
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the statement that counts the values of a field in the rows that match."""
        column = promoted_column(field)
        said = "d.id AS doc" if column is None else f"'s' AS type, d.{column} AS value"
        if newest is None:
            found, values = plan_facet(self.connection, query).select(said)
        else:
            plan = plan_find(self.connection, query, limit=newest, retired=False)
            found, values = plan.select(said, "ORDER BY d.created DESC, d.pid DESC LIMIT ?", newest)
        each = f"SELECT type, value FROM ({found}) WHERE value IS NOT NULL"
        if column is None:
            each = (
                f"SELECT a.type AS type, a.value AS value FROM ({found}) AS f "
                "CROSS JOIN attr AS a INDEXED BY attr_doc ON a.doc = f.doc "
                "WHERE a.path = ? AND a.type <> 'p'"
            )
            values = (*values, stored_key(stored_path(field)))
        return (
            f"SELECT type, value, count(*) AS n FROM ({each}) "
            "GROUP BY type, value ORDER BY n DESC, type, value LIMIT ?"
        ), (*values, at_most)

    def _is_counted(self, field: str) -> bool:
        path = stored_key(stored_path(field))
        if path in COUNTED_COLUMNS:
            return True
        found = self.connection.execute("SELECT 1 FROM counted WHERE path = ?", (path,))
        return found.fetchone() is not None

    def count_field(self, field: str) -> Index:
        """Count the values of a field from now on."""
        path = stored_key(stored_path(field))
        if promoted_column(field) is not None and path not in COUNTED_COLUMNS:
            raise ParameterError(f"{field} has an index, and hardly a value of it comes twice")
        if not self._is_counted(field):
            # The counts come first: the triggers look at `counted`.
            self.connection.execute(
                "INSERT INTO facet SELECT path, type, value, count(*) FROM attr WHERE path = ? "
                "AND type <> 'p' AND doc IN (SELECT id FROM dataset WHERE retired = 0) "
                "GROUP BY type, value",
                (path,),
            )
            self.connection.execute("INSERT INTO counted VALUES (?, 1)", (path,))
        return _counted_index(path, added=True)

    def pids(self, query: Query) -> list[str]:
        condition = compile_query(query)
        sql = f"SELECT d.pid FROM dataset AS d WHERE {condition.sql} ORDER BY d.created, d.pid"
        return [pid for (pid,) in self.connection.execute(sql, condition.parameters)]

    def changes(self, query: Query, *, after: int, limit: int) -> tuple[Change, ...]:
        condition = compile_query(query, "probe")
        rows = self.connection.execute(
            "SELECT c.number, c.at, c.pid, c.rev, c.what FROM change AS c "
            "CROSS JOIN dataset AS d ON d.pid = c.pid "
            f"WHERE c.number > ? AND {condition.sql} ORDER BY c.number LIMIT ?",
            (after, *condition.parameters, limit),
        )
        return tuple(Change(*row) for row in rows)

    def totals(self, query: Query) -> Totals:
        if is_every(query):
            return counted_totals(self.connection)
        return seen_totals(self.connection, compile_query(query, "probe"))

    def is_indexed(self, row: StoredRow) -> bool:
        return is_indexed(self.connection, row)

    def explain(self, query: Query, *, limit: int) -> tuple[str, ...]:
        plan = plan_find(self.connection, query, limit=limit, retired=False)
        sql, parameters = self._find(query, limit, None, retired=False)
        steps = self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return (plan.reason, *(str(step[3]) for step in steps))

    def indexes(self) -> tuple[Index, ...]:
        rows = self.connection.execute("SELECT path, added FROM counted ORDER BY added, path")
        return (*_OWN, *(_counted_index(path, added=bool(added)) for path, added in rows))


def _counted_index(path: str, *, added: bool) -> Index:
    return Index(f"facet:{path}", (path,), "how many datasets have each value", added)
