"""Four readers and three writers at once, each a process of its own."""

import statistics
import subprocess
import sys
from pathlib import Path

__all__ = ["read_and_write"]

READERS, WRITERS = 4, 3
PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from catalog_stores.embedded import MongoStore, SqliteStore
from catalog_stores.naive import NaiveStore
from lightwell.testing.catalog_documents import beamline_document
role, name, place, first, attributes, seconds = sys.argv[2:]
made = MongoStore(place) if name == "mongodb" else (
    SqliteStore if name == "sqlite" else NaiveStore)(Path(place))
store = made.open()
number = int(first)
store.newest()
print("ready", flush=True)
sys.stdin.readline()
end = time.perf_counter() + float(seconds)
while time.perf_counter() < end:
    document = beamline_document(number, attributes=int(attributes)) if role == "write" else None
    number += 1
    began = time.perf_counter()
    store.newest() if document is None else store.insert(document)
    print(1000 * (time.perf_counter() - began), flush=True)
store.close()
"""


def read_and_write(
    places: dict[str, tuple[str, str]], first: int, attributes: int, seconds: float
) -> None:
    """Print how long reading the newest 20 and inserting take while others do."""
    print(
        f"\n{READERS} readers of the newest 20 and {WRITERS} writers at once, {seconds:.0f} s; ms"
    )
    tails: dict[str, dict[str, float]] = {"read": {}, "write": {}}
    for name, place in places.items():
        times = _together(place, first, attributes, seconds)
        for role, found in times.items():
            ordered = sorted(found)
            p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
            tails[role][name] = p99
            print(f"{name:12}{role:7} {len(found) / seconds:8.0f}/s   "
                  f"p50 {statistics.median(ordered):8.2f}   p99 {p99:8.2f}")  # fmt: skip
    for role, found in tails.items():
        if {"sqlite", "mongodb"} <= set(found) and found["sqlite"] > found["mongodb"]:
            times = found["sqlite"] / found["mongodb"]
            print(f"sqlite loses to mongodb: its p99 to {role} is {times:.1f} times as long")


def _together(
    place: tuple[str, str], first: int, attributes: int, seconds: float
) -> dict[str, list[float]]:
    here = str(Path(__file__).parents[1])
    roles = ["read"] * READERS + ["write"] * WRITERS
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, here, role, *place,
             str(first + 3000 * max(0, at - READERS)), str(attributes), str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for at, role in enumerate(roles)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    times: dict[str, list[float]] = {"read": [], "write": []}
    for worker, role in zip(workers, roles, strict=True):
        out, _ = worker.communicate()
        assert worker.returncode == 0
        times[role] += map(float, out.split())
    return times
