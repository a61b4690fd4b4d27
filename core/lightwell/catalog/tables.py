"""The tables of the embedded catalog, their migrations, and connections to them."""

# ruff: noqa: S608 - only names of our own tables go into the text.

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lightwell.catalog.compiler import FOLD
from lightwell.catalog.counters import COUNTED, COUNTERS, RECOUNT
from lightwell.catalog.records import DamagedCatalog
from lightwell.disks import needing_room
from lightwell.errors import Conflict, DiskFull, UnreadableFile
from lightwell.failpoints import failpoint

__all__ = ["MIGRATIONS", "Connections", "statements"]

_BUSY_SECONDS: Final = 30.0
# What SQLite takes for the memory that its readers share, at the least.
_SHARED_MEMORY: Final = 1 << 16

MIGRATIONS: Final = (
    """
    CREATE TABLE dataset (
        id INTEGER PRIMARY KEY,
        pid TEXT NOT NULL UNIQUE,
        rev INTEGER NOT NULL,
        kind TEXT, definition TEXT, importer TEXT, owner TEXT, proposal TEXT, path TEXT,
        created TEXT NOT NULL,
        retired INTEGER NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX dataset_created ON dataset (retired, created, pid);
    CREATE INDEX dataset_kind ON dataset (kind, created, pid);
    CREATE INDEX dataset_definition ON dataset (definition, created, pid);
    CREATE INDEX dataset_owner ON dataset (owner, created, pid);
    CREATE INDEX dataset_proposal ON dataset (proposal, created, pid);
    CREATE INDEX dataset_path ON dataset (path);
    CREATE INDEX dataset_importer ON dataset (importer);
    -- `value` has no type on purpose: a whole number, a floating one and a text stay what they are.
    CREATE TABLE attr (
        path TEXT NOT NULL, type TEXT NOT NULL, value NOT NULL, doc INTEGER NOT NULL,
        PRIMARY KEY (path, type, value, doc)
    ) WITHOUT ROWID;
    CREATE INDEX attr_doc ON attr (doc);
    -- The words are cut and folded before they come here; this tokeniser only splits at blanks.
    CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'ascii', detail = none, prefix = '3');
    CREATE TABLE manifest_file (
        doc INTEGER NOT NULL, position INTEGER NOT NULL,
        name TEXT NOT NULL, role TEXT NOT NULL,
        size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT,
        PRIMARY KEY (doc, position)
    ) WITHOUT ROWID;
    CREATE TABLE replica (
        doc INTEGER NOT NULL, store TEXT NOT NULL, path TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (doc, store, path)
    ) WITHOUT ROWID;
    CREATE TABLE change (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL, pid TEXT NOT NULL, rev INTEGER NOT NULL, what TEXT NOT NULL
    );
    CREATE TABLE journal (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, pid TEXT, detail TEXT NOT NULL
    );
    CREATE INDEX journal_pid ON journal (pid);
    CREATE TRIGGER journal_is_not_edited BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
    CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
    """,
    """
    CREATE TABLE share (
        doc INTEGER PRIMARY KEY, owner TEXT NOT NULL,
        datasets INTEGER NOT NULL, retired INTEGER NOT NULL,
        total INTEGER NOT NULL, raw INTEGER NOT NULL, tape INTEGER NOT NULL, disk INTEGER NOT NULL
    );
    CREATE TABLE total (
        owner TEXT PRIMARY KEY,
        datasets INTEGER NOT NULL, retired INTEGER NOT NULL,
        total INTEGER NOT NULL, raw INTEGER NOT NULL, tape INTEGER NOT NULL, disk INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    f"""
    CREATE INDEX dataset_newest ON dataset (created, pid);
    CREATE TABLE counted (path TEXT PRIMARY KEY, added INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counted VALUES {", ".join(f"('{path}', 0)" for path in COUNTED)};
    CREATE TABLE facet (
        path TEXT NOT NULL, type TEXT NOT NULL, value NOT NULL, datasets INTEGER NOT NULL,
        PRIMARY KEY (path, type, value)
    ) WITHOUT ROWID;
    CREATE INDEX facet_most ON facet (path, datasets DESC, type, value);
    {RECOUNT}
    {COUNTERS}
    """,
)
"""One script per version of the tables; a published one is never edited, another is added."""


class Connections:
    """Connections to one database file: one per thread and process, opened when needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[tuple[int, sqlite3.Connection]] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.explained():
            _migrate(self.connection(), path)

    def connection(self) -> sqlite3.Connection:
        """Return the connection of this thread in this process."""
        found: tuple[int, sqlite3.Connection] | None = getattr(self._local, "found", None)
        # SQLite's locks do not survive a fork: a child opens its own.
        if found is None or found[0] != os.getpid():
            found = (os.getpid(), self._open())
            self._local.found = found
            with self._lock:
                self._opened.append(found)
        return found[1]

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.create_function(FOLD, 1, _folded, deterministic=True)
        _use_wal(connection)
        # FULL: what was acknowledged survives a power cut, which `release-source` relies on.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a transaction that is wholly done or not at all.

        Raises `Conflict` if other processes keep the catalog locked.
        """
        with self.explained():
            connection = self.connection()
            # IMMEDIATE takes the lock before reading: two writers never build on one revision.
            connection.execute("BEGIN IMMEDIATE")
            failpoint("catalog-begun")
            try:
                yield connection
                failpoint("catalog-written")
                connection.execute("COMMIT")
                failpoint("catalog-committed")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose answers all come from one moment."""
        with self.explained():
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what SQLite says into a sentence with a remedy."""
        try:
            with needing_room(self.path.parent):
                yield
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise Conflict(
                    f"other processes kept the catalog locked for {_BUSY_SECONDS:.0f} s",
                    where=str(self.path),
                    remedy="Try again when they are done",
                ) from error
            if shutil.disk_usage(self.path.parent).free < _SHARED_MEMORY:
                # SQLite calls a log that cannot grow an error of input and output.
                raise DiskFull(
                    f"the disk is full ({error})",
                    where=str(self.path.parent),
                    remedy="Make room or choose another disk; nothing was left behind",
                ) from error
            raise UnreadableFile(
                f"the catalog cannot be used ({error})",
                where=str(self.path),
                remedy="Check that you may write there, and that the disk is sound",
            ) from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise DamagedCatalog(
                f"this is no catalog, or a damaged one ({error})",
                where=str(self.path),
                remedy="Make it anew from the files by `lightwell reindex`",
            ) from error

    def close(self) -> None:
        """Close every connection this process has opened."""
        with self._lock:
            mine = [each for process, each in self._opened if process == os.getpid()]
            self._opened.clear()
        for connection in mine:
            connection.close()
        self._local = threading.local()


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _folded(value: Any) -> str | None:
    return value.casefold() if isinstance(value, str) else None


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, which the busy timeout does not cover."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline or not _is_busy(error):
                raise
            time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to the newest version, each step in one transaction."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version >= len(MIGRATIONS):
            connection.execute("ROLLBACK")
            break
        try:
            for statement in statements(MIGRATIONS[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            failpoint("tables-written")
            connection.execute("COMMIT")
            failpoint("tables-committed")
        except BaseException:
            # A full disk has SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if version > len(MIGRATIONS):
        raise UnreadableFile(
            f"the catalog has tables of version {version}, this lightwell knows {len(MIGRATIONS)}",
            where=str(path),
            remedy="Update lightwell",
        )


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements; `executescript` would commit between them."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
