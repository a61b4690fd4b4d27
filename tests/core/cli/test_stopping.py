"""TERM and the keyboard stop a job so that the same command resumes it, bit by bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lightwell

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("lightwell")
RECIPE = "tomography.gridrec"
PATIENCE_S = 120.0


@pytest.fixture
def pid(tmp_path: Path) -> str:
    """A scan of 16 tiles, which take a worker some seconds."""
    als = lightwell.open()
    sizes = {"width": 160, "rows": 256, "angles": 120}
    [raw] = als.ingest(als.simulate("tomography", tmp_path / "scan.h5", **sizes).path)
    return raw.pid


def command(pid: str) -> list[str]:
    options = ["--set", "rotation_axis=79.5", "--workers", "1", "--memory", "800MB", "--json"]
    return [str(COMMAND), "run", RECIPE, pid, *options]


def tiles(home: Path) -> int:
    """How many tiles are done so far, over all attempts."""
    diaries = [diary.read_text() for diary in home.rglob("events.jsonl")]
    return sum(text.count('"tile-done"') for text in diaries)


def stop(pid: str, home: Path, number: int) -> None:
    """Start the job and stop it when some more of the work, and not all, is done."""
    before = tiles(home)
    job = subprocess.Popen(command(pid), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + PATIENCE_S
    while tiles(home) == before and time.monotonic() < until and job.poll() is None:
        time.sleep(0.01)
    job.send_signal(number)
    out, err = job.communicate(timeout=PATIENCE_S)
    assert (job.returncode, out) == (75, ""), err
    assert "Traceback" not in err
    assert "stopping" in err


def finish(pid: str, home: Path) -> dict[str, Any]:
    environment = {**os.environ, "LIGHTWELL_HOME": str(home)}
    done = subprocess.run(
        command(pid), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def digest(pid: str) -> str:
    return str(lightwell.open().get(pid).job["digest"])


def test_stopped_twice_and_resumed(
    pid: str, lightwell_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(pid, lightwell_home, signal.SIGINT)
    stop(pid, lightwell_home, signal.SIGTERM)
    resumed = finish(pid, lightwell_home)
    assert resumed["report"]["resumed"] is True
    stopped = digest(resumed["pid"])

    undisturbed = tmp_path / "undisturbed"
    monkeypatch.setenv("LIGHTWELL_HOME", str(undisturbed))
    [raw] = lightwell.open().ingest(tmp_path / "scan.h5")
    assert raw.pid == pid
    whole = finish(pid, undisturbed)
    assert whole["pid"] == resumed["pid"]
    assert digest(whole["pid"]) == stopped
