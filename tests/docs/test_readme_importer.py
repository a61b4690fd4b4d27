"""The importer that the README shows is short, runs as shown, and keeps what is promised."""

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from lightwell.testing import check_importer

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Add a beamline\n")[2].partition("\n## ")[0]
MOST_LINES = 150


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, flags=re.DOTALL)[number]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files as a reader would type them, and a map of the beamline."""
    package = tmp_path / "bl1232"
    package.mkdir()
    (package / "plugin.py").write_text(block("python", 0), encoding="utf-8")
    (package / "importer.py").write_text(block("python", 1), encoding="utf-8")
    (tmp_path / "lightwell.toml").write_text(block("toml"), encoding="utf-8")
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file.attrs["end_station"] = "bl1232"
        file["frames"] = np.ones((3, 4, 5), "u2")
        file["sample"] = "tin whisker"
        for name, value, unit in (("distance", 140.0, "mm"), ("energy", 12.4, "keV")):
            file[name] = value
            file[name].attrs["units"] = unit
    return tmp_path


def test_it_is_short() -> None:
    assert 0 < len(SECTION.splitlines()) < MOST_LINES


def test_its_commands_work(place: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", block("sh")],
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].startswith("ok")
    assert "map.h5 by Mia" in done.stdout


def test_it_keeps_what_importers_promise(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(place)
    from bl1232.importer import Beamline1232  # type: ignore[import-not-found]

    entry = check_importer(Beamline1232(), place / "map.h5")
    assert entry.canonical()["energy"] == pytest.approx(12400.0)
    assert entry.lookup("instrument.detector.distance") == pytest.approx(0.14)
