"""Jobs disturbed at random: killed, stopped, their workers killed or left without memory.

A job has to end with the same bits whatever is done to it on the way; the campaigns that hold the
engine, and every plugin's recipes, to that are built from this.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["FATAL", "RESUMABLE", "Diary", "Hit", "disturb", "gone", "starve", "workers_of"]

RESUMABLE = 75
"""The exit status of a job that was stopped, or found no memory, and can be resumed."""

FATAL = ("kill", "term")
"""What ends a try; a job outlives the rest, and goes on with smaller slabs."""

_PATIENCE_S = 300.0


class Hit(NamedTuple):
    """What was done to a job, and whether it was inside a partly finished slab."""

    how: str
    inside: bool
    section: int | None
    done: str

    def __str__(self) -> str:
        place = f"inside section {self.section}: {self.done} tiles" if self.inside else "between"
        return f"{self.how}, {place}"


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
            for line in whole.splitlines():
                # A line that a kill cut short has the next try's first one behind it.
                if line.startswith(b"{") and line.endswith(b"}") and line.count(b'{"t"') == 1:
                    self.events.append(json.loads(line))
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
            elif event["event"] == "shortage":
                # All that was under way is given up, to be begun anew.
                found.clear()
            elif event["event"] == "tile-done":
                for (section, first, last), done in found.items():
                    if section == event["section"] and first <= event["tile"] < last:
                        done.add(event["tile"])
        return found

    def hit(self, how: str) -> Hit:
        """A hit that falls now. A slab of one tile is not partly finished, whatever is done."""
        slabs = [(k, done) for k, done in self.open_slabs().items() if done and k[2] - k[1] > 1]
        done = ", ".join(f"{len(done)} of {key[2] - key[1]}" for key, done in slabs)
        return Hit(how, bool(slabs), slabs[0][0][0] if slabs else None, done)


def workers_of(pid: int) -> list[int]:
    """The worker processes of a job."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        found = [int(word) for word in children.read_text().split()]
    except OSError:
        return []
    return [child for child in found if "lightwell.engines.worker" in _command(child)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def starve(worker: int, chance: random.Random) -> bool:
    """Let a worker have hardly more memory than it has; False if it is gone."""
    import resource

    try:
        status = Path(f"/proc/{worker}/status").read_text()
        size = next(int(ln.split()[1]) for ln in status.splitlines() if ln.startswith("VmSize:"))
        limit = size * 1024 + chance.randint(0, 4 << 20)
        resource.prlimit(worker, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    except (OSError, StopIteration):
        return False
    return True


def disturb(
    start: "Callable[[], subprocess.Popen[Any]]",
    folder: Path,
    chance: random.Random,
    *,
    at_any_time: bool,
) -> tuple[list[Hit], int]:
    """Run a job until a hit ends it; the hits, and the exit status of its process.

    start : begins a try; folder : where the job keeps its events; at_any_time : hit it whenever,
    not amid a partly finished slab. Raises AssertionError where a worker outlives the job.
    """
    hits: list[Hit] = []
    with start() as process:
        diary = Diary(folder)
        # Slabs shrink with every worker that dies, and then there is no inside any more.
        harm = chance.choices(["worker", "starve"], k=chance.choice([0, 0, 1, 2]))
        workers: set[int] = set()
        for how in [*harm, chance.choice(FATAL)]:
            _await_moment(process, diary, chance, at_any_time=at_any_time)
            if process.poll() is not None:
                break
            present = workers_of(process.pid)
            workers |= set(present)
            if _harm(how, process, present, chance):
                hits.append(diary.hit(how))
        status = process.wait(timeout=_PATIENCE_S)
    if not gone(workers):
        raise AssertionError(f"a worker of {sorted(workers)} outlived its job")
    return hits, status


def _harm(
    how: str, process: "subprocess.Popen[Any]", workers: list[int], chance: random.Random
) -> bool:
    """Do it; False if there was nothing to do it to."""
    if how in FATAL:
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
        return True
    if not workers:
        return False
    victim = chance.choice(workers)
    if how == "starve":
        return starve(victim, chance)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _await_moment(
    process: "subprocess.Popen[Any]", diary: Diary, chance: random.Random, *, at_any_time: bool
) -> None:
    """Wait for a slab with so many finished tiles, or for no reason."""
    tiles = chance.randint(1, 12)
    segments = chance.choice([0, 0, 1, 3])
    moment = time.monotonic() + (chance.uniform(0.2, 4.0) if at_any_time else _PATIENCE_S)
    seen = len(diary.read())
    while process.poll() is None and time.monotonic() < moment:
        closed = sum(event["event"] == "segment" for event in diary.read()[seen:])
        if not at_any_time and closed >= segments and diary.is_inside(tiles):
            break
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.01))


def gone(workers: set[int]) -> bool:
    """Whether processes have ended, or do within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        # Empty for one that has ended and that nobody has asked about.
        if not any(map(_command, workers)):
            return True
        time.sleep(0.05)
    return False
