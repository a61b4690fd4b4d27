"""Damaged files: a sentence or a dataset, never a traceback, a hang, much memory, a bad catalog.

Every case is a process of its own, because HDF5 itself may crash on a damaged file; a crash of HDF5
counts as refused, what lightwell answers for is all the rest.
"""

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

# The limit stops a process that wants far more than it may have, before the machine does.
PROGRAM = """
import atexit, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))
from lightwell.cli import main
def tell():
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
atexit.register(tell)
main()
"""
CASES_PER_FILE = 100
LARGEST_FILE = 2_000_000
HANG_S = 20
MEMORY = 1 << 30
SUFFIXES = {".h5", ".nxs", ".hdf", ".cxi", ".txrm", ".xrm"}
EXPECTED = {0, 2}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A copy with a few bytes changed, or a piece cut out, or the end missing."""
    copy = bytearray(content)
    kind = chance.random()
    if kind < 0.1:
        return bytes(copy[: chance.randrange(len(copy))])
    if kind < 0.2:
        start = chance.randrange(len(copy))
        del copy[start : start + chance.randrange(1, 4096)]
        return bytes(copy)
    # Structure stands near the front and the back of HDF5 files more often than amid the frames.
    reach = len(copy) if chance.random() < 0.5 else min(len(copy), 8192)
    for _ in range(chance.choice((1, 2, 8, 64))):
        copy[chance.randrange(reach)] = chance.randrange(256)
    return bytes(copy)


def ingest(path: Path) -> tuple[int, str]:
    """Exit status and what was said by one `lightwell ingest`; its peak of memory is checked."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "ingest", str(path)],
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"ingest of {path} hangs")
    said, _, peak = done.stderr.rpartition("peak ")
    if done.returncode >= 0:
        assert int(peak) * 1024 < MEMORY, f"{path} took {int(peak) / 1e6:.1f} GB"
    return done.returncode, said


def catalog_is_sound(home: Path) -> bool:
    database = home / "catalog.sqlite"
    if not database.exists():
        return True
    with sqlite3.connect(database) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


@pytest.mark.soak
def test_damaged_copies_of_real_files(
    shared_data: Path, tmp_path: Path, soak_share: float, lightwell_home: Path
) -> None:
    files = sorted(
        path
        for path in shared_data.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.stat().st_size < LARGEST_FILE
    )
    assert len(files) > 10
    chance = random.Random(int(os.environ.get("LIGHTWELL_SEED", "3")))
    each = max(1, round(CASES_PER_FILE * soak_share))
    counts = {0: 0, 2: 0, "crashed": 0}
    for file in files:
        content = file.read_bytes()
        for case in range(each):
            path = tmp_path / f"case_{case}{file.suffix}"
            path.write_bytes(damaged(content, chance))
            status, said = ingest(path)
            if status < 0:
                counts["crashed"] += 1
                continue
            assert status in EXPECTED, f"{file.name}, case {case}: {status} {said}"
            assert "Traceback" not in said, f"{file.name}, case {case}: {said}"
            counts[status] += 1
            path.unlink()
        assert catalog_is_sound(lightwell_home), file
    sys.stdout.write(f"{len(files)} files, {each} cases each: {counts}\n")
