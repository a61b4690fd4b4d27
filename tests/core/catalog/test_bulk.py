"""Rows written many at once make the same catalog, also where that was left and gone on with."""

import sqlite3
from pathlib import Path

from lightwell.access import grants_in
from lightwell.catalog import SqliteCatalog, where
from lightwell.catalog.bulk import BulkWriter
from lightwell.catalog.records import CatalogRow
from lightwell.catalog.rights import with_access
from lightwell.manifests import Manifest
from lightwell.testing.catalog_documents import odd_document


def rows(count: int) -> list[CatalogRow]:
    found = []
    for number in range(count):
        document = {**odd_document(number, attributes=30), "derived_from": []}
        document = with_access(document, grants_in(document), lambda _: None)
        found.append(CatalogRow(document, Manifest(document["manifest"]["root"], ()), ()))
    return found


def tables(path: Path) -> set[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = set(connection.execute("SELECT type, name FROM sqlite_master"))
    connection.close()
    return found


def test_writing_is_gone_on_with(tmp_path: Path) -> None:
    path, given = tmp_path / "catalog.sqlite", rows(40)
    for some in (given[:25], given[25:], []):
        writer = BulkWriter(path)
        if some:
            writer.write(some)
        else:
            writer.finish()
        writer.close()
    SqliteCatalog(tmp_path / "fresh.sqlite").close()
    assert tables(path) == tables(tmp_path / "fresh.sqlite")
    catalog = SqliteCatalog(path)
    assert [catalog.row(str(row.document["pid"])) for row in given] == given
    assert all(map(catalog.is_indexed, catalog.pids()))
    assert catalog.problems() == []
    # Every way to count leads to the same: the counts that are kept, and the rows themselves.
    everything = where("pid").exists()
    for field in ("beamline", "owner", "sample"):
        assert catalog.facet(field) == catalog.facet(field, everything)
    assert catalog.stats().datasets == len(given)
    catalog.close()
