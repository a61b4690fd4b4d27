"""A job killed at random moments ends with the bits of an undisturbed one."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import runs

HERE = Path(__file__).parent
GB = 1 << 30
FULL = {"memory": 2 * GB, "workers": 2, "slabs": 4}


def start(folder: Path, **means: Any) -> subprocess.Popen[str]:
    """Start the job; its error output goes to a file, since nobody reads it meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stderr.txt").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, str(HERE / "killed.py"), json.dumps({"folder": str(folder), **means})],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def finish(folder: Path, **means: Any) -> dict[str, Any]:
    with start(folder, **means) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, (folder / "stderr.txt").read_text()
    found: dict[str, Any] = json.loads(output)
    return found


class Diary:
    """The events of one try, read while they are written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.jsonl"
        self.offset = self.path.stat().st_size if self.path.exists() else 0
        self.events: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.offset)
                whole, newline, _ = file.read().rpartition(b"\n")
            self.offset += len(whole) + len(newline)
            self.events += [json.loads(line) for line in whole.splitlines()]
        return self.events

    def is_inside(self, tiles: int) -> bool:
        """Whether an open slab of several tiles has so many finished ones, or half."""
        slabs = self.open_slabs().items()
        return any(
            last - first > 1 and len(done) >= min(tiles, (last - first) // 2)
            for (_, first, last), done in slabs
        )

    def open_slabs(self) -> dict[tuple[int, int, int], set[int]]:
        """Slabs begun and not closed, with their finished tiles."""
        found: dict[tuple[int, int, int], set[int]] = {}
        for event in self.read():
            if event["event"] == "slab-begun":
                found[event["section"], event["first"], event["last"]] = set()
            elif event["event"] in {"slab-done", "segment"}:
                found.pop((event["section"], event["first"], event["last"]), None)
            elif event["event"] == "tile-done":
                for (section, first, last), done in found.items():
                    if section == event["section"] and first <= event["tile"] < last:
                        done.add(event["tile"])
        return found


class Kill(NamedTuple):
    """What a kill hit."""

    victim: str
    inside: bool
    section: int | None
    done: str


def workers_of(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    lines = [line.split(None, 1) for line in found.stdout.splitlines()]
    return [int(number) for number, program in lines if "lightwell.engines.worker" in program]


def kill_once(folder: Path, rng: random.Random, *, at_any_time: bool) -> Kill | None:
    """Run the job with random means and kill it; None where it came to its end before."""
    means = {
        "memory": int(rng.uniform(0.6, 2.0) * GB),
        "workers": rng.choice([1, 2]),
        "slabs": rng.choice([1, 2, 4, 8, 16]),
    }
    # Most kills wait until a slab has so many finished tiles.
    tiles = None if at_any_time else rng.randint(1, 12)
    moment = time.monotonic() + (rng.uniform(0.2, 4.0) if tiles is None else 120)
    # Not only within the first section: some tries let it pass a few slabs before.
    segments = rng.choice([0, 0, 1, 3, 8])
    pause = rng.uniform(0, 0.01)
    with start(folder, **means) as process:
        diary = Diary(folder)
        while process.poll() is None and time.monotonic() < moment:
            closed = sum(event["event"] == "segment" for event in diary.read())
            if tiles is not None and closed >= segments and diary.is_inside(tiles):
                break
            time.sleep(0.002)
        time.sleep(pause)
        workers = workers_of(process.pid)
        is_worker = bool(workers) and rng.random() < 0.15
        if process.poll() is not None:
            assert process.returncode == 0, (folder / "stderr.txt").read_text()
            return None
        os.kill(rng.choice(workers) if is_worker else process.pid, 9)
        assert process.wait(timeout=60) != 0 or is_worker
    if process.returncode == 0:
        return None  # the worker that was killed had nothing left to do
    assert gone(workers), "a worker outlived its supervisor"
    # A slab of one tile is not partly finished, whatever is done of it.
    slabs = [(k, done) for k, done in diary.open_slabs().items() if done and k[2] - k[1] > 1]
    done = ", ".join(f"{len(done)} of {key[2] - key[1]}" for key, done in slabs)
    section = slabs[0][0][0] if slabs else None
    return Kill("a worker" if is_worker else "the supervisor", bool(slabs), section, done)


def gone(workers: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(map(is_running, workers)):
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        # Empty for one that has ended and that nobody has asked about.
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def campaign(folder: Path, kills: int, rng: random.Random) -> Iterator[tuple[Path, Kill]]:
    """Kill until there were that many kills; a job that ended meanwhile is begun anew."""
    number, tries = 0, 0
    inside: list[bool] = []
    while len(inside) < kills:
        # A fresh job after some tries as well, so that the beginning is hit again.
        if tries == 12:
            number, tries = number + 1, 0
        job = folder / f"job_{number}"
        at_any_time = sum(inside) > 0.75 * len(inside) and rng.random() < 0.3
        found = kill_once(job, rng, at_any_time=at_any_time)
        tries += 1
        if found is None:
            tries = 12
            continue
        inside.append(found.inside)
        yield job, found


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_jobs_end_with_the_bits_of_an_undisturbed_one(
    tmp_path: Path, soak_share: float
) -> None:
    number = max(3, round(30 * soak_share * 10))
    seed = int(os.environ.get("LIGHTWELL_SEED") or time.time_ns() % 2**32)
    rng = random.Random(seed)
    whole = finish(tmp_path / "undisturbed", **FULL)
    kills = []
    jobs: dict[Path, int] = {}
    for job, kill in campaign(tmp_path, number, rng):
        kills.append(kill)
        jobs[job] = jobs.get(job, 0) + 1
        place = f"inside section {kill.section}: {kill.done} tiles" if kill.inside else "between"
        print(f"kill {len(kills):3d} of {job.name}, {kill.victim}, {place}")  # noqa: T201
    inside = sum(kill.inside for kill in kills) / len(kills)
    print(f"seed {seed}: {len(kills)} kills of {len(jobs)} jobs, {inside:.0%} inside a slab")  # noqa: T201
    ends = {job.name: finish(job, **{**FULL, "slabs": rng.choice([1, 4, 16])}) for job in jobs}
    assert {name: end["digest"] for name, end in ends.items()} == dict.fromkeys(
        ends, whole["digest"]
    ), f"seed {seed}"
    assert all(end["estimates"] == whole["estimates"] for end in ends.values())
    assert inside >= 0.6
    assert not runs.leftovers(tmp_path)


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
    found = {name: finish(tmp_path / name, **facts) for name, facts in means.items()}
    assert {facts["digest"] for facts in found.values()} == {found["whole"]["digest"]}
    assert len({tuple(facts["slabs"]) for facts in found.values()}) > 2
