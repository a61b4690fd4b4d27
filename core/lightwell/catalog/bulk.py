"""Many rows at once: what they are found by is put in order first and written at the end.

A row written into the middle of a large index costs a page read and a page written; rows in the
order of the index cost a few bytes each.
"""

# ruff: noqa: S608 - only names of our own tables go into the text; values are parameters.

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lightwell.catalog.counters import COUNTERS, DROP_COUNTERS, RECOUNT
from lightwell.catalog.records import CatalogRow
from lightwell.catalog.rows import write_plain_rows
from lightwell.catalog.settling import settle_derived
from lightwell.catalog.tables import Connections, statements

__all__ = ["BulkWriter", "replace_rows"]

_TABLES: Final = ("dataset", "attr", "manifest_file", "replica", "share", "total")
_CACHE_KIB: Final = 256 * 1024
# The words of a batch are held in memory and written once.
_WORDS_BYTES: Final = 64 << 20
_WORDS_USUALLY: Final = 1 << 20
_STAGED: Final = """
    CREATE TABLE staged (path TEXT, type TEXT, value, doc INTEGER);
    CREATE TABLE unmade (script TEXT);
"""
_IN_ORDER: Final = """
    INSERT INTO attr SELECT path, type, value, doc FROM staged ORDER BY path, type, value, doc;
    DROP TABLE staged;
    DROP TABLE unmade;
"""


class BulkWriter:
    """Writes many rows into a new file that nobody else has open, and that may be lost.

    Until `finish` nothing in it is found by what it says. Close it whatever happens; what was
    closed unfinished is gone on with by another one.
    """

    def __init__(self, path: Path) -> None:
        self._connections = Connections(path)
        connection = self._connections.connection()
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        with self._connections.writing() as connection:
            begun = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'staged'")
            if begun.fetchone() is None:
                _run(connection, DROP_COUNTERS + _STAGED)
                connection.execute("INSERT INTO unmade VALUES (?)", (_drop_indexes(connection),))
                _hold_words(connection, _WORDS_BYTES)

    def write(self, rows: Iterable[CatalogRow]) -> None:
        """Write rows of datasets that are not there yet, each of the revision it says."""
        with self._connections.writing() as connection:
            write_plain_rows(connection, rows)

    def finish(self) -> None:
        """Make what the rows are found by, the access of derived ones, and the counts."""
        with self._connections.writing() as connection:
            [indexes] = connection.execute("SELECT script FROM unmade").fetchone()
            _run(connection, _IN_ORDER + indexes)
            settle_derived(connection)
            _run(connection, RECOUNT + COUNTERS)
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            _hold_words(connection, _WORDS_USUALLY)
        self._connections.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the file back."""
        self._connections.close()


def replace_rows(connection: sqlite3.Connection, source: str) -> None:
    """Replace all rows by those of an attached catalog, in the transaction of the caller."""
    _run(connection, DROP_COUNTERS)
    indexes = _drop_indexes(connection)
    for table in _TABLES:
        connection.execute(f"DELETE FROM main.{table}")
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM {source}.{table}")
    connection.execute("DELETE FROM main.words")
    connection.execute(
        f"INSERT INTO main.words (rowid, text) SELECT rowid, text FROM {source}.words"
    )
    _run(connection, indexes + RECOUNT + COUNTERS)


def _drop_indexes(connection: sqlite3.Connection) -> str:
    """Drop the indexes of the large tables; return the script that makes them again."""
    found = connection.execute(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        "AND tbl_name IN ('dataset', 'attr') ORDER BY rowid"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX main.{name}")
    return "".join(f"{sql};" for _, sql in found)


def _hold_words(connection: sqlite3.Connection, size: int) -> None:
    """Say how many bytes of new words are held before they are written."""
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?)", (size,))


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in statements(script):
        connection.execute(statement)
