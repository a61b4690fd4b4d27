"""`lightwell journal`: what happened, and a copy from which a lost catalog is made anew."""

import json
from pathlib import Path

import h5py
import pytest

from lightwell.cli.main import run


@pytest.fixture
def pid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file.create_group("entry").attrs["NX_class"] = "NXentry"
        file["entry/title"] = "a scan"
    assert run(["ingest", str(tmp_path / "a.nxs"), "--json"]) == 0
    pid: str = json.loads(capsys.readouterr().out)["datasets"][0]["pid"]
    assert run(["retire", pid, "--why", "wrong sample"]) == 0
    capsys.readouterr()
    return pid


def test_who_did_what_and_why(pid: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(f"retired  {pid}  wrong sample")
    assert run(["journal", pid, "--limit", "1", "--json"]) == 0
    [event] = json.loads(capsys.readouterr().out)["events"]
    assert (event["what"], event["pid"], event["detail"]["why"]) == ("retired", pid, "wrong sample")
    assert run(["journal", "lw-nobody"]) == 2
    assert "lw-nobody" in capsys.readouterr().err


def test_an_export_brings_a_lost_catalog_back(
    pid: str, tmp_path: Path, lightwell_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "journal.jsonl"
    assert run(["journal", "--export", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == len(out.read_text().splitlines()) > 0
    assert run(["journal", "--export", str(out)]) == 2
    assert "stands there already" in capsys.readouterr().err
    for path in lightwell_home.glob("catalog.sqlite*"):
        path.unlink()
    assert run(["reindex", "--journal", str(out)]) == 0
    capsys.readouterr()
    assert run(["find", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["datasets"] == []
    assert run(["journal", pid]) == 0
    assert "wrong sample" in capsys.readouterr().out
