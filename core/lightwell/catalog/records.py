"""What a store of documents must be able to do for a catalog to be kept in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lightwell.catalog.journal import Event
from lightwell.catalog.query import Query, Scalar
from lightwell.catalog.totals import Totals
from lightwell.errors import UnreadableFile
from lightwell.manifests import Manifest
from lightwell.storage import Replica
from lightwell.users import User

__all__ = [
    "CatalogRow",
    "Change",
    "DamagedCatalog",
    "FacetValue",
    "Index",
    "Records",
    "StoredRow",
    "WritableRecords",
]


class DamagedCatalog(UnreadableFile):
    """A catalog that cannot be read any more; the descriptions of the datasets still are."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a field and how many datasets have it."""

    value: Scalar
    datasets: int


@dataclass(frozen=True, slots=True)
class Change:
    """One new revision of a dataset."""

    number: int
    at: str
    pid: str
    rev: int
    what: str


@dataclass(frozen=True, slots=True)
class Index:
    """What makes some questions quick: a name, the fields it is of, the questions it answers."""

    name: str
    fields: tuple[str, ...]
    answers: str
    added: bool = False


class StoredRow(NamedTuple):
    """A stored document with what the store knows it by, and its revision."""

    id: Any
    rev: int
    document: dict[str, Any]


class CatalogRow(NamedTuple):
    """All that the catalog says of one dataset, as it is stored."""

    document: Mapping[str, Any]
    manifest: Manifest
    replicas: tuple[Replica, ...]


class Records(Protocol):
    """Documents and logs of a catalog.

    Every question comes with all that restricts it ANDed in.
    """

    def read(self, pid: str) -> StoredRow | None:
        """Return the stored document of a pid, or None; raises `DamagedCatalog`."""
        ...

    def sees(self, query: Query, pid: str) -> bool:
        """Tell whether the document of a pid matches."""
        ...

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        """Yield the events after a number in order, of one dataset if `pid` is given."""
        ...

    def manifest(self, row: StoredRow) -> Manifest:
        """Return the list of files of a stored document."""
        ...

    def replicas(self, row: StoredRow) -> tuple[Replica, ...]:
        """Return the copies known of the files of a document, by store and path."""
        ...

    def find(
        self, query: Query, *, limit: int, before: tuple[str, str] | None, retired: bool
    ) -> list[dict[str, Any]]:
        """Return the newest documents that match, older than a (created, pid)."""
        ...

    def count(self, query: Query, *, at_most: int) -> int:
        """Return how many documents match that are not retired, at most `at_most`."""
        ...

    def facet(
        self, field: str, query: Query, *, at_most: int, newest: int | None = None
    ) -> tuple[FacetValue, ...]:
        """Return the values of a field in documents that are not retired, most frequent first.

        newest : how many documents are looked at, the newest that match; all if not given.
        Where several are equally frequent: booleans, numbers, texts, each in their order.
        """
        ...

    def pids(self, query: Query) -> list[str]:
        """Return the pids of all documents that match, retired ones too, by created and pid."""
        ...

    def changes(self, query: Query, *, after: int, limit: int) -> tuple[Change, ...]:
        """Return the changes of documents that match after a change's number, in order."""
        ...

    def totals(self, query: Query) -> Totals:
        """Return how much there is in the documents that match, retired ones too.

        Of everything from sums kept with every write, with the room the catalog takes.
        """
        ...

    def is_indexed(self, row: StoredRow) -> bool:
        """Tell whether a document is found by what it says."""
        ...

    def explain(self, query: Query, *, limit: int) -> tuple[str, ...]:
        """Return the steps by which the store would find the newest documents that match."""
        ...

    def indexes(self) -> tuple[Index, ...]:
        """Return what makes questions quick, the store's own first."""
        ...


class WritableRecords(Records, Protocol):
    """Records inside a transaction that changes them.

    What was written is seen by `read`, `manifest` and `events`, not surely by what searches.
    """

    def write(self, document: Mapping[str, Any], what: str, stored: StoredRow | None) -> StoredRow:
        """Insert a document or replace the stored one as the next revision, and log the change.

        Raises `ParameterError` for a document that no store could keep.
        """
        ...

    def rewrite(self, document: Mapping[str, Any], stored: StoredRow | None) -> StoredRow:
        """Insert or replace a document of the revision it says, and log no change.

        For other rules of access, and for copies of other catalogs.
        """
        ...

    def write_changes(self, changes: Iterable[Change]) -> None:
        """Write the changes of another catalog's log under their own numbers."""
        ...

    def append(
        self,
        by: User,
        what: str,
        pid: str | None,
        detail: Mapping[str, Any],
        *,
        at: str | None = None,
    ) -> None:
        """Append an event to the journal; `at` is now, if not given."""
        ...

    def write_events(self, events: Iterable[Event]) -> None:
        """Write the events of another catalog's journal under their own numbers."""
        ...

    def write_manifest(self, row: StoredRow, manifest: Manifest) -> None:
        """Replace the list of files of a document, if it differs from the stored one."""
        ...

    def write_replicas(self, row: StoredRow, replicas: Iterable[Replica]) -> None:
        """Record copies, each replacing what was known of the same place."""
        ...
