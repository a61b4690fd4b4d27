"""The demo finds what the clock hid."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from lightwell.cli.main import run
from lightwell.hdf5 import release

pytestmark = pytest.mark.slow

LARGEST_ERROR = 0.10
"""Twelve demos, axes from end to end of the range, three seeds: 0.0916 to 0.0935 (noise rules)."""


def test_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    estimate, true = facts["estimates"]["rotation_axis"], facts["truth"]["rotation_axis"]
    assert abs(estimate["value"] - true) < max(3 * estimate["sigma"], 0.1)
    assert estimate["sigma"] < 0.2
    assert estimate["verdict"] == "good"
    assert 0 < facts["error"] < LARGEST_ERROR
    assert Path(facts["scan"]).parent == Path("lightwell-demo")
    paths = [Path(facts[name]) for name in ("scan", "path")]
    assert all(path.is_file() for path in [*paths, *map(Path, facts["previews"])])
    assert len(facts["previews"]) == 4


def test_demo_tells_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "here"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line.split()[0]: line for line in lines}
    assert set(told) == {"scan", "rotation_axis", "error", "picture", "result"}
    assert " ± " in told["rotation_axis"]
    assert ", true " in told["rotation_axis"]
    result = Path(told["result"].split()[-1])
    release()
    with h5py.File(result) as file:
        assert np.isfinite(file["entry/data/data"][()]).all()


def test_another_simulator_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--simulator", "tomograhpy"]) == 2
    assert "Did you mean 'tomography'?" in capsys.readouterr().err
