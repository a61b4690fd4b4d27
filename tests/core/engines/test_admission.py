"""Jobs share one budget: never more is given than there is, and the dead keep nothing."""

import os
import platform
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lightwell.engines.admission import Admission, admitted, shares
from lightwell.errors import Interrupted

HOLDER = """
import sys, time
from pathlib import Path
from lightwell.engines.admission import Admission, admitted
a = Admission(Path(sys.argv[1]), 100, 100)
with admitted(a, "a long job", 60, stopped=lambda: False, tell=print) as (memory, _):
    print(memory, flush=True)
    time.sleep(600)
"""


@contextmanager
def holding(folder: Path, wanted: int, least: int | None = None, **how: Any) -> Iterator[int]:
    admission = Admission(folder, 100, wanted if least is None else least, how.pop("wait", True))
    facts = {"stopped": lambda: False, "tell": lambda _: None, **how}
    with admitted(admission, "a job", wanted, **facts) as (memory, _):
        yield memory


def listed(folder: Path) -> list[Path]:
    return [path for path in (folder / platform.node()).iterdir() if path.name != "lock"]


def test_a_job_takes_what_is_left_if_that_is_enough(tmp_path: Path) -> None:
    with holding(tmp_path, 60) as first, holding(tmp_path, 100, least=30) as second:
        assert (first, second) == (60, 40)
        with (
            pytest.raises(Interrupted, match=r"a job \(process \d+\) has"),
            holding(tmp_path, 20, wait=False),
        ):
            pass
    assert listed(tmp_path) == []


def test_what_wants_more_than_there_is_works_alone(tmp_path: Path) -> None:
    with (
        holding(tmp_path, 250) as first,
        pytest.raises(Interrupted, match=r"0\.00 of 0\.00 GB are free"),
        holding(tmp_path, 1, wait=False),
    ):
        assert first == 250


def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    events: list[Any] = []
    with (
        holding(tmp_path, 100),
        pytest.raises(Interrupted, match="stopped while it waited"),
        holding(tmp_path, 100, stopped=lambda: bool(events), tell=events.append),
    ):
        pass
    assert events[0]["event"] == "waiting"
    assert listed(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_share_of_a_dead_process_is_free_again(how: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "60\n"
        [share] = shares(tmp_path / platform.node())
        assert (share.job, share.pid, share.memory) == ("a long job", process.pid, 60)
        with (
            pytest.raises(Interrupted, match=f"a long job .process {process.pid}. has"),
            holding(tmp_path, 50, wait=False),
        ):
            pass
        os.kill(process.pid, how)
        process.wait()
    with holding(tmp_path, 100, wait=False) as memory:
        assert memory == 100
    assert listed(tmp_path) == []


def test_who_came_first_is_served_first(tmp_path: Path) -> None:
    order: list[str] = []

    def wait_for(name: str, wanted: int) -> threading.Thread:
        seen = threading.Event()

        def work() -> None:
            with holding(tmp_path, wanted, tell=lambda _: seen.set()):
                order.append(name)

        thread = threading.Thread(target=work)
        thread.start()
        assert seen.wait(30)
        return thread

    with holding(tmp_path, 60):
        large = wait_for("large", 90)
        # It would fit now, and would keep the large one waiting for ever.
        small = wait_for("small", 30)
    for thread in (large, small):
        thread.join(30)
    assert order == ["large", "small"]


def test_many_at_once_never_have_more_than_there_is(tmp_path: Path) -> None:
    had: list[int] = []
    problems: list[str] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        wanted = chance.randint(1, 100)
        with holding(tmp_path, wanted, least=chance.randint(1, wanted)) as memory:
            together = sum(share.memory for share in shares(tmp_path / platform.node()))
            had.append(memory)
            if together > 100:
                problems.append(f"{together} of 100")
            time.sleep(chance.uniform(0, 0.05))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(had) == 12
    assert not problems
    assert listed(tmp_path) == []
