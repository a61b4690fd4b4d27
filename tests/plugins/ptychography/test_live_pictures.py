"""Pictures while a reconstruction runs: renewed whole, and no bit of the result is another."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scans
from PIL import Image

import lightwell
from lightwell.engines.lock import is_locked

HERE = Path(__file__).parent
OF_THE_RESULT = {
    f"preview_{name}.png" for name in ("amplitude", "error", "moves", "phase", "probe")
}


class Home:
    """A home of its own with one scan in it."""

    def __init__(self, folder: Path, scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = {**os.environ, "LIGHTWELL_HOME": str(folder)}
        monkeypatch.setenv("LIGHTWELL_HOME", str(folder))
        session = lightwell.open()
        [raw] = session.ingest(scan)
        self.pid = raw.pid
        self.results = session.installation.home / "results"

    def run(self, **how: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(HERE / "watched_run.py"), json.dumps({"pid": self.pid, **how})],
            env={**self.environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )

    def finished(self, **how: Any) -> dict[str, Any]:
        done = self.run(**how)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def pictures(self) -> dict[str, bytes]:
        """By name; every one of them is whole."""
        found = {}
        for path in self.results.glob("*/*.png"):
            with Image.open(path) as picture:
                picture.load()
            found[path.name] = path.read_bytes()
        return found

    def unfinished(self) -> list[Path]:
        return list(self.results.rglob("*.part"))


@pytest.mark.slow
def test_watched_killed_at_a_picture_and_resumed_it_has_the_bits_of_one_in_peace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = tmp_path / "scan.cxi"
    scans.simulated(scan)
    peaceful = Home(tmp_path / "peace", scan, monkeypatch).finished(watched=False)
    assert peaceful["told"] == []
    assert set(peaceful["pictures"]) == OF_THE_RESULT | {"preview_pattern.png"}

    home = Home(tmp_path / "watched", scan, monkeypatch)
    # The third picture of the first round is half written: two stand, and nothing of it.
    assert home.run(watched=True, dies_at=3).returncode == -signal.SIGKILL
    first = home.pictures()
    assert set(first) == {"preview_amplitude.png", "preview_phase.png"}
    assert len(home.unfinished()) == 1
    # One that is there already stays as it was until the new one is whole.
    assert home.run(watched=True, dies_at=1).returncode == -signal.SIGKILL
    assert home.pictures() == first

    found = home.finished(watched=True)
    assert found["digest"] == peaceful["digest"]
    assert found["pictures"] == peaceful["pictures"]
    assert {name for event in found["told"] for name in event["names"]} == OF_THE_RESULT
    [folder] = {Path(event["folder"]) for event in found["told"]}
    assert folder.parent == home.results
    assert set(home.pictures()) == set(found["pictures"])
    assert home.unfinished() == []
    assert not is_locked(folder / "lock")
