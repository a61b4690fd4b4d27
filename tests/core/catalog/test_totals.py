"""The totals kept in each transaction are those of counting anew."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lightwell.access import OwnerOnly
from lightwell.catalog import SqliteCatalog
from lightwell.catalog.totals import Totals
from lightwell.datasets import Dataset, ReplicaSummary
from lightwell.manifests import Manifest, ManifestFile
from lightwell.model import Entry
from lightwell.users import User

MIA, BO = User("mia"), User("bo")
SIZES = st.integers(0, 10**15)


def dataset(number: int, size: int, *, owner: str = "mia", **more: Any) -> Dataset:
    files = (ManifestFile("a.h5", "master", size, 1, f"{number:064x}"),)
    return Dataset.of(
        Entry(), Manifest("file:///d", files), importer="test", path=f"/d/{number}.h5",
        owner=owner, **{"kind": "raw", **more},
    )  # fmt: skip


def copy(tier: str, state: str, size: int) -> ReplicaSummary:
    return ReplicaSummary(tier, tier, state, 1, size)


def recount(datasets: list[Dataset]) -> dict[str, int]:
    """The seven numbers from the datasets alone, the catalog's own size apart."""

    def on(tier: str) -> int:
        return sum(
            each.bytes
            for one in datasets
            for each in one.replicas
            if each.tier == tier and each.state not in ("lost", "corrupt")
        )

    return {
        "datasets": len(datasets),
        "retired": sum(each.retired for each in datasets),
        "total": sum(each.summary.bytes for each in datasets),
        "raw": sum(each.summary.bytes for each in datasets if each.kind == "raw"),
        "tape": on("tape"),
        "disk": on("disk"),
        "users": len({each.owner for each in datasets}),
    }


def told(totals: Totals) -> dict[str, int]:
    return {name: number for name, number in asdict(totals).items() if name != "catalog"}


class Counting(RuleBasedStateMachine):
    """Datasets come, change, are taken out of searches and move between tiers."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.catalog = SqliteCatalog(self.folder / f"{id(self)}.sqlite")
        self.known: dict[str, Dataset] = {}

    def _any(self, which: int) -> Dataset | None:
        return list(self.known.values())[which % len(self.known)] if self.known else None

    @rule(number=st.integers(0, 5), size=SIZES, owner=st.sampled_from(("mia", "bo", "")))
    def ingest(self, number: int, size: int, owner: str) -> None:
        kind = "raw" if number % 2 else "derived"
        stored = self.catalog.put(dataset(number, size, owner=owner, kind=kind), by=MIA)
        self.known[stored.pid] = stored

    @rule(
        which=st.integers(0, 9),
        copies=st.lists(
            st.builds(
                copy,
                st.sampled_from(("disk", "tape", "object")),
                st.sampled_from(("online", "nearline", "lost", "corrupt")),
                SIZES,
            ),
            max_size=4,
        ),
    )
    def move(self, which: int, copies: list[ReplicaSummary]) -> None:
        if (old := self._any(which)) is not None:
            new = replace(old, replicas=tuple(copies))
            self.known[old.pid] = self.catalog.update(new, by=BO, why="moved")

    @rule(which=st.integers(0, 9), owner=st.sampled_from(("mia", "bo", "eve")))
    def hand_over(self, which: int, owner: str) -> None:
        if (old := self._any(which)) is not None:
            new = replace(old, owner=owner)
            self.known[old.pid] = self.catalog.update(new, by=BO, why="handed over")

    @rule(which=st.integers(0, 9))
    def retire(self, which: int) -> None:
        if (old := self._any(which)) is not None:
            self.known[old.pid] = self.catalog.retire(old.pid, by=MIA, why="test")

    @rule()
    def rebuild(self) -> None:
        end = self.catalog.journal()[-1].number if self.known else 0
        rows = [self.catalog.row(pid) for pid in self.catalog.pids()]
        assert self.catalog.rebuild(rows, journal_end=end, by=MIA)

    @invariant()
    def equal(self) -> None:
        datasets = list(self.known.values())
        assert told(self.catalog.stats()) == recount(datasets)
        seen = self.catalog.as_seen_through([OwnerOnly().restriction(MIA)])
        assert told(seen.stats()) == recount([each for each in datasets if each.owner == "mia"])
        assert seen.stats().catalog is None

    def teardown(self) -> None:
        self.catalog.close()


def test_the_totals_are_those_of_a_recount(tmp_path: Path) -> None:
    class Here(Counting):
        folder = tmp_path

    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Here, settings=settings(max_examples=15, stateful_step_count=15, deadline=None)
    )
