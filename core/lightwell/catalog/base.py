"""A catalog over any store of documents: what every backend does alike."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lightwell.access import Grant, grants_in
from lightwell.catalog.changing import ChangingCatalog
from lightwell.catalog.journal import Event
from lightwell.catalog.protocol import Count, Facet, Lineage, Page, make_cursor, read_cursor
from lightwell.catalog.query import EVERY, Compare, Query, is_every
from lightwell.catalog.records import CatalogRow, Change, Index, Records
from lightwell.catalog.totals import Totals
from lightwell.datasets import Dataset
from lightwell.errors import Conflict, ParameterError
from lightwell.storage import Replica

__all__ = ["DocumentCatalog"]

_LARGEST_PAGE: Final = 1000


class DocumentCatalog(ChangingCatalog):
    """A catalog whose documents, file lists and logs a store keeps; a backend says how."""

    def grants(self, pid: str) -> Mapping[str, Grant]:
        """Return the grants of a dataset itself, those that have ended too; raises `NotFound`."""
        with self.reading() as records:
            return grants_in(self._row(records, pid).document)

    def stats(self) -> Totals:
        """Return how much there is that may be seen; retired datasets count."""
        with self.reading() as records:
            return records.totals(self._view.question())

    def get(self, pid: str) -> Dataset:
        """Return a dataset with its list of files; raises `NotFound`."""
        with self.reading() as records:
            row = self._row(records, pid)
            return self._dataset(row.document).with_manifest(records.manifest(row))

    def find(
        self,
        query: Query = EVERY,
        *,
        limit: int = 20,
        cursor: str | None = None,
        retired: bool = False,
    ) -> Page:
        """Return the newest datasets that match, without their lists of files.

        A cursor leads to those older than the page before, whatever came in meanwhile. Raises
        `ParameterError` for a limit outside 1 … 1000 or a text that is no cursor.
        """
        if not 1 <= limit <= _LARGEST_PAGE:
            raise ParameterError(f"a page holds 1 to {_LARGEST_PAGE} datasets, not {limit}")
        before = read_cursor(cursor) if cursor is not None else None
        with self.reading() as records:
            found = records.find(
                self._view.question(query), limit=limit + 1, before=before, retired=retired
            )
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        following = make_cursor(last["created"], last["pid"]) if last else None
        return Page(tuple(map(self._dataset, shown)), following)

    def count(self, query: Query = EVERY, *, at_most: int = 1000) -> Count:
        """Return how many datasets match that are not retired, counting up to `at_most`."""
        with self.reading() as records:
            found = records.count(self._view.question(query), at_most=at_most + 1)
        return Count(min(found, at_most), exact=found <= at_most)

    def facet(
        self, field: str, query: Query = EVERY, *, at_most: int = 50, among: int = 1000
    ) -> Facet:
        """Return the values of a field among the datasets that match, the most frequent first.

        Where more than `among` match a condition, or are let through by the view, only the newest
        of them are counted and the answer is not exact; of everything it always is.
        """
        self._view.check_field(field)
        asked = self._view.question(query)
        with self.reading() as records:
            exact = is_every(asked) or records.count(asked, at_most=among + 1) <= among
            newest = None if exact else among
            return Facet(records.facet(field, asked, at_most=at_most, newest=newest), exact)

    def lineage(self, pid: str) -> Lineage:
        """Return what a dataset came from and what came from it; raises `NotFound`.

        A source that is not here, or may not be seen, is named and not followed.
        """
        edges: dict[tuple[str, str], None] = {}
        with self.reading() as records:
            self._row(records, pid)
            for upward in (True, False):
                waiting, seen = [pid], {pid}
                while waiting:
                    here = waiting.pop(0)
                    step = self._sources if upward else self._results
                    for there in step(records, here):
                        edges[(there, here) if upward else (here, there)] = None
                        if there not in seen:
                            seen.add(there)
                            waiting.append(there)
        return Lineage(pid, tuple(edges))

    def replicas(self, pid: str) -> tuple[Replica, ...]:
        """Return the copies known of the files of a dataset; raises `NotFound`."""
        with self.reading() as records:
            return records.replicas(self._row(records, pid))

    def changes(self, *, after: int = 0, limit: int = 1000) -> tuple[Change, ...]:
        """Return the revisions of visible datasets after change number `after`, in order."""
        with self.reading() as records:
            return records.changes(self._view.question(), after=after, limit=limit)

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        """Yield the journal's events about visible datasets after an event's number."""
        visible = self._view.question()
        with self.reading() as records:
            if pid is not None:
                self._row(records, pid)
            events = list(records.events(after=after, pid=pid))
            pids = {event.pid for event in events if event.pid is not None}
            seen = {None, *(each for each in pids if records.sees(visible, each))}
            found = [event for event in events if event.pid in seen]
        # Read as a whole: a generator left half-way would keep the transaction open.
        return iter(found)

    def journal(self) -> list[Event]:
        """Return the whole journal, also about datasets that are no longer here.

        Raises `ParameterError` for a view that hides something; so do those that write it all.
        """
        self._require_everything()
        with self.reading() as records:
            return list(records.events())

    def take_over_journal(self, events: Iterable[Event]) -> None:
        """Begin with the journal of a catalog that was lost; raises `Conflict` if there is one."""
        self._require_everything()
        with self.writing() as records:
            if next(records.events(), None) is not None:
                raise Conflict(
                    "this catalog has a journal of its own",
                    where=self.location,
                    remedy="Leave out --journal; it is for a catalog that was lost",
                )
            records.write_events(events)

    def pids(self, query: Query = EVERY) -> list[str]:
        """Return every dataset that matches and may be seen, retired ones too."""
        with self.reading() as records:
            return sorted(records.pids(self._view.question(query)))

    def row(self, pid: str) -> CatalogRow:
        """Return all that is stored of a dataset, as it is stored; raises `NotFound`."""
        with self.reading() as records:
            row = self._row(records, pid)
            return CatalogRow(row.document, records.manifest(row), records.replicas(row))

    def is_indexed(self, pid: str) -> bool:
        """Tell whether a dataset is found by what its document says; raises `NotFound`."""
        with self.reading() as records:
            return records.is_indexed(self._row(records, pid))

    def explain(self, query: Query = EVERY, *, limit: int = 20) -> tuple[str, ...]:
        """Return the steps by which `find` answers a query, and the indexes they use.

        Raises `ParameterError` for a view that hides something: the steps tell how many rows
        each index has.
        """
        self._require_everything()
        with self.reading() as records:
            return records.explain(self._view.question(query), limit=limit + 1)

    def indexes(self) -> tuple[Index, ...]:
        """Return what makes questions quick: the store's own indexes, then the added ones."""
        with self.reading() as records:
            return records.indexes()

    def _sources(self, records: Records, pid: str) -> list[str]:
        row = records.read(pid)
        if row is None or not self._sees(row):
            return []
        return list(row.document.get("derived_from", ()))

    def _results(self, records: Records, pid: str) -> list[str]:
        return records.pids(self._view.question(Compare("derived_from", "=", pid)))
