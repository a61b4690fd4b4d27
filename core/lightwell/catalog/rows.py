"""Documents, file lists and copies in and out of the tables, inside a transaction of the caller."""

# ruff: noqa: S608 - only names of our own columns go into the text; values are parameters.

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import Any, Final

from lightwell.catalog.documents import attributes, storable, to_text
from lightwell.catalog.fields import PROMOTED
from lightwell.catalog.records import CatalogRow, DamagedCatalog, StoredRow
from lightwell.catalog.shares import write_new_shares, write_share
from lightwell.catalog.words import document_words
from lightwell.datasets import now
from lightwell.manifests import Manifest, ManifestFile
from lightwell.storage import Replica

__all__ = [
    "is_indexed",
    "read_manifest",
    "read_replicas",
    "read_row",
    "write_document",
    "write_manifest",
    "write_plain_rows",
    "write_replicas",
    "write_row",
]

_COLUMNS: Final = (*PROMOTED, "rev", "retired", "document")
_MARKS: Final = ", ".join("?" * len(_COLUMNS))


def read_row(connection: sqlite3.Connection, pid: str) -> StoredRow | None:
    """Return the stored document of a pid, or None; raises `DamagedCatalog` if it is none."""
    found = connection.execute(
        "SELECT id, rev, document FROM dataset WHERE pid = ?", (pid,)
    ).fetchone()
    try:
        return StoredRow(found[0], found[1], json.loads(found[2])) if found else None
    except (ValueError, TypeError) as error:
        raise DamagedCatalog(
            f"what the catalog says of {pid} is damaged ({error})",
            remedy="Make it anew from the files by `lightwell reindex`",
        ) from error


def write_document(
    connection: sqlite3.Connection, document: Mapping[str, Any], what: str, stored: StoredRow | None
) -> StoredRow:
    """Insert a document or replace the stored one, with all it is found by and its change.

    Raises `ParameterError` for a document that no store could keep.
    """
    row = write_row(connection, document, stored.rev + 1 if stored else 1, stored)
    connection.execute(
        "INSERT INTO change (at, pid, rev, what) VALUES (?, ?, ?, ?)",
        (now(), row.document["pid"], row.rev, what),
    )
    return row


def write_row(
    connection: sqlite3.Connection, document: Mapping[str, Any], rev: int, stored: StoredRow | None
) -> StoredRow:
    """Insert a document of a revision or replace the stored one, and say nothing of a change.

    Raises `ParameterError` for a document that no store could keep.
    """
    kept = storable({**document, "rev": rev})
    if stored is None:
        number = _insert(connection, kept)
        _write_attributes(connection, [(*row, number) for row in attributes(kept)])
    else:
        number = stored.id
        connection.execute(
            f"UPDATE dataset SET ({', '.join(_COLUMNS)}) = ({_MARKS}) WHERE id = ?",
            (*_values(kept), number),
        )
        _index(connection, number, kept)
    write_share(connection, number, kept)
    return StoredRow(number, rev, kept)


def write_plain_rows(connection: sqlite3.Connection, rows: Iterable[CatalogRow]) -> None:
    """Insert rows of datasets that are not there yet, each of the revision its document says.

    What they are found by waits in the table `staged`, which `lightwell.catalog.bulk` makes.
    """
    found: list[tuple[Any, ...]] = []
    shares: list[tuple[int, Mapping[str, Any]]] = []
    for row in rows:
        kept = storable(row.document)
        number = _insert(connection, kept)
        found += [(*each, number) for each in attributes(kept)]
        shares.append((number, kept))
        _insert_files(connection, number, row.manifest)
        if row.replicas:
            write_replicas(connection, number, row.replicas)
    connection.executemany("INSERT INTO staged VALUES (?, ?, ?, ?)", found)
    write_new_shares(connection, shares)


def _write_attributes(connection: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows that documents are found by."""
    connection.executemany("INSERT INTO attr (path, type, value, doc) VALUES (?, ?, ?, ?)", rows)


def _insert(connection: sqlite3.Connection, document: Mapping[str, Any]) -> int:
    cursor = connection.execute(
        f"INSERT INTO dataset ({', '.join(_COLUMNS)}) VALUES ({_MARKS})", _values(document)
    )
    number = int(cursor.lastrowid or 0)
    connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, _words(document)))
    return number


def _values(document: Mapping[str, Any]) -> list[Any]:
    values = [*(document.get(name) for name in PROMOTED), document["rev"]]
    return [*values, int(bool(document.get("retired"))), to_text(document)]


def _words(document: Mapping[str, Any]) -> str:
    return " ".join(sorted(document_words(document)))


def _index(connection: sqlite3.Connection, number: int, document: Mapping[str, Any]) -> None:
    """Bring the attribute rows and the words of a document up to date."""
    before = set(connection.execute("SELECT path, type, value FROM attr WHERE doc = ?", (number,)))
    after = attributes(document)
    connection.executemany(
        "DELETE FROM attr WHERE path = ? AND type = ? AND value = ? AND doc = ?",
        [(*row, number) for row in before - after],
    )
    _write_attributes(connection, [(*row, number) for row in after - before])
    words = _words(document)
    known = connection.execute("SELECT text FROM words WHERE rowid = ?", (number,)).fetchone()
    if known is None:
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, words))
    elif known[0] != words:
        connection.execute("UPDATE words SET text = ? WHERE rowid = ?", (words, number))


def is_indexed(connection: sqlite3.Connection, row: StoredRow) -> bool:
    """Tell whether a document is found by what it says: by its values, words and columns."""
    own = connection.execute("SELECT path, type, value FROM attr WHERE doc = ?", (row.id,))
    words = connection.execute("SELECT text FROM words WHERE rowid = ?", (row.id,)).fetchone()
    columns = connection.execute(
        f"SELECT {', '.join(PROMOTED)}, rev, retired FROM dataset WHERE id = ?", (row.id,)
    ).fetchone()
    said = [*(row.document.get(name) for name in PROMOTED), row.document.get("rev")]
    return (
        set(own) == attributes(row.document)
        and words == (_words(row.document),)
        and columns == (*said, int(bool(row.document.get("retired"))))
    )


def write_manifest(connection: sqlite3.Connection, number: int, manifest: Manifest) -> None:
    """Replace the list of files of a document, if it differs from the stored one."""
    if _read_files(connection, number) == manifest.files:
        return
    connection.execute("DELETE FROM manifest_file WHERE doc = ?", (number,))
    _insert_files(connection, number, manifest)


def _insert_files(connection: sqlite3.Connection, number: int, manifest: Manifest) -> None:
    connection.executemany(
        "INSERT INTO manifest_file (doc, position, name, role, size, mtime_ns, sha256) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((number, place, *astuple(file)) for place, file in enumerate(manifest.files)),
    )


def read_manifest(connection: sqlite3.Connection, row: StoredRow) -> Manifest:
    """Return the list of files of a stored document."""
    return Manifest(row.document["manifest"]["root"], _read_files(connection, row.id))


def _read_files(connection: sqlite3.Connection, number: int) -> tuple[ManifestFile, ...]:
    rows = connection.execute(
        "SELECT name, role, size, mtime_ns, sha256 FROM manifest_file WHERE doc = ? "
        "ORDER BY position",
        (number,),
    )
    return tuple(ManifestFile(*row) for row in rows)


def write_replicas(
    connection: sqlite3.Connection, number: int, replicas: Iterable[Replica]
) -> None:
    """Record copies, each replacing what was known of the same place."""
    connection.executemany(
        "INSERT OR REPLACE INTO replica (doc, store, path, document) VALUES (?, ?, ?, ?)",
        ((number, each.store, each.path, to_text(each.to_document())) for each in replicas),
    )


def read_replicas(connection: sqlite3.Connection, number: int) -> tuple[Replica, ...]:
    """Return the copies known of the files of a document, by store and path."""
    rows = connection.execute(
        "SELECT document FROM replica WHERE doc = ? ORDER BY store, path", (number,)
    )
    return tuple(Replica.from_document(json.loads(text)) for (text,) in rows)
