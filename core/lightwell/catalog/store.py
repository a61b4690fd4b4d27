"""What a backend of the catalog says, and how its rows are seen."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from lightwell.access import Restriction
from lightwell.catalog.matcher import matches
from lightwell.catalog.query import EVERY, Query
from lightwell.catalog.records import (
    CatalogRow,
    Index,
    Records,
    StoredRow,
    WritableRecords,
)
from lightwell.catalog.views import View
from lightwell.datasets import Dataset
from lightwell.errors import NotFound, ParameterError
from lightwell.model import Entry
from lightwell.users import User

__all__ = ["CatalogStore"]


class CatalogStore(ABC):
    """Where a catalog is kept, seen through the filters of a session.

    `schemas` are the installed definitions.
    """

    def __init__(self, schemas: Mapping[str, type[Entry]] | None = None) -> None:
        self._schemas = dict(schemas or {})
        self._view = View()

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the catalog is kept, for people to read; no password in it."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Records]:
        """Open the records to read."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[WritableRecords]:
        """Open the records to change: wholly done or not at all, one writer at a time.

        Raises `Conflict` if others keep the catalog busy.
        """

    @abstractmethod
    def problems(self) -> list[str]:
        """Return what the store finds wrong in itself; raises `DamagedCatalog`."""

    @abstractmethod
    def rebuild(self, rows: Iterable[CatalogRow], *, journal_end: int, by: User) -> bool:
        """Replace everything but the journal by rows, all at once.

        False, with nothing done, if the journal has gone beyond `journal_end` meanwhile. Raises
        `ParameterError` for a view that hides something.
        """

    @abstractmethod
    def add_index(self, field: str) -> Index:
        """Make questions about a field quick that are not; raises `ParameterError`."""

    @abstractmethod
    def close(self) -> None:
        """Give back files and connections; views made by `as_seen_through` close with it."""

    def as_seen_through(
        self,
        restrictions: Iterable[Restriction],
        *,
        changing: Iterable[Restriction] = (),
        granting: Iterable[Restriction] = (),
    ) -> Self:
        """Return this catalog with filters ANDed into everything it answers and changes."""
        seen = object.__new__(type(self))
        vars(seen).update(vars(self))
        seen._view = self._view.narrowed(restrictions, changing, granting)
        return seen

    def _require_everything(self) -> None:
        if not self._view.is_whole:
            raise ParameterError("this view of the catalog does not show everything")

    def _sees(self, row: StoredRow) -> bool:
        # The document is at hand, and the matcher says what every store would.
        return not self._view.seen or matches(self._view.question(), row.document, limited=False)

    def _fulfils(self, records: Records, pid: str, query: Query) -> bool:
        return query == EVERY or records.sees(query, pid)

    def _row(self, records: Records, pid: str) -> StoredRow:
        row = records.read(pid)
        if row is None or not self._sees(row):
            raise NotFound(
                f"the catalog has no dataset {pid!r}",
                remedy="List what there is by `lightwell find`",
            )
        return row

    def _dataset(self, document: Mapping[str, Any]) -> Dataset:
        return Dataset.from_document(document, self._schemas)
