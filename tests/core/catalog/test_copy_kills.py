"""A copy of a catalog killed anywhere goes on when it is begun again, and ends as the original."""

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightwell.catalog import SqliteCatalog
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.copying import copy_catalog
from lightwell.storage import Evidence, Replica
from lightwell.testing.catalogs import MIA, contract_dataset
from lightwell.testing.failpoints import killed_after, killed_at, passages
from lightwell_backends.mongodb import MongoCatalog, writing

KILLS = 60
LEASE_SECONDS = 1
EXPECTED = {"catalog-written", "catalog-committed", "copy-written", "copy-journalled"}
PROGRAM = f"""
import sys
from lightwell.catalog import SqliteCatalog, copying
from lightwell_backends.mongodb import MongoCatalog, writing
writing.LEASE_SECONDS = {LEASE_SECONDS}
copying._AT_ONCE = 5
source, target = (
    MongoCatalog(each) if each.startswith("mongodb") else SqliteCatalog(each)
    for each in sys.argv[1:]
)
copying.copy_catalog(source, target)
"""


def filled(catalog: DocumentCatalog) -> None:
    """Put in datasets with copies and a history: edited, retired, shared and taken back."""
    evidence = Evidence("2026-11-24T00:00:00Z", "mia", "test")
    for number in range(13):
        copies = [Replica("data", f"{number}.h5", "x/a.h5", 10, "ab", "online", evidence)]
        dataset = catalog.put(contract_dataset(number), by=MIA, replicas=copies)
        if number % 4 == 1:
            catalog.update(replace(dataset, proposal="als-1"), by=MIA, why="known now")
        if number % 4 == 2:
            catalog.grant(dataset.pid, "user:bo", by=MIA)
        if number % 8 == 2:
            catalog.revoke(dataset.pid, "user:bo", by=MIA)
        if number % 4 == 3:
            catalog.retire(dataset.pid, by=MIA, why="wrong")


def everything(catalog: DocumentCatalog) -> tuple[Any, ...]:
    """All that a copy has to carry over."""
    rows = [catalog.row(pid) for pid in catalog.pids()]
    return rows, catalog.journal(), catalog.changes(limit=10**6)


def kill_and_go_on(
    source: Path, fresh: Callable[[int], tuple[str, DocumentCatalog]], kills: int
) -> None:
    original = SqliteCatalog(source)
    wanted = everything(original)
    chance = random.Random(20261125)
    place, target = fresh(0)
    target.close()
    command = [sys.executable, "-c", PROGRAM, str(source)]
    passed = passages([*command, place])
    assert {each.partition(":")[0] for each in passed} >= EXPECTED
    first = {each.partition(":")[0]: each for each in reversed(passed)}
    plan = [*first.values(), *chance.sample(passed, len(passed))]
    for number in range(kills):
        place, target = fresh(number + 1)
        passage = plan[number % len(plan)]
        if number >= len(first) and chance.random() < 0.3:
            killed_after(passage, [*command, place], chance=chance)
        else:
            assert killed_at(passage, [*command, place]), passage
        rows, journal, changes = everything(target)
        # What is there is the original's, and of the logs nothing in between is missing.
        assert all(row in wanted[0] for row in rows), passage
        assert journal == wanted[1][: len(journal)], passage
        assert changes == wanted[2][: len(changes)], passage
        report = copy_catalog(original, target)
        assert report.verified == len(wanted[0])
        assert report.same >= len(rows)
        assert everything(target) == wanted, passage
        assert target.problems() == []
        assert target.stats().datasets == len(wanted[0])
        assert all(map(target.is_indexed, target.pids()))
        target.close()
    original.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.sqlite"
    catalog = SqliteCatalog(path)
    filled(catalog)
    catalog.close()
    return path


@pytest.mark.soak
def test_a_killed_copy_into_a_file(source: Path, tmp_path: Path, soak_share: float) -> None:
    def fresh(number: int) -> tuple[str, DocumentCatalog]:
        path = tmp_path / f"{number}.sqlite"
        return str(path), SqliteCatalog(path)

    kill_and_go_on(source, fresh, max(6, round(KILLS * soak_share)))


@pytest.mark.soak
@pytest.mark.parametrize("server", ["mongod", "mongod_set"])
def test_a_killed_copy_into_mongodb(
    server: str,
    source: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    soak_share: float,
) -> None:
    monkeypatch.setattr(writing, "LEASE_SECONDS", LEASE_SECONDS)
    running = request.getfixturevalue(server)

    def fresh(number: int) -> tuple[str, DocumentCatalog]:
        url = running.url(f"copied{number}")
        return url, MongoCatalog(url)

    kill_and_go_on(source, fresh, max(4, round(KILLS * soak_share / 3)))
