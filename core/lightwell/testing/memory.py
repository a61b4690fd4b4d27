"""A catalog whose every answer is the matcher's: what others are held against."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

from lightwell.access import grants_in
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.documents import storable
from lightwell.catalog.fields import stored_path
from lightwell.catalog.journal import Event
from lightwell.catalog.matcher import matches, type_class, values_at
from lightwell.catalog.query import Query
from lightwell.catalog.records import CatalogRow, Change, FacetValue, Index, StoredRow
from lightwell.catalog.rights import with_access
from lightwell.catalog.settling import in_order
from lightwell.catalog.totals import Totals, totals_of
from lightwell.datasets import now
from lightwell.manifests import Manifest
from lightwell.model import Entry
from lightwell.storage import Replica
from lightwell.users import User

__all__ = ["MemoryCatalog"]

_Place = tuple[str, str]


@dataclass
class _Shelves:
    """All there is, by pid."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    lists: dict[str, Manifest] = field(default_factory=dict)
    copies: dict[str, dict[_Place, Replica]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


class MemoryCatalog(DocumentCatalog):
    """A catalog in the memory of one process, looked through from one end to the other."""

    def __init__(self, *, schemas: Mapping[str, type[Entry]] | None = None) -> None:
        super().__init__(schemas)
        self._shelves = _Shelves()
        self._lock = threading.RLock()

    @property
    def location(self) -> str:
        """Where it is kept."""
        return "memory"

    @contextmanager
    def reading(self) -> Iterator["MemoryRecords"]:
        """Open the records to read."""
        with self._lock:
            yield MemoryRecords(self._shelves)

    @contextmanager
    def writing(self) -> Iterator["MemoryRecords"]:
        """Open the records to change, all at once."""
        with self._lock:
            before = deepcopy(self._shelves)
            try:
                yield MemoryRecords(self._shelves)
            except BaseException:
                self._put_back(before)
                raise

    def _put_back(self, before: _Shelves) -> None:
        for each in fields(_Shelves):
            setattr(self._shelves, each.name, getattr(before, each.name))

    def problems(self) -> list[str]:
        """Return nothing: memory is sound."""
        return []

    def rebuild(self, rows: Iterable[CatalogRow], *, journal_end: int, by: User) -> bool:
        """Replace everything but the journal by rows; False if the journal has grown meanwhile."""
        self._require_everything()
        made = {str(row.document["pid"]): row for row in rows}
        with self.writing() as records:
            shelves = self._shelves
            if (shelves.events[-1].number if shelves.events else 0) != journal_end:
                return False
            old = {pid: document["rev"] for pid, document in shelves.documents.items()}
            shelves.documents = {pid: storable(row.document) for pid, row in made.items()}
            shelves.lists = {pid: row.manifest for pid, row in made.items()}
            shelves.copies = {
                pid: {(each.store, each.path): each for each in row.replicas}
                for pid, row in made.items()
            }
            records.settle()
            for pid in sorted({*old, *made}):
                rev = shelves.documents[pid]["rev"] if pid in made else old[pid]
                if pid not in made or old.get(pid) != rev:
                    what = "reindexed" if pid in made else "left out"
                    records.append(by, what, pid, {"rev": rev})
                    records.note(pid, rev, what)
            return True

    def add_index(self, field: str) -> Index:
        """Note that a field is asked for often; nothing is quicker for it."""
        self._require_everything()
        stored_path(field)
        if field not in self._shelves.added:
            self._shelves.added.append(field)
        return Index(field, (field,), "nothing", added=True)

    def close(self) -> None:
        """Keep everything: it is nowhere else."""


class MemoryRecords:
    """Records that look at every document."""

    def __init__(self, shelves: _Shelves) -> None:
        self._shelves = shelves

    def read(self, pid: str) -> StoredRow | None:
        document = self._shelves.documents.get(pid)
        return StoredRow(pid, document["rev"], deepcopy(document)) if document else None

    def sees(self, query: Query, pid: str) -> bool:
        document = self._shelves.documents.get(pid)
        return document is not None and matches(query, document)

    def write(self, document: Mapping[str, Any], what: str, stored: StoredRow | None) -> StoredRow:
        rev = stored.rev + 1 if stored else 1
        row = self._put({**document, "rev": rev})
        self.note(row.document["pid"], rev, what)
        return row

    def rewrite(self, document: Mapping[str, Any], stored: StoredRow | None) -> StoredRow:
        return self._put(document)

    def write_changes(self, changes: Iterable[Change]) -> None:
        self._shelves.changes.extend(changes)

    def _put(self, document: Mapping[str, Any]) -> StoredRow:
        kept = storable(document)
        self._shelves.documents[kept["pid"]] = kept
        return StoredRow(kept["pid"], kept["rev"], deepcopy(kept))

    def note(self, pid: str, rev: int, what: str) -> None:
        """Log a change."""
        changes = self._shelves.changes
        number = changes[-1].number + 1 if changes else 1
        changes.append(Change(number, now(), pid, rev, what))

    def settle(self) -> None:
        """Give every dataset the rules that follow from its inputs and its own grants."""
        documents = self._shelves.documents
        sources = {pid: set(each.get("derived_from", ())) for pid, each in documents.items()}
        for pid in in_order(sources):
            if pid in documents:
                document = documents[pid]
                documents[pid] = with_access(document, grants_in(document), documents.get)

    def append(
        self,
        by: User,
        what: str,
        pid: str | None,
        detail: Mapping[str, Any],
        *,
        at: str | None = None,
    ) -> None:
        events = self._shelves.events
        number = events[-1].number + 1 if events else 1
        events.append(Event(number, at or now(), by.name, what, pid, dict(detail)))

    def write_events(self, events: Iterable[Event]) -> None:
        self._shelves.events.extend(events)

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        for event in tuple(self._shelves.events):
            if event.number > after and pid in (None, event.pid):
                yield event

    def manifest(self, row: StoredRow) -> Manifest:
        root = row.document["manifest"]["root"]
        return Manifest(root, self._shelves.lists.get(row.id, Manifest(root, ())).files)

    def write_manifest(self, row: StoredRow, manifest: Manifest) -> None:
        self._shelves.lists[row.id] = manifest

    def replicas(self, row: StoredRow) -> tuple[Replica, ...]:
        return tuple(each for _, each in sorted(self._shelves.copies.get(row.id, {}).items()))

    def write_replicas(self, row: StoredRow, replicas: Iterable[Replica]) -> None:
        here = self._shelves.copies.setdefault(row.id, {})
        here.update({(each.store, each.path): each for each in replicas})

    def find(
        self, query: Query, *, limit: int, before: tuple[str, str] | None, retired: bool
    ) -> list[dict[str, Any]]:
        found = [
            document
            for document in self._shelves.documents.values()
            if (retired or not document.get("retired"))
            and (before is None or _place(document) < before)
            and matches(query, document)
        ]
        return deepcopy(sorted(found, key=_place, reverse=True)[:limit])

    def count(self, query: Query, *, at_most: int) -> int:
        return len(self.find(query, limit=at_most, before=None, retired=False))

    def facet(
        self, field: str, query: Query, *, at_most: int, newest: int | None = None
    ) -> tuple[FacetValue, ...]:
        found: Counter[tuple[str, Any]] = Counter()
        limit = len(self._shelves.documents) if newest is None else newest
        for document in self.find(query, limit=limit, before=None, retired=False):
            values = values_at(document, stored_path(field))
            found.update({(type_class(v) or "", v) for v in values if type_class(v)})
        ordered = sorted(found.items(), key=lambda item: (-item[1], *item[0]))
        return tuple(FacetValue(value, n) for (_, value), n in ordered[:at_most])

    def pids(self, query: Query) -> list[str]:
        everything = len(self._shelves.documents)
        found = self.find(query, limit=everything, before=None, retired=True)
        return [str(document["pid"]) for document in reversed(found)]

    def changes(self, query: Query, *, after: int, limit: int) -> tuple[Change, ...]:
        changes = self._shelves.changes
        found = [c for c in changes if c.number > after and self.sees(query, c.pid)]
        return tuple(found[:limit])

    def totals(self, query: Query) -> Totals:
        seen = [each for each in self._shelves.documents.values() if matches(query, each)]
        return totals_of(seen)

    def is_indexed(self, row: StoredRow) -> bool:
        return row.id in self._shelves.documents

    def explain(self, query: Query, *, limit: int) -> tuple[str, ...]:
        return (f"looks at all {len(self._shelves.documents)} documents",)

    def indexes(self) -> tuple[Index, ...]:
        return tuple(Index(name, (name,), "nothing", added=True) for name in self._shelves.added)


def _place(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["created"], document["pid"]
