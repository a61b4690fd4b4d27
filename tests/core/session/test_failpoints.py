"""Killed at every rename, commit and fsync, ingest and reindex leave nothing half."""

import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.catalog.records import CatalogRow
from lightwell.hdf5 import release
from lightwell.session.fsck import check
from lightwell.testing.failpoints import killed_after, killed_at, passages

KILLS = 200
AT_RANDOM = 0.25
"""The share of kills that fall at any moment after a failpoint, inside HDF5 or SQLite."""

EXPECTED = {
    *("hdf5-begun", "hdf5-flushed", "hdf5-closed", "hdf5-synchronised", "hdf5-renamed"),
    *("hdf5-name-synchronised", "tables-written", "tables-committed"),
    *("catalog-begun", "catalog-written", "catalog-committed", "frames-added"),
}
LEFT_BY_A_KILL = {"leftover", "not-in-catalog", "catalog-differs"}

PROGRAM = """
import sys, lightwell
session = lightwell.open()
if sys.argv[1] == "reindex":
    session.reindex()
else:
    session.ingest(sys.argv[1], text=True, **dict(w.split("=") for w in sys.argv[2:]))
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *words]


@dataclass(frozen=True)
class Situation:
    """What an ingest meets: a home as it was before, and the options of the ingest."""

    name: str
    before: Path | None
    scan: Path
    options: tuple[str, ...] = ()

    def set_up(self, home: Path) -> None:
        release()
        shutil.rmtree(home, ignore_errors=True)
        if self.before is not None:
            shutil.copytree(self.before, home)


def write_scan(path: Path, seed: int) -> Path:
    """A small scan in the layout of Data Exchange."""
    values = np.random.default_rng(seed).integers(1, 1000, (6, 2, 8)).astype("u2")
    with h5py.File(path, "w") as file:
        file["exchange/data"] = values
        file["exchange/data_white"] = values[:1]
        file["exchange/data_dark"] = values[:1] * 0
        file["exchange/theta"] = np.linspace(0, 150, 6)
    return path


def rows(session: lightwell.Session) -> dict[str, CatalogRow]:
    catalog = session.installation.catalog
    return {pid: catalog.row(pid) for pid in catalog.pids()}


def meaning(row: CatalogRow) -> Any:
    """A row without the moments of this very ingest."""
    document = {key: value for key, value in row.document.items() if key not in ("created", "rev")}
    rules = document.get("access", {})
    document["access"] = {name: {**rule, "since": ""} for name, rule in rules.items()}
    copies = {replace(c, evidence=replace(c.evidence, when="")) for c in row.replicas}
    return document, row.manifest, copies


def prepare(tmp_path: Path, home: Path) -> list[Situation]:
    """Three situations: nothing yet, another dataset there, the same there with other options."""
    one, other = write_scan(tmp_path / "one.h5", 1), write_scan(tmp_path / "other.h5", 2)
    found = [Situation("first", None, one)]
    for name, there in (("beside another", other), ("told more", one)):
        session = lightwell.open()
        session.ingest(there)
        session.installation.catalog.close()
        release()
        kept = tmp_path / name
        shutil.move(home, kept)
        options = ("first_angle=0", "last_angle=150") if name == "told more" else ()
        found.append(Situation(name, kept, one, options))
    return found


def whole(session: lightwell.Session, allowed: list[dict[str, Any]]) -> None:
    """Every dataset to be seen is one of those that may be there, and whole."""
    for pid, row in rows(session).items():
        assert meaning(row) in [meaning(world[pid]) for world in allowed if pid in world]
    seen = {dataset.pid for dataset in session.find()}
    assert seen == set(rows(session))
    entries = session.installation.home / "entries"
    described = {path.stem for path in entries.glob("*")}
    assert all(path.endswith(".nxs.part") or path.startswith("lw-") for path in described)


def campaign(tmp_path: Path, home: Path, wanted: int) -> Counter[str]:
    """Kill as often as wanted, each passage of each situation in turn, and look every time."""
    chance = random.Random(20261123)
    plan = []
    worlds: dict[str, list[dict[str, CatalogRow]]] = {}
    for situation in prepare(tmp_path, home):
        situation.set_up(home)
        # Opening makes the tables; where there is no home yet, that belongs to the ingest.
        before = rows(lightwell.open()) if situation.before else {}
        words = command(str(situation.scan), *situation.options)
        plan += [(situation, passage) for passage in passages(words)]
        worlds[situation.name] = [before, rows(lightwell.open())]
    assert {passage.partition(":")[0] for _, passage in plan} >= EXPECTED
    plan = each_kind_first(plan)
    killed: Counter[str] = Counter()
    number = 0
    while killed.total() < wanted:
        situation, passage = plan[number % len(plan)]
        situation.set_up(home)
        words = command(str(situation.scan), *situation.options)
        at_random = number >= len(plan) and chance.random() < AT_RANDOM
        hit = (
            killed_after(passage, words, chance=chance) if at_random else killed_at(passage, words)
        )
        assert hit or at_random, passage
        killed[f"at random after {passage}" if at_random else passage] += hit
        look(situation, worlds[situation.name], by_reindex=number % 2 == 1)
        number += 1
    return killed


def each_kind_first(plan: list[tuple[Situation, str]]) -> list[tuple[Situation, str]]:
    """The same plan, so that a short campaign, too, kills at every failpoint once."""
    met: Counter[str] = Counter()
    ordered = []
    for number, (_, passage) in enumerate(plan):
        kind = passage.partition(":")[0]
        ordered.append((met[kind], number))
        met[kind] += 1
    return [plan[number] for _, number in sorted(ordered)]


def look(situation: Situation, allowed: list[dict[str, CatalogRow]], *, by_reindex: bool) -> None:
    """Nothing half is there after a kill, and nothing differs after a restart."""
    session = lightwell.open()
    whole(session, allowed)
    found = check(session.installation, content=True)
    assert {finding.code for finding in found.findings} <= LEFT_BY_A_KILL, found.findings
    if by_reindex:
        # Without the scan: what the kill left is cleared away, or taken up.
        check(session.installation, mend=True, idle=0)
        assert not session.reindex().unreadable
        assert check(session.installation, content=True).findings == []
        whole(session, allowed)
    options = dict(word.split("=") for word in situation.options)
    session.ingest(situation.scan, text=True, **options)
    assert check(session.installation, content=True).findings == []
    assert {p: meaning(r) for p, r in rows(session).items()} == {
        p: meaning(r) for p, r in allowed[1].items()
    }
    assert not list(session.installation.home.rglob("*.part*"))
    session.installation.catalog.close()


@pytest.mark.soak
def test_a_killed_ingest_leaves_nothing_half(
    tmp_path: Path, lightwell_home: Path, soak_share: float
) -> None:
    killed = campaign(tmp_path, lightwell_home, max(18, round(KILLS * soak_share)))
    sys.stdout.write(f"{killed.total()} kills: {dict(killed)}\n")
    assert killed.total() >= len(EXPECTED)
    assert {passage.partition(":")[0] for passage in killed} >= EXPECTED


@pytest.mark.soak
def test_a_killed_reindex_leaves_the_old_catalog(
    tmp_path: Path, lightwell_home: Path, soak_share: float
) -> None:
    session = lightwell.open()
    [raw] = session.ingest(write_scan(tmp_path / "one.h5", 1))
    [old] = session.ingest(write_scan(tmp_path / "two.h5", 2))
    session.retire(old.pid, why="a test")
    before, events = rows(session), session.installation.catalog.journal()
    session.installation.catalog.close()
    release()
    plan = passages(command("reindex"))
    assert {passage.partition(":")[0] for passage in plan} >= {"tables-written", "catalog-written"}
    for passage in random.Random(1).sample(plan, max(3, min(len(plan), round(40 * soak_share)))):
        assert killed_at(passage, command("reindex"))
        again = lightwell.open()
        assert rows(again) == before
        assert again.installation.catalog.journal() == events
        again.reindex()
        assert rows(again) == before
        assert again.fsck().clean
        assert not list(lightwell_home.rglob("*.part*"))
        again.installation.catalog.close()
    assert raw.pid in before


@pytest.mark.soak
def test_a_damaged_catalog_is_there_until_it_is_replaced(
    tmp_path: Path, lightwell_home: Path
) -> None:
    session = lightwell.open()
    [raw] = session.ingest(write_scan(tmp_path / "one.h5", 1))
    events = session.installation.catalog.journal()
    session.installation.catalog.close()
    path = lightwell_home / "catalog.sqlite"
    content = path.read_bytes()
    page = content.find(b'"kind":"raw"') // 4096 * 4096
    damaged = content[:page] + bytes(4096) + content[page + 4096 :]
    for passage, stands in (("reindex-filled:1", damaged), ("reindex-renamed:1", None)):
        path.write_bytes(damaged)
        assert killed_at(passage, command("reindex"))
        assert stands is None or path.read_bytes() == stands
        again = lightwell.open()
        again.reindex()
        assert again.get(raw.pid).path == raw.path
        assert again.installation.catalog.journal() == events
        assert again.fsck(content=True).clean
        again.installation.catalog.close()
