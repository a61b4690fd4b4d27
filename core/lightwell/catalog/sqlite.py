"""The embedded catalog: one SQLite file, several processes reading and writing."""

# ruff: noqa: S608 - only compiled conditions and names of columns; values are parameters.

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from lightwell.access import Restriction
from lightwell.catalog.compiler import Condition, compile_query, promoted_column
from lightwell.catalog.documents import storable
from lightwell.catalog.edits import differences, edited
from lightwell.catalog.fields import stored_key, stored_path
from lightwell.catalog.journal import Event, append_event, read_events, write_events
from lightwell.catalog.json_form import from_json
from lightwell.catalog.protocol import (
    Change,
    Count,
    FacetValue,
    Lineage,
    Page,
    make_cursor,
    read_cursor,
)
from lightwell.catalog.query import EVERY, And, Compare, Query
from lightwell.catalog.rebuild import adopt, fill, part_of
from lightwell.catalog.rows import (
    CatalogRow,
    StoredRow,
    is_indexed,
    read_manifest,
    read_replicas,
    read_row,
    write_document,
    write_manifest,
    write_replicas,
)
from lightwell.catalog.tables import Connections
from lightwell.datasets import Dataset
from lightwell.errors import Conflict, NotFound, ParameterError
from lightwell.model import Entry
from lightwell.storage import Replica
from lightwell.users import User

__all__ = ["SqliteCatalog"]

_LARGEST_PAGE = 1000


class SqliteCatalog:
    """A catalog in one file, made if it is not there; `schemas` are the installed definitions.

    Threads and forked processes may share one object: each gets its own connection.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schemas: Mapping[str, type[Entry]] | None = None,
    ) -> None:
        self._connections = Connections(Path(path))
        self._schemas = dict(schemas or {})
        self._visible: Query = EVERY

    def as_seen_through(self, restrictions: Iterable[Restriction]) -> Self:
        """Return this catalog with filters ANDed into everything it answers and changes."""
        seen = object.__new__(type(self))
        seen._connections, seen._schemas = self._connections, self._schemas
        seen._visible = And((self._visible, *map(from_json, restrictions)))
        return seen

    def put(self, dataset: Dataset, *, by: User, replicas: Iterable[Replica] = ()) -> Dataset:
        """Remember a dataset; one that is the same already keeps its revision.

        Raises `Conflict` if it has a revision, but not the newest one, or if the same content
        is there and may not be seen.
        """
        with self._connections.writing() as connection:
            stored = read_row(connection, dataset.pid)
            if stored is not None and not self._sees(connection, dataset.pid):
                raise Conflict(
                    f"{dataset.pid} is in the catalog, and you may not see it",
                    remedy="Ask whoever looks after the catalog",
                )
            what = "ingested" if stored is None else "described anew"
            detail: dict[str, Any] = {}
            if dataset.rev:
                _check_newest(dataset, stored)
                before = stored.document if stored else {}
                detail["changes"] = differences(before, storable(dataset.to_document()))
            elif stored is not None:
                dataset = _described_anew(dataset, self._dataset(stored.document))
            if not detail:
                dataset = self._with_edits(connection, dataset)
            return self._write(connection, dataset, stored, by, what, detail, replicas)

    def update(self, dataset: Dataset, *, by: User, why: str) -> Dataset:
        """Replace what is remembered; raises `Conflict` unless it is of the newest revision."""
        with self._connections.writing() as connection:
            stored = self._row(connection, dataset.pid)
            _check_newest(dataset, stored)
            # The journal owns what people change: it has to be able to say it again.
            changes = differences(stored.document, storable(dataset.to_document()))
            detail = {"why": why, "changes": changes}
            return self._write(connection, dataset, stored, by, "updated", detail)

    def retire(self, pid: str, *, by: User, why: str) -> Dataset:
        """Leave a dataset out of searches; nothing is deleted, raises `NotFound`."""
        with self._connections.writing() as connection:
            stored = self._row(connection, pid)
            dataset = replace(self._dataset(stored.document), retired=True)
            return self._write(connection, dataset, stored, by, "retired", {"why": why})

    def supersede(self, pid: str, successor: str, *, by: User, why: str) -> Dataset:
        """Record that another dataset takes the place of this one; raises `NotFound`."""
        with self._connections.writing() as connection:
            stored = self._row(connection, pid)
            self._row(connection, successor)
            if successor == pid:
                raise ParameterError(f"{pid} cannot take its own place")
            dataset = replace(self._dataset(stored.document), superseded_by=successor)
            detail = {"why": why, "successor": successor}
            return self._write(connection, dataset, stored, by, "superseded", detail)

    def get(self, pid: str) -> Dataset:
        """Return a dataset with its list of files; raises `NotFound`."""
        with self._connections.reading() as connection:
            row = self._row(connection, pid)
            return self._dataset(row.document).with_manifest(read_manifest(connection, row))

    def find(
        self,
        query: Query = EVERY,
        *,
        limit: int = 20,
        cursor: str | None = None,
        retired: bool = False,
    ) -> Page:
        """Return the newest datasets that match, without their lists of files.

        A cursor leads to those older than the page before, whatever came in meanwhile. Raises
        `ParameterError` for a limit outside 1 … 1000 or a text that is no cursor.
        """
        if not 1 <= limit <= _LARGEST_PAGE:
            raise ParameterError(f"a page holds 1 to {_LARGEST_PAGE} datasets, not {limit}")
        condition = self._condition(query)
        clauses, parameters = [condition.sql], list(condition.parameters)
        if not retired:
            clauses.append("d.retired = 0")
        if cursor is not None:
            clauses.append("(d.created, d.pid) < (?, ?)")
            parameters += read_cursor(cursor)
        with self._connections.reading() as connection:
            rows = connection.execute(
                f"SELECT d.created, d.pid, d.document FROM dataset AS d "
                f"WHERE {' AND '.join(clauses)} ORDER BY d.created DESC, d.pid DESC LIMIT ?",
                (*parameters, limit + 1),
            ).fetchall()
        shown = rows[:limit]
        following = make_cursor(*shown[-1][:2]) if len(rows) > limit else None
        return Page(tuple(self._dataset(json.loads(text)) for *_, text in shown), following)

    def count(self, query: Query = EVERY, *, at_most: int = 1000) -> Count:
        """Return how many datasets match that are not retired, counting up to `at_most`."""
        condition = self._condition(query)
        with self._connections.reading() as connection:
            found = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM dataset AS d "
                f"WHERE {condition.sql} AND d.retired = 0 LIMIT ?)",
                (*condition.parameters, at_most + 1),
            ).fetchone()[0]
        return Count(min(found, at_most), exact=found <= at_most)

    def facet(
        self, field: str, query: Query = EVERY, *, at_most: int = 50
    ) -> tuple[FacetValue, ...]:
        """Return the values of a field among the datasets that match, the most frequent first."""
        condition = self._condition(query)
        column = promoted_column(field)
        if column is not None:
            own: tuple[str, ...] = ()
            source = f"SELECT 's', d.{column} AS value FROM dataset AS d"
            present = f"d.{column} IS NOT NULL"
        else:
            source = (
                "SELECT a.type, a.value AS value FROM attr AS a JOIN dataset AS d ON d.id = a.doc"
            )
            present, own = "a.path = ? AND a.type <> 'p'", (stored_key(stored_path(field)),)
        with self._connections.reading() as connection:
            rows = connection.execute(
                f"SELECT *, count(*) AS n FROM ({source} WHERE {present} AND {condition.sql} "
                "AND d.retired = 0) GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT ?",
                (*own, *condition.parameters, at_most),
            ).fetchall()
        return tuple(FacetValue(bool(v) if kind == "b" else v, n) for kind, v, n in rows)

    def lineage(self, pid: str) -> Lineage:
        """Return what a dataset came from and what came from it; raises `NotFound`.

        A source that is not here, or may not be seen, is named and not followed.
        """
        edges: dict[tuple[str, str], None] = {}
        with self._connections.reading() as connection:
            self._row(connection, pid)
            for upward in (True, False):
                waiting, seen = [pid], {pid}
                while waiting:
                    here = waiting.pop(0)
                    step = self._sources if upward else self._results
                    for there in step(connection, here):
                        edges[(there, here) if upward else (here, there)] = None
                        if there not in seen:
                            seen.add(there)
                            waiting.append(there)
        return Lineage(pid, tuple(edges))

    def replicas(self, pid: str) -> tuple[Replica, ...]:
        """Return the copies known of the files of a dataset; raises `NotFound`."""
        with self._connections.reading() as connection:
            return read_replicas(connection, self._row(connection, pid).id)

    def changes(self, *, after: int = 0, limit: int = 1000) -> tuple[Change, ...]:
        """Return the revisions of visible datasets after change number `after`, in order."""
        condition = self._condition(EVERY)
        with self._connections.reading() as connection:
            rows = connection.execute(
                "SELECT c.number, c.at, c.pid, c.rev, c.what FROM change AS c "
                "JOIN dataset AS d ON d.pid = c.pid "
                f"WHERE c.number > ? AND {condition.sql} ORDER BY c.number LIMIT ?",
                (after, *condition.parameters, limit),
            ).fetchall()
        return tuple(Change(*row) for row in rows)

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        """Yield the journal's events about visible datasets after an event's number."""
        with self._connections.reading() as connection:
            if pid is not None:
                self._row(connection, pid)
            found = [
                event
                for event in read_events(connection, after=after, pid=pid)
                if event.pid is None or self._sees(connection, event.pid)
            ]
        # Read as a whole: a generator left half-way would keep the transaction open.
        return iter(found)

    def journal(self) -> list[Event]:
        """Return the whole journal, also about datasets that are no longer here.

        Raises `ParameterError` for a view that hides something; so do those that write it all.
        """
        self._require_everything()
        with self._connections.reading() as connection:
            return list(read_events(connection))

    def take_over_journal(self, events: Iterable[Event]) -> None:
        """Begin with the journal of a catalog that was lost; raises `Conflict` if there is one."""
        self._require_everything()
        with self._connections.writing() as connection:
            if connection.execute("SELECT 1 FROM journal").fetchone() is not None:
                raise Conflict(
                    "this catalog has a journal of its own",
                    where=str(self._connections.path),
                    remedy="Leave out --journal; it is for a catalog that was lost",
                )
            write_events(connection, events)

    def pids(self) -> list[str]:
        """Return every dataset that may be seen, retired ones too."""
        condition = self._condition(EVERY)
        sql = f"SELECT d.pid FROM dataset AS d WHERE {condition.sql} ORDER BY d.pid"
        with self._connections.reading() as connection:
            return [pid for (pid,) in connection.execute(sql, condition.parameters)]

    def row(self, pid: str) -> CatalogRow:
        """Return all that is stored of a dataset, as it is stored; raises `NotFound`."""
        with self._connections.reading() as connection:
            row = self._row(connection, pid)
            files, copies = read_manifest(connection, row), read_replicas(connection, row.id)
            return CatalogRow(row.document, files, copies)

    def is_indexed(self, pid: str) -> bool:
        """Tell whether a dataset is found by what its document says; raises `NotFound`."""
        with self._connections.reading() as connection:
            return is_indexed(connection, self._row(connection, pid))

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong in the file itself; raises `DamagedCatalog`."""
        with self._connections.reading() as connection:
            found = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def rebuild(self, rows: Iterable[CatalogRow], *, journal_end: int, by: User) -> bool:
        """Replace everything but the journal by rows; False if the journal has grown meanwhile.

        The rows are written to a file of their own first and come in as one transaction.
        """
        self._require_everything()
        part = part_of(self._connections.path)
        try:
            fill(part, rows)
            return adopt(self._connections, part, journal_end=journal_end, by=by)
        finally:
            part.unlink(missing_ok=True)

    def _require_everything(self) -> None:
        if self._visible != EVERY:
            raise ParameterError("this view of the catalog does not show everything")

    def close(self) -> None:
        """Close the file; views made by `as_seen_through` close with it."""
        self._connections.close()

    def _write(
        self,
        connection: sqlite3.Connection,
        dataset: Dataset,
        stored: StoredRow | None,
        by: User,
        what: str,
        detail: Mapping[str, Any],
        replicas: Iterable[Replica] = (),
    ) -> Dataset:
        """Write what differs from the stored row, with change and event in one transaction."""
        document = dataset.to_document()
        row = stored
        if row is not None and dataset.definition and dataset.definition not in self._schemas:
            # The plugin that knows where its search fields are is not installed now.
            document["canonical"] = row.document.get("canonical", {})
        if row is None or storable({**document, "rev": row.rev}) != row.document:
            row = write_document(connection, document, what, stored)
            append_event(connection, by, what, dataset.pid, {"rev": row.rev, **detail})
        if dataset.file_list is not None:
            write_manifest(connection, row.id, dataset.file_list)
        write_replicas(connection, row.id, replicas)
        return replace(dataset, rev=row.rev, file_list=read_manifest(connection, row))

    def _with_edits(self, connection: sqlite3.Connection, dataset: Dataset) -> Dataset:
        """Return a description from files with what people said of it since."""
        events = list(read_events(connection, pid=dataset.pid))
        plain = dataset.to_document()
        document = edited(plain, events)
        if document == plain:
            return dataset
        return replace(self._dataset(document), rev=dataset.rev, file_list=dataset.file_list)

    def _condition(self, query: Query) -> Condition:
        return compile_query(query if self._visible == EVERY else And((self._visible, query)))

    def _sees(self, connection: sqlite3.Connection, pid: str) -> bool:
        condition = self._condition(Compare("pid", "=", pid))
        sql = f"SELECT 1 FROM dataset AS d WHERE {condition.sql}"
        return connection.execute(sql, condition.parameters).fetchone() is not None

    def _row(self, connection: sqlite3.Connection, pid: str) -> StoredRow:
        row = read_row(connection, pid)
        if row is None or not self._sees(connection, pid):
            raise NotFound(
                f"the catalog has no dataset {pid!r}",
                remedy="List what there is by `lightwell find`",
            )
        return row

    def _dataset(self, document: Mapping[str, Any]) -> Dataset:
        return Dataset.from_document(document, self._schemas)

    def _sources(self, connection: sqlite3.Connection, pid: str) -> list[str]:
        row = read_row(connection, pid)
        if row is None or not self._sees(connection, pid):
            return []
        return list(row.document.get("derived_from", ()))

    def _results(self, connection: sqlite3.Connection, pid: str) -> list[str]:
        condition = self._condition(Compare("derived_from", "=", pid))
        sql = f"SELECT d.pid FROM dataset AS d WHERE {condition.sql} ORDER BY d.created, d.pid"
        return [found for (found,) in connection.execute(sql, condition.parameters)]


def _check_newest(dataset: Dataset, stored: StoredRow | None) -> None:
    """Raise `Conflict` unless a dataset builds on the stored revision."""
    newest = stored.rev if stored else 0
    if dataset.rev != newest:
        raise Conflict(
            f"{dataset.pid} was changed meanwhile: yours is revision {dataset.rev}, "
            f"the catalog has {newest}",
            remedy="Get it again and repeat the change",
        )


def _described_anew(dataset: Dataset, stored: Dataset) -> Dataset:
    """Return a new description with what does not come from the files kept as it was."""
    return replace(
        dataset,
        created=stored.created,
        owner=stored.owner,
        retired=stored.retired,
        superseded_by=stored.superseded_by,
        replicas=dataset.replicas or stored.replicas,
        rev=stored.rev,
    )
