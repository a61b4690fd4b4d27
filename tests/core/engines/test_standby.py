"""A worker that waits: taken by the next job that suits it, holding its locks, never left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import h5py
import pytest
import runs

from lightwell.engines import Source, standby
from lightwell.engines.lock import JobLock, is_locked
from lightwell.engines.workers import Workers
from lightwell.hdf5 import Hdf5Array

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    yield
    with standby._guard:
        standby._wanted.clear()
    for _ in range(len(standby._waiting)):
        worker = standby.take_ready(None)
        if worker is not None:
            worker.end()


def waiting() -> int:
    """The process that waits."""
    [(_, starting)] = standby._waiting
    return starting.result().process.pid


def staff(cache: Path | None = None, descriptors: tuple[int, ...] = ()) -> Workers:
    return Workers(lambda event: None, Event(), descriptors, cache)


def test_a_job_takes_the_worker_that_waits_and_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    standby.keep_ready(None)
    first = waiting()
    lock = JobLock(path).__enter__()
    with staff(descriptors=(lock.descriptor,)) as workers:
        assert workers.call("ready")["peak"] > 0
        assert [member.process.pid for member in workers.members] == [first]
        assert workers.hire().process.pid != first
        os.close(lock.descriptor)
        assert is_locked(path)
    assert waiting() == first
    assert not is_locked(path)


def test_after_a_job_that_failed_another_worker_waits() -> None:
    standby.keep_ready(None)
    first = waiting()
    with pytest.raises(AttributeError, match="unheard"), staff() as workers:
        workers.call("unheard")
    assert waiting() != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_one_that_was_born_otherwise_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changes: list[Any] = [
        lambda: monkeypatch.setenv("A_SETTING", "new"),
        lambda: monkeypatch.chdir(tmp_path),
        lambda: monkeypatch.syspath_prepend(tmp_path),
    ]
    for change in changes:
        standby.keep_ready(None)
        old = waiting()
        change()
        with staff() as workers:
            assert workers.hire().process.pid != old
            # Of the one sent away, nothing is left.
            with pytest.raises(ProcessLookupError):
                os.kill(old, 0)
        monkeypatch.undo()


def test_one_that_has_died_is_not_missed() -> None:
    standby.keep_ready(None)
    os.kill(waiting(), signal.SIGKILL)
    [(_, starting)] = standby._waiting
    starting.result().process.wait()
    with staff() as workers:
        assert workers.call("ready")["peak"] > 0


def test_it_holds_the_lock_of_the_job_as_long_as_it_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    standby.keep_ready(None)
    first = waiting()
    lock = JobLock(path).__enter__()
    workers = staff(descriptors=(lock.descriptor,))
    workers.call("ready")
    assert workers.members[0].process.pid == first
    # As where the process is killed: nobody unlocks.
    os.close(lock.descriptor)
    assert is_locked(path)
    workers.shrink(0)
    assert not is_locked(path)


def test_the_bits_are_those_of_a_worker_of_its_own(tmp_path: Path) -> None:
    plain = runs.run("volume", tmp_path / "plain", sources={"data": runs.scan()})
    standby.keep_ready(None)
    first = waiting()
    for name in ("ready", "again"):
        found = runs.run("volume", tmp_path / name, sources={"data": runs.scan()})
        assert found.output.digest == plain.output.digest
        assert waiting() == first
    assert not runs.leftovers(tmp_path)


def test_it_keeps_no_file_of_the_job_open(tmp_path: Path) -> None:
    scan = runs.scan()
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = scan.arrays["frames"].read()
    arrays = {**scan.arrays, "frames": Hdf5Array.find(path, "frames")}
    standby.keep_ready(None)
    worker = waiting()
    runs.run("volume", tmp_path / "job", sources={"data": Source(scan.product, arrays)})
    assert waiting() == worker
    links = [str(link.readlink()) for link in Path(f"/proc/{worker}/fd").iterdir()]
    assert links
    assert not [link for link in links if link.startswith(str(tmp_path))]


def test_it_ends_with_the_process_it_waits_for(tmp_path: Path) -> None:
    program = (
        "import time\nfrom lightwell.engines import standby\nstandby.keep_ready(None)\n"
        "[(_, starting)] = standby._waiting\n"
        "print(starting.result().process.pid, flush=True)\ntime.sleep({0})\n"
    )
    for seconds, end in (("0", None), ("60", signal.SIGKILL)):
        process = subprocess.Popen(
            [sys.executable, "-c", program.format(seconds)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        if end is not None:
            process.send_signal(end)
        process.communicate(timeout=30)
        until = time.monotonic() + 10
        while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not Path(f"/proc/{worker}").exists()
