"""A reconstruction killed at random moments ends with the bits of one that was left in peace."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lightwell

LIGHTWELL = (sys.executable, "-c", "from lightwell.cli import main; main()")
KILLS = 30
STEERED = 0.8
"""The share of kills that wait for a partly finished slab; the others come when they come."""

ROWS = 2048
"""Rows of the scan: 128 tiles, so that a slab holds several and a kill can fall amid one."""


def run(pid: str, *options: str) -> dict[str, object]:
    done = subprocess.run(
        [*LIGHTWELL, "run", "tomography.gridrec", pid, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def events(folder: Path) -> list[dict[str, object]]:
    diary = folder / "events.jsonl"
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def is_inside_a_slab(happened: list[dict[str, object]]) -> bool:
    """Whether a slab is begun and not closed, with one of its tiles done and one still to come."""
    open_slabs: dict[tuple[int, int], int] = {}
    for event in happened:
        if event["event"] == "slab-begun":
            open_slabs[event["first"], event["last"]] = 0  # type: ignore[index]
        elif event["event"] == "slab-done":
            open_slabs.pop((event["first"], event["last"]), None)  # type: ignore[arg-type]
        elif event["event"] == "tile-done":
            for first, last in open_slabs:
                if first <= event["tile"] < last:  # type: ignore[operator]
                    open_slabs[first, last] += 1
    return any(0 < done < last - first for (first, last), done in open_slabs.items())


def kill_once(pid: str, folder: Path, chance: random.Random) -> tuple[bool, bool]:
    """Start the job and kill it; returns whether it was still running, and amid a slab."""
    before = len(events(folder))
    options = ["--memory", f"{chance.uniform(1.2, 3.0):.2f}GB", "--workers", chance.choice("12")]
    job = subprocess.Popen(
        [*LIGHTWELL, "run", "tomography.gridrec", pid, "--json", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Wait for the first finished tile, then a random while: at start-up there is nothing to lose.
    while job.poll() is None:
        if any(e["event"] == "tile-done" for e in events(folder)[before:]):
            break
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 0.8))
    if chance.random() < STEERED:
        while job.poll() is None and not is_inside_a_slab(events(folder)[before:]):
            time.sleep(0.003)
    alive = job.poll() is None
    job.kill()
    job.wait()
    # What the diary says after the death is what had happened at that moment.
    return alive, is_inside_a_slab(events(folder)[before:])


@pytest.mark.soak
def test_killed_reconstructions_end_with_the_same_bits(
    tmp_path: Path, soak_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = tmp_path / "scan.h5"
    quiet, harried = tmp_path / "quiet", tmp_path / "harried"
    monkeypatch.setenv("LIGHTWELL_HOME", str(quiet))
    lightwell.open().simulate(
        "tomography", scan, width=128, rows=ROWS, angles=91, rotation_axis=61.7
    )
    [raw] = lightwell.open().ingest(scan)
    undisturbed = run(raw.pid)
    expected = lightwell.open().get(str(undisturbed["pid"])).job["digest"]

    monkeypatch.setenv("LIGHTWELL_HOME", str(harried))
    chance = random.Random(20261123)
    wanted = max(3, round(KILLS * soak_share))
    kills = inside = 0
    while kills < wanted:
        lightwell.open().ingest(scan)
        pid = str(undisturbed["pid"])
        alive, amid = kill_once(raw.pid, harried / "results" / pid, chance)
        kills += alive
        inside += alive and amid
        if not alive:
            start_again(harried / "results" / pid)
    result = run(raw.pid, "--memory", "1.2GB", "--workers", "1")
    sys.stdout.write(f"{kills} kills, {inside} of them amid a slab\n")
    assert lightwell.open().get(str(result["pid"])).job["digest"] == expected
    assert inside >= 0.6 * kills
    assert not list(harried.rglob("*.part"))


def start_again(folder: Path) -> None:
    """Remove a job that came to its end, so that the next one can be killed again."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
