"""The embedded catalog: one SQLite file, several processes reading and writing."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.rebuild import adopt, fill, part_of
from lightwell.catalog.records import CatalogRow, Index
from lightwell.catalog.settling import settle_older
from lightwell.catalog.sqlite_records import SqliteRecords
from lightwell.catalog.tables import Connections
from lightwell.model import Entry
from lightwell.users import User

__all__ = ["SqliteCatalog"]


class SqliteCatalog(DocumentCatalog):
    """A catalog in one file, made if it is not there; `schemas` are the installed definitions.

    Threads and forked processes may share one object: each gets its own connection.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schemas: Mapping[str, type[Entry]] | None = None,
    ) -> None:
        super().__init__(schemas)
        self._connections = Connections(Path(path))
        settle_older(self._connections)

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(self._connections.path)

    @contextmanager
    def reading(self) -> Iterator[SqliteRecords]:
        """Open the records to read, all from one moment."""
        with self._connections.reading() as connection:
            yield SqliteRecords(connection)

    @contextmanager
    def writing(self) -> Iterator[SqliteRecords]:
        """Open the records to change in one transaction; raises `Conflict` where they are busy."""
        with self._connections.writing() as connection:
            yield SqliteRecords(connection)

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

    def add_index(self, field: str) -> Index:
        """Keep the values of a field counted, which makes its facets quick."""
        self._require_everything()
        with self.writing() as records:
            return records.count_field(field)

    def close(self) -> None:
        """Close the file; views made by `as_seen_through` close with it."""
        self._connections.close()
