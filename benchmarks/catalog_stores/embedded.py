"""lightwell's catalogs: SQLite, and MongoDB."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from catalog_stores.base import Document
from lightwell.access import grants_in
from lightwell.catalog import SqliteCatalog, where
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.bulk import BulkWriter
from lightwell.catalog.query import Text
from lightwell.catalog.records import CatalogRow
from lightwell.catalog.rights import with_access
from lightwell.catalog.tables import Connections
from lightwell.datasets import Dataset
from lightwell.manifests import Manifest
from lightwell.users import User

__all__ = ["LightwellStore", "MongoStore", "SqliteStore"]

BENCH = User("bench")
_AT_ONCE = 2000


def ruled(document: Document) -> Document:
    return with_access(document, grants_in(document), lambda _: None)


class LightwellStore:
    """What both are asked, through the public catalog."""

    name: str
    catalog: DocumentCatalog

    def insert(self, document: Document) -> None:
        dataset = replace(Dataset.from_document(document), rev=0)
        files = Manifest(dataset.summary.root, ())
        self.catalog.put(dataset.with_manifest(files), by=BENCH)

    def point(self, pid: str) -> str:
        return self.catalog.get(pid).pid

    def newest(self) -> list[str]:
        return [each.pid for each in self.catalog.find()]

    def newest_of(self, beamline: str) -> list[str]:
        return [each.pid for each in self.catalog.find(where("beamline") == beamline)]

    def between(self, low: int, high: int) -> list[str]:
        number = where("original.scan_number")
        return [each.pid for each in self.catalog.find((number >= low) & (number < high))]

    def words(self, beginning: str) -> list[str]:
        return [each.pid for each in self.catalog.find(Text(beginning))]

    def facet(self, field: str) -> dict[str, int]:
        return {str(each.value): each.datasets for each in self.catalog.facet(field)}

    def facet_of(self, field: str, beamline: str) -> dict[str, int]:
        found = self.catalog.facet(field, where("beamline") == beamline, at_most=1000)
        return {str(each.value): each.datasets for each in found}

    def count(self, energy: float) -> int:
        return self.catalog.count(where("energy") > energy).number

    def update(self, pid: str, proposal: str) -> None:
        self.catalog.update(replace(self.catalog.get(pid), proposal=proposal), by=BENCH, why="")

    def close(self) -> None:
        if hasattr(self, "catalog"):
            self.catalog.close()


class SqliteStore(LightwellStore):
    """The embedded catalog."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "catalog.sqlite"
        self._writer: BulkWriter | None = None

    def loaded(self) -> int:
        connections = Connections(self._path)
        [count] = connections.connection().execute("SELECT count(*) FROM dataset").fetchone()
        connections.close()
        return int(count)

    def load(self, documents: Iterable[Document]) -> None:
        if self._writer is None:
            self._writer = BulkWriter(self._path)
        rows = (CatalogRow(ruled(each), Manifest(each["manifest"]["root"], ()), ())
                for each in documents)  # fmt: skip
        self._writer.write(rows)

    def finish(self) -> None:
        self._writer = self._writer or BulkWriter(self._path)
        self._writer.finish()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        super().close()

    def open(self) -> "SqliteStore":
        self.catalog = SqliteCatalog(self._path)
        return self


class MongoStore(LightwellStore):
    """The facility's catalog."""

    name = "mongodb"

    def __init__(self, url: str) -> None:
        self._url = url

    def loaded(self) -> int:
        from lightwell_backends.mongodb.server import Server

        server = Server(self._url)
        count = int(server.database["dataset"].estimated_document_count())
        server.close()
        return count

    def load(self, documents: Iterable[Document]) -> None:
        from lightwell_backends.mongodb.documents import to_stored
        from lightwell_backends.mongodb.server import Server

        server = Server(self._url)
        waiting = iter(documents)
        while batch := list(islice(waiting, _AT_ONCE)):
            stored = [to_stored(ruled(each), None) for each in batch]
            server.database["dataset"].insert_many(stored, ordered=False)
        server.close()

    def finish(self) -> None:
        self.open().close()

    def open(self) -> "MongoStore":
        from lightwell_backends.mongodb import MongoCatalog

        # The first to open it makes the indexes.
        self.catalog = MongoCatalog(self._url)
        return self
