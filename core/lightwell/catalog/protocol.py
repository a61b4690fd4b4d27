"""What every catalog can be asked, and the shapes of its answers."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from lightwell.access import Grant, Restriction
from lightwell.catalog.journal import Event
from lightwell.catalog.query import EVERY, Query
from lightwell.catalog.records import Change, FacetValue, Index
from lightwell.catalog.totals import Totals
from lightwell.datasets import Dataset
from lightwell.errors import ParameterError
from lightwell.storage import Replica
from lightwell.users import User

__all__ = [
    "Catalog",
    "Change",
    "Count",
    "Facet",
    "FacetValue",
    "Lineage",
    "Page",
    "make_cursor",
    "read_cursor",
]


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a field and how many datasets have each, the most frequent first.

    Not exact means that only the newest of those that match were looked at: there are at least
    so many of each value, and there may be other values.

    >>> print(Facet((FacetValue("raw", 7), FacetValue("derived", 2)), exact=False))
    at least 7 raw, at least 2 derived
    """

    values: tuple[FacetValue, ...]
    exact: bool = True

    def __iter__(self) -> Iterator[FacetValue]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        some = "" if self.exact else "at least "
        return ", ".join(f"{some}{each.datasets} {each.value}" for each in self.values)


@dataclass(frozen=True, slots=True)
class Page:
    """Some datasets, the newest first, and the cursor that leads to the next ones."""

    datasets: tuple[Dataset, ...]
    cursor: str | None = None

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self.datasets)

    def __len__(self) -> int:
        return len(self.datasets)


@dataclass(frozen=True, slots=True)
class Count:
    """A number of datasets; not exact means there are more.

    >>> str(Count(12)), str(Count(1000, exact=False))
    ('12', 'more than 1000')
    """

    number: int
    exact: bool = True

    def __str__(self) -> str:
        return str(self.number) if self.exact else f"more than {self.number}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a dataset was derived from and what was derived from it, over all generations.

    `edges` are (source pid, result pid).
    """

    pid: str
    edges: tuple[tuple[str, str], ...]

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The pids it was derived from, the nearest first."""
        return self._reached({result: [] for _, result in self.edges}, up=True)

    @property
    def descendants(self) -> tuple[str, ...]:
        """The pids derived from it, the nearest first."""
        return self._reached({source: [] for source, _ in self.edges}, up=False)

    def _reached(self, steps: Mapping[str, list[str]], *, up: bool) -> tuple[str, ...]:
        for source, result in self.edges:
            here, there = (result, source) if up else (source, result)
            steps[here].append(there)
        found: dict[str, None] = {}
        waiting = [self.pid]
        while waiting:
            for pid in steps.get(waiting.pop(0), ()):
                if pid not in found:
                    found[pid] = None
                    waiting.append(pid)
        return tuple(found)


class Catalog(Protocol):
    """Remembers datasets; every answer holds only what its restrictions let through.

    Writing raises `Conflict` if somebody else wrote meanwhile; asking for a pid that is not there
    or may not be seen raises `NotFound`. A stored document has the part `access`, made by
    `lightwell.catalog.rights.with_access` in the transaction of every write; no revision counts it.
    """

    def put(self, dataset: Dataset, *, by: User, replicas: Iterable[Replica] = ()) -> Dataset:
        """Remember a dataset; one that is the same already keeps its revision.

        A dataset of revision 0 describes anew: it takes over when and for whom it was first
        remembered. One of a later revision must be the newest.
        """
        ...

    def check_changeable(self, pid: str) -> None:
        """Raise what putting another description of a dataset would, if it is here already.

        For who is about to write its files: `Conflict` if it may not be seen, `NotAllowed` if it
        may not be changed.
        """
        ...

    def update(self, dataset: Dataset, *, by: User, why: str) -> Dataset:
        """Replace what is remembered; `dataset` must be of the newest revision."""
        ...

    def retire(self, pid: str, *, by: User, why: str) -> Dataset:
        """Leave a dataset out of searches; nothing is deleted."""
        ...

    def supersede(self, pid: str, successor: str, *, by: User, why: str) -> Dataset:
        """Record that another dataset takes the place of this one."""
        ...

    def grant(
        self,
        pid: str,
        to: str,
        *,
        by: User,
        until: str | None = None,
        public_from: str | None = None,
        why: str = "",
    ) -> Grant:
        """Let somebody see a dataset, and with all other inputs in sight what is made of it.

        to : a word of `lightwell.access.named`, `public` with the moment it is so from. The same
        again changes nothing; other terms take the place of those there were. One transaction
        appends the event "granted" `{to, until, public_from, why}` and renews the part `access` of
        the document and of all that was derived from it (`lightwell.catalog.rights`), without a
        new revision. Raises `NotAllowed` for what may be seen and not shared.
        """
        ...

    def revoke(self, pid: str, to: str, *, by: User, why: str = "") -> None:
        """Take a grant back, at once and for all that is made of the dataset.

        Appends the event "revoked" `{to, why}`. Raises `NotFound` if there is no such grant.
        """
        ...

    def grants(self, pid: str) -> Mapping[str, Grant]:
        """Return the grants of a dataset itself, also those that have ended."""
        ...

    def stats(self) -> Totals:
        """Return how much there is that may be seen, from sums kept in each transaction.

        Through a view that hides something the sums are over what it shows, and what the catalog
        itself takes is not told.
        """
        ...

    def get(self, pid: str) -> Dataset:
        """Return a dataset with its list of files."""
        ...

    def find(
        self,
        query: Query = EVERY,
        *,
        limit: int = 20,
        cursor: str | None = None,
        retired: bool = False,
    ) -> Page:
        """Return the newest datasets that match, and the cursor to those after them."""
        ...

    def count(self, query: Query = EVERY, *, at_most: int = 1000) -> Count:
        """Return how many datasets match, counting no further than `at_most`."""
        ...

    def facet(
        self, field: str, query: Query = EVERY, *, at_most: int = 50, among: int = 1000
    ) -> Facet:
        """Return the values of a field among the datasets that match, the most frequent first.

        Of everything there is the counts are exact. Under a condition, or through a view that
        hides something, they are those of the newest `among` that match, and say so if there are
        more.
        """
        ...

    def pids(self, query: Query = EVERY) -> list[str]:
        """Return every dataset that matches, retired ones too, by pid alone."""
        ...

    def lineage(self, pid: str) -> Lineage:
        """Return what a dataset came from and what came from it."""
        ...

    def replicas(self, pid: str) -> tuple[Replica, ...]:
        """Return the copies known of the files of a dataset."""
        ...

    def changes(self, *, after: int = 0, limit: int = 1000) -> tuple[Change, ...]:
        """Return the revisions made after change number `after`, in order."""
        ...

    def events(self, *, after: int = 0, pid: str | None = None) -> Iterator[Event]:
        """Yield the journal after an event's number, in order."""
        ...

    def as_seen_through(
        self,
        restrictions: Iterable[Restriction],
        *,
        changing: Iterable[Restriction] = (),
        granting: Iterable[Restriction] = (),
    ) -> "Catalog":
        """Return this catalog with filters ANDed into every read, count, facet and write.

        Of what is seen, only what `changing` lets through is changed, and what `granting` does is
        shared; `NotAllowed` is raised for the rest. `lightwell.catalog.views.View` holds all three
        for every backend.
        """
        ...

    def explain(self, query: Query = EVERY, *, limit: int = 20) -> tuple[str, ...]:
        """Return the steps by which `find` answers a query, and the indexes they use.

        Raises `ParameterError` for a view that hides something: the steps count rows.
        """
        ...

    def indexes(self) -> tuple[Index, ...]:
        """Return what makes questions quick: the store's own indexes, then the added ones."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def make_cursor(created: str, pid: str) -> str:
    """Return a text that stands for a place in the order of datasets."""
    return base64.urlsafe_b64encode(json.dumps([created, pid]).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """Return the place a cursor stands for; raises `ParameterError` if it is none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, pid = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(created, str) and isinstance(pid, str):
            return created, pid
    except ValueError:
        pass
    raise ParameterError(
        f"{cursor[:80]!r} is no cursor", remedy="Give the one of the page before, unchanged"
    )
