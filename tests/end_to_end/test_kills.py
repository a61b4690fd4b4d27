"""Every recipe there is, disturbed at random and at every rename, ends with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lightwell
from lightwell.errors import LightwellError
from lightwell.session.fsck import check
from lightwell.testing.disturbing import RESUMABLE, Hit, disturb
from lightwell.testing.failpoints import killed_at, passages

pytestmark = [
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

LIGHTWELL = (sys.executable, "-c", "from lightwell.cli import main; main()")
HITS = 50
"""Of the campaign's 300; 220 are in tests/core/engines/test_kills.py, 30 at failpoints here."""

AT_FAILPOINTS = 30
INSIDE = 0.6
"""Of the hits, in a slab that is partly finished."""

MANY = 30
"""Hits whose share amid slabs says something."""

TRIES = 5

SIZES: Mapping[str, Mapping[str, Any]] = {
    # 64 tiles, so that a slab holds several and a kill can fall amid one.
    "tomography": {"width": 96, "rows": 1024, "angles": 61, "rotation_axis": 45.7},
}
"""Parameters of simulators whose own defaults are too large, or too small, for a campaign."""


@dataclass(frozen=True)
class Case:
    """A recipe on a simulated scan, and the digest of its undisturbed result."""

    recipe: str
    pid: str
    scan: Path
    digest: str

    def command(self, *options: str) -> list[str]:
        return [*LIGHTWELL, "run", self.recipe, self.pid, "--json", *options]

    def set_up(self, home: Path) -> Path:
        """A home of its own with the scan; gives the folder the job will have."""
        os.environ["LIGHTWELL_HOME"] = str(home)
        [raw] = lightwell.open().ingest(self.scan)
        assert raw.pid == self.pid
        return home / "results" / lightwell.open().plan(self.recipe, raw, {}).pid

    def finish(self) -> None:
        """Run to the end and compare."""
        done = subprocess.run(
            self.command("--workers", "1"), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        session = lightwell.open()
        assert session.get(json.loads(done.stdout)["pid"]).job["digest"] == self.digest
        home = session.installation.home
        assert not list(home.rglob("*.part"))
        assert not [path for path in (home / "running").rglob("*.*") if path.is_file()]
        assert check(session.installation).clean


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Every recipe of every technique that can simulate its data, run in peace once."""
    place = tmp_path_factory.mktemp("quiet")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        session = lightwell.open()
        plugins = session.installation.plugins
        for name, simulator in plugins.simulators.items():
            scan = place / f"{name}.h5"
            session.simulate(name, scan, **SIZES.get(name, {}))
            [raw, *_] = session.ingest(scan)
            technique = (simulator.recipe or name).partition(".")[0]
            for recipe in plugins.recipes:
                if recipe.partition(".")[0] == technique and is_possible(session, recipe, raw):
                    result = session.run(recipe, raw, workers=2).result()
                    found.append(Case(recipe, raw.pid, scan, result.job["digest"]))
    assert found
    return found


def is_possible(session: lightwell.Session, recipe: str, raw: Any) -> bool:
    """Whether a recipe runs on a simulated scan with nothing given."""
    try:
        session.plan(recipe, raw, {})
    except LightwellError:
        return False
    return True


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("LIGHTWELL_SEED") or time.time_ns() % 2**32)
    print(f"seed {seed}")  # noqa: T201
    return random.Random(seed)


def harried(case: Case, home: Path, chance: random.Random, *, amid: bool) -> list[Hit]:
    """Disturb one job some times, amid slabs or also at any time."""
    folder = case.set_up(home)
    hits: list[Hit] = []
    for _ in range(TRIES):
        memory, workers = f"{chance.uniform(1.2, 3.0):.2f}GB", chance.choice("112")

        def start(memory: str = memory, workers: str = workers) -> "subprocess.Popen[bytes]":
            command = case.command("--memory", memory, "--workers", workers)
            quiet = subprocess.DEVNULL
            return subprocess.Popen(command, stdout=quiet, stderr=quiet)

        at_any_time = not amid and chance.random() < 0.2
        found, status = disturb(start, folder, chance, at_any_time=at_any_time)
        assert status in {0, RESUMABLE, -signal.SIGKILL, -signal.SIGTERM}
        hits += found
        if status == 0:
            break
    return hits


def test_disturbed_recipes_end_with_the_same_bits(
    cases: list[Case],
    chance: random.Random,
    tmp_path: Path,
    soak_share: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path))
    wanted = max(2, round(HITS * soak_share))
    hits: list[Hit] = []
    order = chance.sample(cases, len(cases))
    number = 0

    def is_enough() -> bool:
        # Of few hits, chance alone may put most elsewhere: their share says nothing.
        counted = len(hits) if len(hits) >= MANY else wanted
        return len(hits) >= wanted and sum(hit.inside for hit in hits) >= INSIDE * counted

    while not is_enough():
        assert len(hits) < 3 * wanted + TRIES, "too few hits fall amid a slab"
        case = order[number % len(order)]
        # Where a job has no slabs, or short ones, hits fall beside them; the others make up for it.
        behind = sum(hit.inside for hit in hits) < 0.7 * len(hits)
        hits += harried(case, tmp_path / f"home_{number}", chance, amid=behind)
        case.finish()
        number += 1
    inside = sum(hit.inside for hit in hits)
    kinds = ", ".join(f"{count} {how}" for how, count in Counter(h.how for h in hits).items())
    print(f"{len(hits)} hits ({kinds}) of {number} jobs, {inside} amid a slab")  # noqa: T201


def test_killed_at_every_rename_and_commit(
    cases: list[Case],
    chance: random.Random,
    tmp_path: Path,
    soak_share: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path))
    case = chance.choice(cases)
    case.set_up(tmp_path / "listed")
    passed = passages(case.command("--workers", "1"))
    names = sorted({passage.partition(":")[0] for passage in passed})
    assert {"hdf5-renamed", "file-renamed", "catalog-committed", "share-named"} <= set(names)
    # The first time and some later one, by whichever process comes there.
    later = [chance.choice([p for p in passed if p.startswith(f"{n}:")]) for n in names]
    points = sorted({f"{name}:1" for name in names} | set(later))
    wanted = min(len(points), max(1, round(AT_FAILPOINTS * soak_share)))
    for number, point in enumerate(chance.sample(points, wanted)):
        case.set_up(tmp_path / f"home_{number}")
        killed = killed_at(point, case.command("--workers", "1"))
        print(f"{case.recipe}: {'killed' if killed else 'survived'} at {point}")  # noqa: T201
        case.finish()
