"""Reindex, fsck, diff, retire and supersede as they are typed."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.cli.main import run

Captured = pytest.CaptureFixture[str]


def answer(capsys: Captured, *arguments: str, status: int = 0) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == status
    out, err = capsys.readouterr()
    assert (err, out.count("\n")) == ("", 1)
    content: dict[str, Any] = json.loads(out)
    return content


def words(capsys: Captured, *arguments: str, status: int = 0) -> str:
    assert run(list(arguments)) == status
    return capsys.readouterr().out


@pytest.fixture
def scans(tmp_path: Path) -> list[str]:
    found = []
    for number in range(2):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file["exchange/data"] = np.full((4, 2, 8), 5 + number, "u2")
            file["exchange/data_white"] = np.full((1, 2, 8), 9, "u2")
            file["exchange/data_dark"] = np.zeros((1, 2, 8), "u2")
            file["exchange/theta"] = np.linspace(0, 135, 4)
        found.append(lightwell.open().ingest(path)[0].pid)
    return found


def test_retired_and_superseded_ones(scans: list[str], capsys: Captured) -> None:
    old, new = scans
    assert answer(capsys, "supersede", old, new, "--why", "recalibrated")["superseded_by"] == new
    assert answer(capsys, "retire", old, "--why", "norm norm")["retired"] is True
    assert [d["pid"] for d in answer(capsys, "find")["datasets"]] == [new]
    answer(capsys, "reindex")
    assert [d["pid"] for d in answer(capsys, "find")["datasets"]] == [new]
    shown = words(capsys, "show", old)
    assert "retired: left out of searches" in shown
    assert f"superseded by {new}" in shown
    assert run(["retire", old]) == 2, "a reason is asked for"
    assert run(["supersede", old, "lw-none", "--why", "x"]) == 2


def test_fsck_and_reindex(scans: list[str], capsys: Captured, lightwell_home: Path) -> None:
    clean = answer(capsys, "fsck", "--content")
    assert (clean["differences"], clean["datasets"], clean["descriptions"]) == (0, 2, 2)
    assert "2 datasets, 2 descriptions, 2 files: 0 differences" in words(capsys, "fsck")

    (lightwell_home / "catalog.sqlite").rename(lightwell_home / "gone")
    found = answer(capsys, "fsck", status=2)
    assert {f["code"] for f in found["findings"]} == {"not-in-catalog"}
    assert "to do: lightwell reindex" in words(capsys, "fsck", status=2)
    assert sorted(answer(capsys, "reindex", "--dry-run")["added"]) == sorted(scans)
    assert "would be added" in words(capsys, "reindex", "--dry-run")
    assert "were added" in words(capsys, "reindex")
    assert answer(capsys, "fsck")["differences"] == 0

    (lightwell_home / "entries" / f"{scans[0]}.nxs").write_bytes(b"")
    assert scans[0] in words(capsys, "reindex", status=2)


def test_diff(scans: list[str], capsys: Captured) -> None:
    found = answer(capsys, "diff", *scans)
    assert found["same"] is False
    assert found["array"]["largest"] == 1.0
    shown = words(capsys, "diff", *scans)
    assert "files 1.h5: nothing ->" in shown
    assert "the largest difference is 1 at (" in shown
    assert "not compared (not asked for)" in words(capsys, "diff", *scans, "--no-arrays")
    assert "numbers: equal" in words(capsys, "diff", scans[0], scans[0])
