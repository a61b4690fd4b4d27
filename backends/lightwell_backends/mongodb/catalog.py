"""The catalog in MongoDB: many services and people reading and writing."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.records import CatalogRow, Index
from lightwell.model import Entry
from lightwell.users import User
from lightwell_backends.mongodb.documents import path_of
from lightwell_backends.mongodb.layout import ADDED, prepare
from lightwell_backends.mongodb.rebuilding import rebuild
from lightwell_backends.mongodb.records import MongoRecords, WritingRecords
from lightwell_backends.mongodb.server import Server
from lightwell_backends.mongodb.writing import Lock

__all__ = ["MongoCatalog"]


class MongoCatalog(DocumentCatalog):
    """A catalog in one database of a MongoDB server, made if it is not there.

    `url` is `mongodb://host:port/database?options`; name and password come from the environment.
    Threads and forked processes may share one object.
    """

    def __init__(self, url: str, *, schemas: Mapping[str, type[Entry]] | None = None) -> None:
        super().__init__(schemas)
        self._server = Server(url)
        with self._server.explained():
            prepare(self._server.database, self.location)

    @property
    def location(self) -> str:
        """The address, without options."""
        return self._server.location

    @contextmanager
    def reading(self) -> Iterator[MongoRecords]:
        """Open the records to read; each question is answered from one moment."""
        with self._server.explained():
            yield MongoRecords(self._server)

    @contextmanager
    def writing(self) -> Iterator[WritingRecords]:
        """Open the records to change, all at once; raises `Conflict` where others are at it."""
        with self._server.explained():
            lock = Lock(self._server)
            writes = lock.take()
            try:
                yield WritingRecords(self._server, lock, writes)
            except BaseException:
                lock.give_back()
                raise
            lock.commit(writes)

    def problems(self) -> list[str]:
        """Return what the server finds wrong in the collections; raises `DamagedCatalog`."""
        found: list[str] = []
        with self._server.explained():
            database = self._server.database
            for name in sorted(database.list_collection_names()):
                said = database.command("validate", name)
                found += [f"{name}: {error}" for error in said.get("errors", ())]
        return found

    def rebuild(self, rows: Iterable[CatalogRow], *, journal_end: int, by: User) -> bool:
        """Replace everything but the journal by rows; False if the journal has grown meanwhile.

        The rows are written beside the old ones, and take their name in one step.
        """
        self._require_everything()
        with self._server.explained():
            return rebuild(self._server, rows, journal_end=journal_end, by=by)

    def add_index(self, field: str) -> Index:
        """Make an index of a field that holds the newest of each value first."""
        self._require_everything()
        path = path_of(field)
        with self._server.explained():
            keys = [(path, 1), ("created", -1), ("pid", -1)]
            self._server.database["dataset"].create_index(keys, name=f"{ADDED}{path}")
        return Index(
            f"{ADDED}{path}", (path, "created", "pid"), f"the newest of one {path}", added=True
        )

    def close(self) -> None:
        """Close the connection; views made by `as_seen_through` close with it."""
        self._server.close()
