"""Kill -9 of writers and of the server in mid-write: nothing that was acknowledged is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mongod_server import Mongod, mongod_program

from lightwell.catalog import SqliteCatalog
from lightwell.catalog.base import DocumentCatalog
from lightwell.testing.catalogs import MIA, contract_dataset
from lightwell_backends.mongodb import MongoCatalog, writing

ROUNDS = 8
LEASE_SECONDS = 2
# Writers fall silent only when they die here, so that nobody need wait long for a dead one.
WRITER = f"""
import sys
from lightwell.testing.catalogs import MIA, contract_dataset
from lightwell_backends.mongodb import MongoCatalog, writing
from lightwell.catalog import SqliteCatalog
writing.LEASE_SECONDS = {LEASE_SECONDS}
place, first = sys.argv[1:]
catalog = MongoCatalog(place) if place.startswith("mongodb") else SqliteCatalog(place)
for number in range(int(first), int(first) + 100_000):
    print(catalog.put(contract_dataset(number), by=MIA).pid, flush=True)
"""


class Writer:
    """A process that says the pid of each dataset that was acknowledged."""

    def __init__(self, place: str, first: int, said: Path) -> None:
        self.said = said
        command = [sys.executable, "-c", WRITER, place, str(first)]
        with said.open("ab") as out, said.with_suffix(".errors").open("ab") as errors:
            self.process = subprocess.Popen(command, stdout=out, stderr=errors)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.acknowledged()) < count:
            assert self.process.poll() is None, self.said.with_suffix(".errors").read_text()[-2000:]
            assert time.monotonic() < deadline, "the writer is too slow"
            time.sleep(0.005)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def acknowledged(self) -> list[str]:
        # The last line may be half written.
        return self.said.read_text().split("\n")[:-1]


def check(catalog: DocumentCatalog, acknowledged: list[str], number: int) -> None:
    """All that was said is there, and documents, journal and change log agree."""
    catalog.put(contract_dataset(900_000 + number), by=MIA)  # does first what a dead writer began
    for pid in acknowledged:
        assert catalog.get(pid).manifest.files, pid
    pids = catalog.pids()
    journal = catalog.journal()
    assert [event.number for event in journal] == list(range(1, len(journal) + 1))
    assert sorted(str(event.pid) for event in journal) == pids
    assert sorted(change.pid for change in catalog.changes(limit=10**6)) == pids
    assert catalog.problems() == []
    assert catalog.stats().datasets == len(pids)
    assert all(map(catalog.is_indexed, pids[-20:]))


def rounds(soak_share: float) -> range:
    return range(max(1, round(ROUNDS * soak_share)))


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LEASE_SECONDS", LEASE_SECONDS)


@pytest.mark.soak
def test_killed_writers_of_the_embedded_catalog(tmp_path: Path, soak_share: float) -> None:
    place = tmp_path / "catalog.sqlite"
    _kill_writers(str(place), lambda: SqliteCatalog(place), tmp_path / "said", soak_share)


@pytest.mark.soak
@pytest.mark.parametrize("server", ["mongod", "mongod_set"])
def test_killed_writers_to_mongodb(
    server: str, request: pytest.FixtureRequest, tmp_path: Path, soak_share: float
) -> None:
    url = request.getfixturevalue(server).url("killed_writers")
    _kill_writers(url, lambda: MongoCatalog(url), tmp_path / "said", soak_share)


def _kill_writers(
    place: str, opened: Callable[[], DocumentCatalog], said: Path, soak_share: float
) -> None:
    said.touch()
    for number in rounds(soak_share):
        before = said.read_text().count("\n")
        writer = Writer(place, number * 100_000, said)
        writer.wait_for(before + 20 + number)
        writer.kill()
        catalog = opened()
        # What was half written stays half: the next one begins on a line of its own.
        acknowledged = writer.acknowledged()
        said.write_text("".join(f"{pid}\n" for pid in acknowledged))
        check(catalog, acknowledged, number)
        catalog.close()


@pytest.mark.soak
@pytest.mark.parametrize("replica_set", [False, True], ids=["standalone", "replica set"])
def test_a_killed_server(
    mongod: Mongod, *, replica_set: bool, tmp_path: Path, soak_share: float
) -> None:
    program = mongod_program()
    assert program is not None
    server = Mongod(program, tmp_path / "data", replica_set=replica_set)
    said = tmp_path / "said"
    said.touch()
    try:
        for number in rounds(soak_share):
            before = said.read_text().count("\n")
            writer = Writer(server.url("killed"), number * 100_000, said)
            writer.wait_for(before + 20 + number)
            server.kill()
            writer.kill()
            acknowledged = writer.acknowledged()
            said.write_text("".join(f"{pid}\n" for pid in acknowledged))
            server.start()
            catalog = MongoCatalog(server.url("killed"))
            check(catalog, acknowledged, number)
            catalog.close()
    finally:
        server.stop()
