"""A catalog written anew beside the old one, which takes its name all at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from lightwell.access import grants_in
from lightwell.catalog.journal import Event
from lightwell.catalog.records import CatalogRow
from lightwell.catalog.rights import with_access
from lightwell.catalog.settling import in_order
from lightwell.datasets import now
from lightwell.failpoints import failpoint
from lightwell.users import User
from lightwell_backends.mongodb.documents import FILES, from_stored, to_stored
from lightwell_backends.mongodb.layout import ADDED, make_indexes
from lightwell_backends.mongodb.records import manifest_parts, stored_event, stored_replica
from lightwell_backends.mongodb.server import Document, Server
from lightwell_backends.mongodb.totals import OwnerSums
from lightwell_backends.mongodb.writing import Lock, Writes

__all__ = ["fill", "rebuild"]

_AT_ONCE: Final = 500
_MADE: Final = (
    ("dataset_rebuilt", "dataset"),
    ("replica_rebuilt", "replica"),
    ("total_rebuilt", "total"),
)


def rebuild(server: Server, rows: Iterable[CatalogRow], *, journal_end: int, by: User) -> bool:
    """Replace documents, lists of files and copies; False if the journal has grown meanwhile."""
    database = server.database
    for made, _ in _MADE:
        database.drop_collection(made)
    fill(server, rows)
    failpoint("reindex-filled")
    lock = Lock(server)
    writes = lock.take()
    if writes.event != journal_end:
        lock.give_back()
        return False
    _note_changes(server, writes, by, lock)
    writes.renames = _MADE
    lock.commit(writes)
    lock.take()
    _forget_lists(server)
    lock.give_back()
    return True


def fill(server: Server, rows: Iterable[CatalogRow]) -> None:
    """Write rows, each of the revision its document says, beside the catalog."""
    database = server.database
    waiting = iter(rows)
    sums = OwnerSums()
    while batch := list(islice(waiting, _AT_ONCE)):
        documents: list[Document] = []
        parts: list[Document] = []
        copies: list[Document] = []
        for row in batch:
            pid = str(row.document["pid"])
            key, files = manifest_parts(pid, row.manifest)
            document = row.document
            if not document.get("derived_from"):
                document = with_access(document, grants_in(document), lambda _: None)
            documents.append(to_stored(document, key))
            sums.replace(None, document)
            parts += files
            copies += [stored_replica(pid, each) for each in row.replicas]
        for name, some in (("manifest", parts), ("replica_rebuilt", copies)):
            for start in range(0, len(some), _AT_ONCE):
                database[name].insert_many(some[start : start + _AT_ONCE], ordered=False)
        database["dataset_rebuilt"].insert_many(documents, ordered=False)
    if totals := sums.documents():
        database["total_rebuilt"].insert_many(totals)
    make_indexes(database["dataset_rebuilt"])
    _settle_derived(server)
    for name, about in database["dataset"].index_information().items():
        if name.startswith(ADDED):
            database["dataset_rebuilt"].create_index(about["key"], name=name)
    place = [("pid", 1), ("store", 1), ("path", 1)]
    database["replica_rebuilt"].create_index(place, name="place", unique=True)


def _settle_derived(server: Server) -> None:
    """Give every derived dataset the rules that follow from its inputs and its own grants."""
    made = server.database["dataset_rebuilt"]

    def read(pid: str) -> Document | None:
        stored = made.find_one({"_id": pid})
        return from_stored(stored) if stored else None

    sources = {
        each["_id"]: set(each["derived_from"])
        for each in made.find({"derived_from": {"$exists": True}}, {"derived_from": 1})
    }
    for pid in in_order(sources):
        stored = made.find_one({"_id": pid})
        if stored is not None:
            document = from_stored(stored)
            document = with_access(document, grants_in(document), read)
            made.replace_one({"_id": pid}, to_stored(document, stored[FILES]))


def _note_changes(server: Server, writes: Writes, by: User, lock: Lock) -> None:
    """Say in journal and change log which documents are not what they were."""
    for pid, rev, what in _changed(server):
        lock.hold()
        writes.event += 1
        event = Event(writes.event, now(), by.name, what, pid, {"rev": rev})
        writes.acts.append({"into": "journal", "document": stored_event(event)})
        writes.change += 1
        change = {"_id": writes.change, "at": now(), "pid": pid, "rev": rev, "what": what}
        writes.acts.append({"into": "change", "document": change})


def _changed(server: Server) -> Iterator[tuple[str, int, str]]:
    """Walk through old and new in the order of their pids."""
    old, new = (_revisions(server, name) for name in ("dataset", "dataset_rebuilt"))
    left, right = next(old, None), next(new, None)
    while left or right:
        if right and (left is None or right[0] < left[0]):
            yield *right, "reindexed"
            right = next(new, None)
        elif left and (right is None or left[0] < right[0]):
            yield *left, "left out"
            left = next(old, None)
        elif left and right:
            if left[1] != right[1]:
                yield *right, "reindexed"
            left, right = next(old, None), next(new, None)


def _revisions(server: Server, name: str) -> Iterator[tuple[str, int]]:
    for each in server.database[name].find({}, {"rev": 1}).sort("_id"):
        yield each["_id"], each.get("rev", 0)


def _forget_lists(server: Server) -> None:
    """Remove the lists of files that no document names any more."""
    database = server.database
    known = {each.get(FILES) for each in database["dataset"].find({}, {FILES: 1})}
    every = (each["_id"] for each in database["manifest"].aggregate([{"$group": {"_id": "$key"}}]))
    gone = (key for key in every if key not in known)
    while some := list(islice(gone, _AT_ONCE)):
        database["manifest"].delete_many({"key": {"$in": some}})
