"""`lightwell plan` says what a run would do, and does nothing of it."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.cli.main import run
from lightwell.cli.planning import say_means
from lightwell.engines import rechunk

Captured = pytest.CaptureFixture[str]
ANGLES, ROWS, WIDTH = 24, 40, 64


@pytest.fixture
def scan(tmp_path: Path) -> str:
    path = tmp_path / "scan.h5"
    noise = np.random.default_rng(0).integers(0, 100, (ANGLES, ROWS, WIDTH), np.uint16)
    with h5py.File(path, "w") as file:
        chunks = {"chunks": (1, ROWS, WIDTH), "compression": "gzip"}
        file.create_dataset("exchange/data", data=noise + 500, **chunks)
        file["exchange/data_white"] = np.full((2, ROWS, WIDTH), 1000, "u2")
        file["exchange/data_dark"] = np.zeros((2, ROWS, WIDTH), "u2")
        file["exchange/theta"] = np.linspace(0, 180, ANGLES)
    return lightwell.open().ingest(path)[0].pid


@pytest.mark.slow
def test_a_plan_tells_sections_reads_memory_and_no_time_it_cannot_know(
    scan: str,
    capsys: Captured,
    lightwell_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rechunk, "SMALL", 0)
    command = ["plan", "tomography.gridrec", scan, "--memory", "2GB", "--workers", "2"]
    assert run([*command, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    estimate, result = found["sections"]
    assert (estimate["purpose"], result["purpose"]) == ("estimate", "result")
    assert (result["tile"], result["tiles"], result["axis"]) == (16, 3, "row")
    # Read once for both of them, which alone would read every frame for each tile.
    assert estimate["reads"] + result["reads"] == 1
    assert result["reads_as_it_is"] > 1.5
    assert estimate["scratch"] >= ANGLES * ROWS * WIDTH * 2
    assert result["writes"] >= ROWS * WIDTH * WIDTH * 4
    assert 0 < result["worker_bytes"] < found["peak_bytes"] < found["memory"]
    assert found["seconds"] is None
    assert result["unknown"] is None
    assert not (lightwell_home / "results").exists()
    assert run([*command, "--slices", "20", "--set", "rotation_axis=31.5"]) == 0
    said = capsys.readouterr().out
    assert "1 tiles of 16 along row" in said
    assert "time unknown until the first slab" in said


def test_how_much_was_hidden_is_said(capsys: Captured) -> None:
    section = {"slabs": 2, "read_s": 3.0, "write_s": 1.0, "waited_s": 1.0, "peak_bytes": 2e9}
    say_means({"sections": [{**section, "predicted": {"peak_bytes": 2.1e9}}, {"slabs": 0}]})
    said = capsys.readouterr().out
    assert said.startswith("memory 2.00 GB (2.10 GB foreseen); 75% of 4.0 s")
    say_means({"sections": []})
    assert capsys.readouterr().out == ""
