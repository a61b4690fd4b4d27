"""Documents and logs of a catalog in MongoDB, to read and to write."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Any, Final

from pymongo.collection import Collection

from lightwell.catalog.documents import to_text
from lightwell.catalog.journal import Event
from lightwell.catalog.query import EVERY, Query, is_every
from lightwell.catalog.records import Change, DamagedCatalog, FacetValue, Index, StoredRow
from lightwell.catalog.totals import Totals
from lightwell.datasets import now
from lightwell.manifests import Manifest, ManifestFile
from lightwell.storage import Replica
from lightwell.users import User
from lightwell_backends.mongodb.compiler import Filter, compile_filter
from lightwell_backends.mongodb.documents import (
    FILES,
    OWN,
    RETIRED,
    WRITE,
    from_stored,
    to_stored,
)
from lightwell_backends.mongodb.explaining import steps_of
from lightwell_backends.mongodb.facets import facet_pipeline
from lightwell_backends.mongodb.layout import NEWEST, described
from lightwell_backends.mongodb.server import Document, Server
from lightwell_backends.mongodb.totals import OwnerSums, kept_totals, seen_totals
from lightwell_backends.mongodb.writing import Lock, Writes

__all__ = ["MongoRecords", "WritingRecords", "manifest_parts"]

_FILES_AT_ONCE: Final = 5000
_PIDS_AT_ONCE: Final = 1000
_SHOWN: Final = {name: 0 for name in OWN if name not in ("_id", FILES)}


class MongoRecords:
    """What can be read; each question is answered from one moment of its own."""

    def __init__(self, server: Server) -> None:
        self._database = server.database

    @property
    def datasets(self) -> "Collection[Document]":
        """The stored documents."""
        return self._database["dataset"]

    def read(self, pid: str) -> StoredRow | None:
        stored = self.datasets.find_one({"_id": pid}, _SHOWN)
        return None if stored is None else _row(stored)

    def sees(self, query: Query, pid: str) -> bool:
        condition = {"$and": [{"_id": pid}, compile_filter(query)]}
        return self.datasets.find_one(condition, {"_id": 1}) is not None

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        about = {"_id": {"$gt": after}, **({"pid": pid} if pid is not None else {})}
        for each in self._database["journal"].find(about).sort("_id"):
            yield _event(each)

    def manifest(self, row: StoredRow) -> Manifest:
        pid = row.document["pid"]
        while True:
            files = self._files(row.id)
            if files or row.document["manifest"]["files"] == 0:
                return Manifest(row.document["manifest"]["root"], files)
            # Replaced between the two questions: the new document names the new list.
            again = self.read(pid)
            if again is None or again.id == row.id:
                raise DamagedCatalog(
                    f"the catalog has no list of files of {pid}",
                    remedy="Make it anew from the files by `lightwell reindex`",
                )
            row = again

    def _files(self, key: str | None) -> tuple[ManifestFile, ...]:
        parts = self._database["manifest"].find({"key": key}).sort("part")
        return tuple(ManifestFile(*each) for part in parts for each in part["files"])

    def replicas(self, row: StoredRow) -> tuple[Replica, ...]:
        found = self._database["replica"].find({"pid": row.document["pid"]})
        return tuple(
            Replica.from_document(json.loads(each["document"]))
            for each in found.sort([("store", 1), ("path", 1)])
        )

    def find(
        self, query: Query, *, limit: int, before: tuple[str, str] | None, retired: bool
    ) -> list[dict[str, Any]]:
        condition = _listed(query, before, retired=retired)
        found = self.datasets.find(condition, _SHOWN).sort(list(NEWEST)).limit(limit)
        return [from_stored(each) for each in found]

    def count(self, query: Query, *, at_most: int) -> int:
        condition = _listed(query, None, retired=False)
        return self.datasets.count_documents(condition, limit=at_most)

    def facet(
        self, field: str, query: Query, *, at_most: int, newest: int | None = None
    ) -> tuple[FacetValue, ...]:
        pipeline = facet_pipeline(field, compile_filter(query), at_most, newest)
        found = self.datasets.aggregate(pipeline, allowDiskUse=True)
        return tuple(FacetValue(each["_id"]["v"], each["n"]) for each in found)

    def pids(self, query: Query) -> list[str]:
        found = self.datasets.find(compile_filter(query), {"_id": 1}, allow_disk_use=True)
        return [each["_id"] for each in found.sort([("created", 1), ("pid", 1)])]

    def changes(self, query: Query, *, after: int, limit: int) -> tuple[Change, ...]:
        found: list[Change] = []
        while len(found) < limit:
            some = list(
                self._database["change"]
                .find({"_id": {"$gt": after}})
                .sort("_id")
                .limit(min(limit, _PIDS_AT_ONCE))
            )
            if not some:
                break
            after = some[-1]["_id"]
            pids = list({each["pid"] for each in some})
            visible = {"$and": [{"_id": {"$in": pids}}, compile_filter(query)]}
            seen = {each["_id"] for each in self.datasets.find(visible, {"_id": 1})}
            found += [
                Change(each["_id"], each["at"], each["pid"], each["rev"], each["what"])
                for each in some
                if each["pid"] in seen
            ]
        return tuple(found[:limit])

    def totals(self, query: Query) -> Totals:
        if is_every(query):
            return kept_totals(self._database)
        return seen_totals(self._database, compile_filter(query))

    def is_indexed(self, row: StoredRow) -> bool:
        stored = self.datasets.find_one({"_id": row.document["pid"]})
        return stored == {**to_stored(row.document, row.id), WRITE: (stored or {}).get(WRITE)}

    def explain(self, query: Query, *, limit: int) -> tuple[str, ...]:
        asked = {
            "find": "dataset",
            "filter": _listed(query, None, retired=False),
            "sort": dict(NEWEST),
            "limit": limit,
        }
        found = self._database.command("explain", asked, verbosity="queryPlanner")
        return steps_of(found)

    def indexes(self) -> tuple[Index, ...]:
        found = self.datasets.index_information()
        every = [described(name, about["key"]) for name, about in found.items()]
        return tuple(sorted(every, key=lambda index: index.added))


class WritingRecords(MongoRecords):
    """What a writer reads and writes; nothing of it is there before the whole is.

    What was written is seen by `read`, `manifest` and `events`, and not by what searches.
    """

    def __init__(self, server: Server, lock: Lock, writes: Writes) -> None:
        super().__init__(server)
        self._lock, self._writes = lock, writes
        self._rows: dict[str, StoredRow] = {}
        self._lists: dict[str | None, Manifest] = {}
        self._appended: list[Event] = []
        self._sums = OwnerSums(server.database)

    def read(self, pid: str) -> StoredRow | None:
        return self._rows.get(pid) or super().read(pid)

    def manifest(self, row: StoredRow) -> Manifest:
        row = self._rows.get(row.document["pid"], row)
        return self._lists.get(row.id) or super().manifest(row)

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        yield from super().events(after=after, pid=pid)
        yield from (
            event
            for event in self._appended
            if event.number > after and (pid is None or event.pid == pid)
        )

    def write(self, document: Mapping[str, Any], what: str, stored: StoredRow | None) -> StoredRow:
        self._lock.hold()
        rev = stored.rev + 1 if stored else 1
        row = self._put({**document, "rev": rev}, stored)
        self._writes.change += 1
        change = {"at": now(), "pid": document["pid"], "rev": rev, "what": what}
        self._act("change", {"_id": self._writes.change, **change})
        return row

    def rewrite(self, document: Mapping[str, Any], stored: StoredRow | None) -> StoredRow:
        self._lock.hold()
        return self._put(document, stored)

    def write_changes(self, changes: Iterable[Change]) -> None:
        for each in changes:
            self._writes.change = max(self._writes.change, each.number)
            facts = {"at": each.at, "pid": each.pid, "rev": each.rev, "what": each.what}
            self._act("change", {"_id": each.number, **facts})

    def _put(self, document: Mapping[str, Any], before: StoredRow | None) -> StoredRow:
        stored = to_stored(document, before.id if before else None)
        stored[WRITE] = self._writes.number
        row = StoredRow(stored[FILES], stored["rev"], from_stored(stored))
        self._act("dataset", stored)
        for sums in self._sums.replace(before.document if before else None, row.document):
            self._act("total", sums)
        self._rows[stored["pid"]] = row
        return row

    def append(
        self,
        by: User,
        what: str,
        pid: str | None,
        detail: Mapping[str, Any],
        *,
        at: str | None = None,
    ) -> None:
        self.write_events([Event(self._writes.event + 1, at or now(), by.name, what, pid, detail)])

    def write_events(self, events: Iterable[Event]) -> None:
        for event in events:
            self._writes.event = max(self._writes.event, event.number)
            self._appended.append(event)
            self._act("journal", stored_event(event))

    def write_manifest(self, row: StoredRow, manifest: Manifest) -> None:
        row = self._rows.get(row.document["pid"], row)
        if row.id is not None and self.manifest(row).files == manifest.files:
            return
        key, parts = manifest_parts(row.document["pid"], manifest)
        for part in parts:
            self._act("manifest", part)
        self._lists[key] = Manifest(row.document["manifest"]["root"], manifest.files)
        self._put(row.document, row._replace(id=key))

    def write_replicas(self, row: StoredRow, replicas: Iterable[Replica]) -> None:
        for each in replicas:
            self._act("replica", stored_replica(row.document["pid"], each))

    def _act(self, into: str, document: Document) -> None:
        acts = self._writes.acts
        if into in ("dataset", "total"):
            # Only the last of several writes of one document counts.
            acts[:] = [
                a for a in acts if a["into"] != into or a["document"]["_id"] != document["_id"]
            ]
        acts.append({"into": into, "document": document})


def stored_event(event: Event) -> Document:
    """Return an event as it is stored; its details hold keys of any kind, and so are one text."""
    detail = json.dumps(event.detail, ensure_ascii=False)
    facts = {"at": event.at, "who": event.who, "what": event.what, "pid": event.pid}
    return {"_id": event.number, **facts, "detail": detail}


def _event(stored: Document) -> Event:
    facts = (stored["at"], stored["who"], stored["what"], stored["pid"])
    return Event(stored["_id"], *facts, json.loads(stored["detail"]))


def stored_replica(pid: str, replica: Replica) -> Document:
    """Return a copy as it is stored, one per place."""
    place = {"pid": pid, "store": replica.store, "path": replica.path}
    return {"_id": place, **place, "document": to_text(replica.to_document())}


def manifest_parts(pid: str, manifest: Manifest) -> tuple[str, list[Document]]:
    """Return the key of a list of files, and the list in parts of a bearable size."""
    key = f"{pid}:{secrets.token_hex(8)}"
    rows = [list(astuple(file)) for file in manifest.files]
    starts = range(0, len(rows), _FILES_AT_ONCE)
    return key, [
        {
            "_id": f"{key}:{number}",
            "key": key,
            "part": number,
            "files": rows[start : start + _FILES_AT_ONCE],
        }
        for number, start in enumerate(starts)
    ]


def _row(stored: Document) -> StoredRow:
    document = from_stored(stored)
    try:
        return StoredRow(stored.get(FILES), int(document["rev"]), document)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedCatalog(
            f"what the catalog says of {stored['_id']} is damaged ({error!r})",
            remedy="Make it anew from the files by `lightwell reindex`",
        ) from error


def _listed(query: Query, before: tuple[str, str] | None, *, retired: bool) -> Filter:
    clauses: list[Filter] = [] if query == EVERY else [compile_filter(query)]
    if not retired:
        clauses.append({RETIRED: False})
    if before is not None:
        created, pid = before
        # The first clause bounds the walk through the index, the second is exact.
        clauses.append({"created": {"$lte": created}})
        clauses.append({"$or": [{"created": {"$lt": created}}, {"pid": {"$lt": pid}}]})
    return {"$and": clauses} if clauses else {}
