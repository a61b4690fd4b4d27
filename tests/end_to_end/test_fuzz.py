"""Damaged files: a sentence or a dataset, never a traceback, a hang, much memory, a bad catalog.

Every case is a process of its own, because HDF5 itself may crash on a damaged file; a crash of HDF5
counts as refused, what lightwell answers for is all the rest.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lightwell.errors import LightwellError
from lightwell.files import File
from lightwell.hdf5 import is_hdf5, linked_files
from lightwell.testing.forked import Forked, Outcome
from lightwell_tomography.importers import TiffFolder

CASES_PER_FILE = 100
LARGEST_FILE = 2_000_000
HANG_SECONDS = 20.0
MEMORY = 1 << 30
DONE, OUR_FAULT, REFUSED = 0, 1, 2
ANGLES = ("--set", "first_angle=0", "--set", "last_angle=180")


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


@dataclass(frozen=True)
class Target:
    """What is pointed at when a file is damaged: the file, or the folder or master it belongs to.

    top : the folder that has to be there for it; place : of the damaged file below that.
    """

    top: Path
    place: Path
    words: tuple[str, ...]
    verbs: tuple[str, ...] = ("ingest",)

    def laid_out(self, folder: Path) -> Path:
        """Link all the neighbours into a folder; return where the damaged file has to stand."""
        for path in self.top.rglob("*"):
            below = folder / path.relative_to(self.top)
            below.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.relative_to(self.top) != self.place:
                below.symlink_to(path)
        return folder / self.place


def targets(file: Path) -> Iterator[Target]:
    """The ways in which somebody may come upon a file."""
    above = file.parent.parent
    for folder in (file.parent, above):
        if TiffFolder().claims(File(folder)):
            yield Target(folder, file.relative_to(folder), (".", *ANGLES))
            return
    hdf5 = is_hdf5(file)
    yield Target(
        file.parent, Path(file.name), (file.name,), ("ingest", "validate") if hdf5 else ("ingest",)
    )
    for master in sorted(above.glob("*")) if hdf5 else ():
        if is_hdf5(master) and str(file) in links_of(master):
            yield Target(above, file.relative_to(above), (master.name,))


def links_of(master: Path) -> tuple[str, ...]:
    try:
        return tuple(map(str, linked_files(master, "/")))
    except LightwellError:
        return ()


@dataclass
class Campaign:
    """Cases of many files, and what went wrong in them."""

    folder: Path
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def damage(self, process: Forked, file: Path, cases: int) -> None:
        """Point at damaged copies of a file, then look at the catalog they were put into."""
        content = file.read_bytes()
        home = self.folder / "home"
        for target in targets(file):
            stage = self.folder / "stage"
            place = target.laid_out(stage)
            for case in range(cases):
                place.write_bytes(damaged(content, self.chance))
                for verb in target.verbs:
                    words = (str(stage / target.words[0]), *target.words[1:])
                    done = process.run(verb, *words, home=home)
                    too_much = done.stuck or done.seconds > HANG_SECONDS or done.peak > MEMORY
                    if verb == "validate" and too_much:
                        # The forked one judges in its own process, without the command's guard.
                        done = commanded(verb, *words)
                    self.judge(f"{verb} {file.name}, case {case}", done, place)
            shutil.rmtree(stage)
        sys.stdout.write(f"{file}: {dict(self.counts)}, {len(self.problems)} problems\n")
        sys.stdout.flush()
        if not sound(home) or process.run("find", home=home).status != DONE:
            self.problems.append(f"{file.name}: the catalog is damaged")
        shutil.rmtree(home, ignore_errors=True)

    def judge(self, title: str, done: Outcome, place: Path) -> None:
        verb = title.partition(" ")[0]
        wrong = (
            "hangs" if done.stuck or done.seconds > HANG_SECONDS
            else f"takes {done.peak / 1e9:.1f} GB" if done.peak > MEMORY
            else "shows a traceback" if "Traceback" in done.said
            else f"ends with {done.status}" if done.status > REFUSED or done.status == OUR_FAULT
            else "says nothing" if done.status == REFUSED and not done.said.strip()
            else ""
        )  # fmt: skip
        crashed = done.status < 0 and not done.stuck
        self.counts[f"{verb} {'crashed' if crashed else done.status}"] += 1
        if wrong:
            kept = self.folder / f"kept_{len(self.problems)}{place.suffix}"
            shutil.copy(place, kept)
            self.problems.append(f"{title} {wrong}, see {kept}: {done.said[-500:]}")


# A process begins with the peak of the one that started it, and this one's is that of all tests
# before: so a small process starts the command, and says what its peak was.
BETWEEN = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
seconds = used.ru_utime + used.ru_stime
with open(sys.argv[1], "w") as report:
    print(os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024, seconds, file=report)
"""
COMMAND = "import sys; from lightwell.cli.main import run; sys.exit(run(sys.argv[1:]))"


def commanded(*words: str) -> Outcome:
    """Run the command itself, as people do; peak and seconds are of all its processes."""
    with tempfile.TemporaryFile("w+") as said, tempfile.NamedTemporaryFile("r") as report:
        process = subprocess.Popen(
            [sys.executable, "-c", BETWEEN, report.name, sys.executable, "-c", COMMAND, *words],
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Outcome(-signal.SIGKILL, "", 0, 120.0, stuck=True)
        said.seek(0)
        status, peak, seconds = report.read().split()
        return Outcome(int(status), said.read(), int(peak), float(seconds), stuck=False)


def test_a_command_does_not_answer_for_the_memory_of_the_tests() -> None:
    held = bytearray(b"x") * MEMORY
    del held
    done = commanded("--help")
    assert done.status == DONE
    assert 0 < done.peak < MEMORY / 2


def sound(home: Path) -> bool:
    database = home / "catalog.sqlite"
    if not database.exists():
        return True
    with sqlite3.connect(database) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def cases_of(file: Path, files: list[Path], share: float) -> int:
    """How often a file is damaged: files of a series share what a part of the campaign has."""
    if share >= 1:
        return CASES_PER_FILE
    alike = sum(f.parent == file.parent and f.suffix == file.suffix for f in files)
    return max(1, round(CASES_PER_FILE * share / alike))


@pytest.fixture(scope="module")
def process() -> Iterator[Forked]:
    with Forked() as forked:
        yield forked


@pytest.mark.soak
@pytest.mark.parametrize(
    "kind", ["gisaxs", "nexus", "ptychography", "saxs_waxs", "tomography", "xas", "xrf"]
)
def test_damaged_copies_of_real_files(
    shared_data: Path, tmp_path: Path, soak_share: float, process: Forked, kind: str
) -> None:
    files = sorted(
        path
        for path in (shared_data / kind).rglob("*")
        if path.is_file() and 0 < path.stat().st_size < LARGEST_FILE
    )
    seed = os.environ.get("LIGHTWELL_SEED", "3")
    campaign = Campaign(tmp_path, random.Random(f"{seed} {kind}"))
    for file in files:
        campaign.damage(process, file, cases_of(file, files, soak_share))
    counts = dict(sorted(campaign.counts.items()))
    sys.stdout.write(f"{kind}: {len(files)} files, {campaign.counts.total()} cases: {counts}\n")
    assert not campaign.problems, "\n".join(campaign.problems)
    assert campaign.counts.total() >= len(files) > 0
    # What is damaged so little that it can be described must have been looked at too.
    assert kind != "tomography" or counts["ingest 0"] > len(files) / 2


def test_no_folder_of_real_files_is_forgotten(shared_data: Path) -> None:
    [mark] = [m for m in test_damaged_copies_of_real_files.pytestmark if m.name == "parametrize"]
    assert mark.args[1] == sorted(path.name for path in shared_data.iterdir() if path.is_dir())
