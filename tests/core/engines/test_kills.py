"""Jobs of every kind, disturbed at random, end with the bits of undisturbed ones."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import runs
from killed import JOBS

from lightwell.engines.lock import is_locked
from lightwell.testing.disturbing import RESUMABLE, Hit, disturb

HERE = Path(__file__).parent
GB = 1 << 30
FULL = {"memory": 2 * GB, "workers": 2, "slabs": 4}
HITS = 220
"""Of the campaign's 300; those through the command line are in tests/end_to_end/test_kills.py."""

TRIES = 4
"""Of one job, before it is left in peace to end: later ones would find little left to do."""


def start(job: str, folder: Path, **means: Any) -> subprocess.Popen[str]:
    """Start a job of `killed.JOBS`; its error output goes to a file, since nobody reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps({"job": job, "folder": str(folder), **means})
    with (folder / "stderr.txt").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, str(HERE / "killed.py"), told],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def finish(job: str, folder: Path, **means: Any) -> dict[str, Any]:
    with start(job, folder, **means) as process:
        output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, (folder / "stderr.txt").read_text()
    found: dict[str, Any] = json.loads(output)
    return found


def leftovers(folder: Path) -> list[str]:
    """What nothing should be left of: unfinished files, locks, shared memory."""
    shared = [str(path) for path in Path("/dev/shm").glob("*lightwell*")]  # noqa: S108
    locked = [str(path) for path in folder.rglob("lock") if is_locked(path)]
    return [*runs.leftovers(folder), *shared, *locked]


def harried(job: str, folder: Path, rng: random.Random, inside: float) -> list[Hit]:
    """Disturb one job a few times, mostly amid slabs."""
    hits: list[Hit] = []
    for _ in range(TRIES):
        so_far = sum(hit.inside for hit in hits)
        at_any_time = inside > 0.7 and so_far >= 0.7 * len(hits) and rng.random() < 0.3
        means = {
            "memory": int(rng.uniform(0.8, 2.0) * GB),
            "workers": rng.choice([1, 1, 2]),
            "slabs": rng.choice([1, 1, 2, 4]),
        }
        found, status = disturb(
            lambda means=means: start(job, folder, **means),  # type: ignore[misc]
            folder,
            rng,
            at_any_time=at_any_time,
        )
        said = (folder / "stderr.txt").read_text()
        # A TERM that comes before the job can listen ends it as it does any process.
        assert status in {0, RESUMABLE, -signal.SIGKILL, -signal.SIGTERM}, said
        hits += found
        if status == 0:
            break
    return hits


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_disturbed_jobs_end_with_the_bits_of_undisturbed_ones(
    tmp_path: Path, soak_share: float
) -> None:
    number = max(4, round(HITS * soak_share))
    seed = int(os.environ.get("LIGHTWELL_SEED") or time.time_ns() % 2**32)
    rng = random.Random(seed)
    whole: dict[str, dict[str, Any]] = {}
    hits: list[Hit] = []
    names: list[str] = []
    while len(hits) < number:
        # Every kind in turn, in an order of their own: a small share begins anywhere.
        names = names or rng.sample(list(JOBS), len(JOBS))
        job, round_ = names.pop(), len(hits)
        if job not in whole:
            whole[job] = finish(job, tmp_path / "whole" / job / "job", **FULL)
        folder = tmp_path / f"{round_}_{job}" / "job"
        inside = sum(hit.inside for hit in hits) / max(len(hits), 1)
        found = harried(job, folder, rng, inside)
        end = finish(job, folder, **{**FULL, "slabs": rng.choice([1, 4, 16])})
        for hit in found:
            print(f"{job}: {hit}")  # noqa: T201
        assert end["digest"] == whole[job]["digest"], f"{job}, seed {seed}: {found}"
        assert end["estimates"] == whole[job]["estimates"]
        assert not leftovers(tmp_path)
        hits += found
    share = sum(hit.inside for hit in hits) / len(hits)
    kinds = ", ".join(f"{count} {how}" for how, count in Counter(h.how for h in hits).items())
    print(f"seed {seed}: {len(hits)} hits ({kinds}), {share:.0%} inside a slab")  # noqa: T201
    assert share >= 0.6


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_half_the_memory_one_worker_and_one_core_give_the_same_bits(tmp_path: Path) -> None:
    means: dict[str, dict[str, Any]] = {
        "whole": FULL,
        "half": {**FULL, "memory": FULL["memory"] // 2},
        "scarce": {**FULL, "memory": int(0.6 * GB), "slabs": 1},
        "one worker": {**FULL, "workers": 1, "slabs": 16},
        "one core": {**FULL, "cores": 1},
    }
    found = {name: finish("ground", tmp_path / name, **facts) for name, facts in means.items()}
    assert {facts["digest"] for facts in found.values()} == {found["whole"]["digest"]}
    assert len({tuple(facts["slabs"]) for facts in found.values()}) > 2
