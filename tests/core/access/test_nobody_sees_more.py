"""Nobody ever sees or counts what the policy denies, and everybody sees what it allows.

The policy is told a second time, in plain Python over plain records: `policy_in_words.World.sees`.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from frames_with_names import check_frames, with_frames
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from mongod_server import Mongod
from played_clock import Clock, put_in
from policy_in_words import (
    EMBARGO_DAYS,
    GROUPS,
    KEEPER,
    PEOPLE,
    PROPOSALS,
    READERS,
    STAFF,
    Record,
    World,
    words,
)

from lightwell.access import RULES, named
from lightwell.catalog import SqliteCatalog, export_events, where
from lightwell.catalog.copying import copy_catalog
from lightwell.catalog.rebuild import read_exported
from lightwell.datasets import Dataset, ReplicaSummary, moment_text
from lightwell.errors import NotAllowed, NotFound
from lightwell.installation import Installation
from lightwell.manifests import Manifest, ManifestFile
from lightwell.model import Entry, Instrument, Sample
from lightwell.plugins import Plugins
from lightwell.session import Session
from lightwell.session.descriptions import Description
from lightwell.session.reindex import described_row
from lightwell.settings import AccessSettings, Settings
from lightwell.users import User
from lightwell_backends.mongodb import MongoCatalog

MakeCatalog = Callable[[Path], Any]

SHARER = st.one_of(st.none(), st.none(), st.sampled_from(PEOPLE))


def outcome(act: Callable[[], Any]) -> str:
    """What came of an act, as a word."""
    try:
        act()
    except NotFound:
        return "not found"
    except NotAllowed:
        return "not allowed"
    return "done"


class Access(RuleBasedStateMachine):
    """People work with one catalog, the clock goes on, and what each of them sees is compared."""

    make: MakeCatalog
    folder: Path
    clock: "Clock"

    def __init__(self) -> None:
        super().__init__()
        self.number = itertools.count()
        self.names = itertools.cycle((*PEOPLE, KEEPER))
        self.world = World()
        self.last: dict[str, set[str]] = {}
        self.described: dict[str, Dataset] = {}
        self.frames: dict[str, int] = {}
        self.home = self.folder / f"{next(NUMBER)}"
        self.home.mkdir()
        access = AccessSettings(
            keepers=(KEEPER,),
            embargo=f"{EMBARGO_DAYS} days",  # type: ignore[arg-type]
            staff=STAFF,
            proposals=PROPOSALS,
            groups=GROUPS,
        )
        configured = Settings(home=self.home, access=access)
        self.installation = Installation(configured, Plugins(discover=False))
        self.replace_catalog()
        self.clock.world = self.world

    def replace_catalog(self) -> None:
        old = vars(self.installation).pop("catalog", None)
        if old is not None:
            old.close()
        vars(self.installation)["catalog"] = self.fresh_catalog()

    def fresh_catalog(self) -> Any:
        folder = self.home / f"catalog-{next(self.number)}"
        folder.mkdir()
        return type(self).make(folder)

    @property
    def catalog(self) -> Any:
        return self.installation.catalog

    def session(self, name: str) -> Session:
        return Session(self.installation, self.installation.user(name))

    def pick(self, which: int) -> str:
        return list(self.world.datasets)[which % len(self.world.datasets)]

    # What people do.

    @initialize()
    def begin(self) -> None:
        self.ingest("mia", "als-1", "8.3.2")
        self.wait(6)
        self.ingest("mia", "als-1", "8.3.2")
        self.ingest("eve", None, "12.2.2")
        self.derive("bo.b", [0, 1])
        self.derive("bo.b", [1, 0, 3])
        self.derive("dula", [0, 2])
        self.wait(1)

    @rule(
        name=st.sampled_from(PEOPLE),
        proposal=st.sampled_from((None, *PROPOSALS)),
        beamline=st.sampled_from((None, *STAFF)),
    )
    def ingest(self, name: str, proposal: str | None, beamline: str | None) -> None:
        self.remember(name, proposal, beamline, ())

    @rule(name=st.sampled_from(PEOPLE), which=st.lists(st.integers(0, 20), min_size=1, max_size=3))
    def derive(self, name: str, which: list[int]) -> None:
        inputs = tuple(dict.fromkeys(self.pick(each) for each in which))
        if all(self.world.sees(name, each) for each in inputs):
            proposal = self.world.datasets[inputs[0]].proposal
            self.remember(name, proposal, None, inputs)

    def remember(
        self, name: str, proposal: str | None, beamline: str | None, inputs: tuple[str, ...]
    ) -> None:
        number = next(self.number)
        size = 10**number % 99991
        files = (ManifestFile("a.h5", "master", size, 1, f"{number:064x}"),)
        entry = Entry(
            instrument=Instrument(name=beamline) if beamline else None,
            sample=Sample(name="shell"),
            experiment_identifier=proposal,
        )
        dataset = Dataset.of(
            entry,
            Manifest("file:///d", files),
            kind="derived" if inputs else "raw",
            importer="test",
            path=f"/d/{number}.h5",
            owner=name,
            created=self.clock.now(),
            derived_from=inputs,
            replicas=(ReplicaSummary("store", "disk", "online", 1, size),),
        )
        if number % 2 == 0:
            dataset = with_frames(self.installation.frame_index, dataset, number)
            self.frames[dataset.pid] = number
        stored = self.session(name).catalog.put(dataset, by=User(name))
        self.described[stored.pid] = dataset
        self.world.datasets[stored.pid] = Record(
            name, proposal, beamline, self.world.time, inputs, size
        )

    @rule(at_least=st.integers(1, 6))
    def gather_frames(self, at_least: int) -> None:
        self.installation.frame_index.gather(at_least=at_least)

    @rule(
        name=SHARER,
        which=st.one_of(st.integers(0, 2), st.integers(0, 20)),
        to=st.sampled_from(READERS),
        days=st.one_of(st.none(), st.integers(1, 15)),
    )
    def grant(self, name: str | None, which: int, to: str, days: int | None) -> None:
        pid = self.pick(which)
        name = self.sharer(name, pid)
        end = None if days is None else self.world.time + timedelta(days=days)
        until = None if end is None else moment_text(end)
        expected = self.expected(name, pid)
        done = outcome(lambda: self.session(name).grant(pid, to, until=until))
        assert done == expected
        if done == "done":
            self.world.datasets[pid].grants[named(to)] = end

    @rule(name=SHARER, which=st.integers(0, 20), days=st.integers(-5, 30))
    def publish(self, name: str | None, which: int, days: int) -> None:
        pid = self.pick(which)
        name = self.sharer(name, pid)
        day = self.world.time + timedelta(days=days)
        expected = self.expected(name, pid)
        start = moment_text(day)
        done = outcome(lambda: self.session(name).grant(pid, "public", public_from=start))
        assert done == expected
        if done == "done":
            self.world.datasets[pid].public = day

    @rule(name=SHARER, which=st.integers(0, 20))
    def withdraw(self, name: str | None, which: int) -> None:
        pid = self.pick(which)
        name = self.sharer(name, pid)
        expected = self.expected(name, pid)
        done = outcome(lambda: self.session(name).revoke(pid, "public"))
        assert done == expected
        if done == "done":
            one = self.world.datasets[pid]
            one.public, one.never_public = None, True

    @rule(name=SHARER, which=st.integers(0, 20), nth=st.integers(0, 9), anew=st.booleans())
    def revoke(self, name: str | None, which: int, nth: int, anew: bool) -> None:
        granted = [pid for pid, one in self.world.datasets.items() if one.grants]
        if not granted:
            return
        pid = granted[which % len(granted)]
        name = self.sharer(name, pid)
        to = list(self.world.datasets[pid].grants)[nth % len(self.world.datasets[pid].grants)]
        expected = self.expected(name, pid)
        assert outcome(lambda: self.session(name).revoke(pid, to)) == expected
        if expected == "done":
            del self.world.datasets[pid].grants[to]
        if anew:
            self.reindex()

    def sharer(self, name: str | None, pid: str) -> str:
        """Somebody who may share a dataset, where nobody is named."""
        able = [each for each in (*PEOPLE, KEEPER) if self.world.shares(each, pid)]
        return name or able[len(self.world.datasets) % len(able)]

    def expected(self, name: str, pid: str) -> str:
        if not self.world.sees(name, pid):
            return "not found"
        return "done" if self.world.shares(name, pid) else "not allowed"

    @rule(name=st.sampled_from(PEOPLE), which=st.integers(0, 20))
    def retire(self, name: str, which: int) -> None:
        pid = self.pick(which)
        seen, changes = self.world.sees(name, pid), self.world.changes(name, pid)
        if self.world.datasets[pid].retired:
            return
        done = outcome(lambda: self.session(name).retire(pid, why="test"))
        assert done == ("done" if changes else "not allowed" if seen else "not found")
        self.world.datasets[pid].retired |= done == "done"

    @rule(name=st.sampled_from((*PEOPLE, KEEPER)), sample=st.sampled_from(("shell", "bone", "ash")))
    def name_samples(self, name: str, sample: str) -> None:
        chosen = [
            pid
            for pid, one in self.world.datasets.items()
            if self.world.sees(name, pid) and not one.retired and one.sample != "ash"
        ]
        found = self.session(name).edit(where("sample") != "ash", {"sample": sample}, why="test")
        assert found.found == len(chosen)
        assert set(found.refused) == {
            pid
            for pid in chosen
            if not self.world.changes(name, pid) and self.world.datasets[pid].sample != sample
        }
        for pid in set(chosen) - set(found.refused):
            self.world.datasets[pid].sample = sample

    @rule(
        name=st.sampled_from((*PEOPLE, KEEPER)),
        which=st.integers(0, 20),
        proposal=st.sampled_from(tuple(PROPOSALS)),
    )
    def move_to_proposal(self, name: str, which: int, proposal: str) -> None:
        pid = self.pick(which)
        one = self.world.datasets[pid]
        if one.retired or one.proposal == proposal:
            return
        found = self.session(name).edit(where("pid") == pid, {"proposal": proposal}, why="test")
        # The proposal of a result shows it to nobody; that of data of its own shares it.
        allowed = self.world.changes(name, pid) and (one.inputs or self.world.shares(name, pid))
        assert found.found == self.world.sees(name, pid)
        assert found.changed == bool(allowed)
        if allowed:
            one.proposal = proposal

    @rule(days=st.integers(1, 12))
    def wait(self, days: int) -> None:
        self.world.time += timedelta(days=days)

    # What becomes of the catalog.

    @rule()
    def reindex(self) -> None:
        events = self.catalog.journal()
        end = events[-1].number if events else 0
        rows = list(self.rows(events, known=True))
        assert self.catalog.rebuild(rows, journal_end=end, by=User(KEEPER))

    @rule()
    def copy(self) -> None:
        """The catalog moves to another place, and people go on there."""
        fresh = self.fresh_catalog()
        copy_catalog(self.catalog, fresh)
        self.catalog.close()
        vars(self.installation)["catalog"] = fresh

    @rule(prune=st.booleans())
    def lose_and_restore(self, prune: bool) -> None:
        """The catalog is lost; all there is are an export of the journal and the descriptions."""
        export_events(self.catalog.journal(), self.home / "journal.jsonl")
        events = read_exported(self.home / "journal.jsonl")
        self.replace_catalog()
        self.catalog.take_over_journal(events)
        if prune and len(self.described) > 1:
            # A description is lost as well: nobody sees what it was the source of.
            gone = next(iter(self.described))
            del self.described[gone], self.world.datasets[gone]
        rows = list(self.rows(events, known=False))
        assert self.catalog.rebuild(rows, journal_end=events[-1].number, by=User(KEEPER))

    def rows(self, events: list[Any], *, known: bool) -> Iterator[Any]:
        for pid, dataset in self.described.items():
            about = Description(dataset, dataset.to_document(), (), Path("unused"))
            before = self.catalog.row(pid) if known else None
            yield described_row(about, [each for each in events if each.pid == pid], before)

    # What must hold.

    @invariant()
    def people_see_what_the_policy_says(self) -> None:
        """Those for whom something changed, and each of the others now and then."""
        for name in (*PEOPLE, KEEPER):
            seen = {pid for pid in self.world.datasets if self.world.sees(name, pid)}
            if seen != self.last.get(name):
                self.compare(name)
            self.last[name] = seen
        self.compare(next(self.names))

    def teardown(self) -> None:
        for name in (*PEOPLE, KEEPER):
            self.compare(name)
        self.catalog.close()

    def compare(self, name: str) -> None:
        if not self.world.datasets:
            return
        seen = {pid for pid in self.world.datasets if self.world.sees(name, pid)}
        view = self.session(name).catalog
        full = {pid for pid in self.world.datasets if self.joins_rules(pid)} - {
            dataset.pid for dataset in view.find(limit=1000, retired=True)
        }
        # Rules beyond the eighth are joined, so that fewer see it: that much is allowed.
        seen -= full
        self.check_lists(view, seen)
        self.check_single(view, seen)
        self.check_sums(view, seen)
        self.check_explained(name, seen)
        shown = {pid for pid in seen & set(self.frames) if not self.world.datasets[pid].retired}
        check_frames(self.session(name), self.frames, shown)

    def joins_rules(self, pid: str) -> bool:
        return len(set(self.catalog.row(pid).document["access"]) & set(RULES)) == len(RULES)

    def check_lists(self, view: Any, seen: set[str]) -> None:
        shown = {pid for pid in seen if not self.world.datasets[pid].retired}
        assert self.listed(view, retired=True) == sorted(seen)
        assert self.listed(view, retired=False) == sorted(shown)
        assert view.count().number == len(shown)
        for sample in ("shell", "ash"):
            found = [pid for pid in shown if self.world.datasets[pid].sample == sample]
            assert view.count(where("sample") == sample).number == len(found)
            assert {each.pid for each in view.find(where("sample") == sample, limit=1000)} == set(
                found
            )
            unlike = view.count(~(where("sample") == sample)).number
            assert unlike == len(shown) - len(found)
        for one, value in (("owner", "owner"), ("sample", "sample"), ("beamline", "beamline")):
            told = {each.value: each.datasets for each in view.facet(one)}
            values = [getattr(self.world.datasets[pid], value) for pid in shown]
            assert told == Counter(each for each in values if each is not None)

    def listed(self, view: Any, *, retired: bool) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            page = view.find(limit=3, cursor=cursor, retired=retired)
            found += [each.pid for each in page]
            cursor = page.cursor
            if cursor is None:
                return sorted(found)

    def check_single(self, view: Any, seen: set[str]) -> None:
        for pid in self.world.datasets:
            others = (view.replicas, view.grants, view.row, view.is_indexed)
            for ask in (view.get, others[next(self.number) % len(others)]):
                assert (outcome(lambda ask=ask, pid=pid: ask(pid)) == "done") == (pid in seen)
            with suppress(NotFound):
                for source, result in view.lineage(pid).edges:
                    assert result in seen
                    assert source in self.world.datasets[result].inputs
        assert {each.pid for each in view.events()} <= seen
        assert {each.pid for each in view.changes()} <= seen

    def check_sums(self, view: Any, seen: set[str]) -> None:
        records = [self.world.datasets[pid] for pid in seen]
        size = sum(each.size for each in records)
        told = asdict(view.stats())
        assert (told.pop("catalog") is None) == bool(view._view.seen)
        assert told == {
            "datasets": len(records),
            "retired": sum(each.retired for each in records),
            "total": size,
            "raw": sum(each.size for each in records if not each.inputs),
            "tape": 0,
            "disk": size,
            "users": len({each.owner for each in records}),
        }

    def check_explained(self, name: str, seen: set[str]) -> None:
        """The explanation alone, without the catalog's verdict, leads to the same."""
        keeper = self.session(KEEPER)
        chosen = list(self.world.datasets)[next(self.number) % len(self.world.datasets) :][:2]
        for pid in chosen:
            found = keeper.who_can(pid, name)
            assert found.user is not None
            assert found.user.sees == (pid in seen)
            assert found.user.why
            holding = [{each.reader for each in rule if not each.ended} for rule in found.rules]
            own = words(name) | {"public"}
            if name != KEEPER:
                assert all(own & each for each in holding) == (pid in seen)


NUMBER = itertools.count()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return put_in(Clock(), monkeypatch)


def play(made: MakeCatalog, at: Path, given: Clock, examples: int) -> None:
    class Here(Access):
        make = staticmethod(made)
        folder = at
        clock = given

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.soak
def test_in_sqlite(tmp_path: Path, clock: Clock, soak_share: float) -> None:
    def made(folder: Path) -> SqliteCatalog:
        return SqliteCatalog(folder / "catalog.sqlite")

    play(made, tmp_path, clock, max(5, round(120 * soak_share)))


@pytest.mark.soak
@pytest.mark.parametrize("server", ["mongod", "mongod_set"])
def test_in_mongodb(
    server: str, request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, soak_share: float
) -> None:
    """Without transactions, and with them."""
    running: Mongod = request.getfixturevalue(server)
    names: list[str] = []

    def made(folder: Path) -> MongoCatalog:
        names.append(f"{server}_access{next(NUMBER)}")
        return MongoCatalog(running.url(names[-1]))

    try:
        play(made, tmp_path, clock, max(1, round(10 * soak_share)))
    finally:
        last = MongoCatalog(running.url("admin_access"))
        for name in (*names, "admin_access"):
            last._server.client.drop_database(name)
        last.close()
