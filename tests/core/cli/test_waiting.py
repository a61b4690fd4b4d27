"""A job that finds no memory says who has it; `--no-wait` does not wait for it."""

from pathlib import Path

import pytest

import lightwell
from lightwell.cli.main import run
from lightwell.engines.admission import Admission, admitted


def test_no_wait_refuses_with_who_has_the_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = lightwell.open()
    scan = tmp_path / "scan.h5"
    session.simulate("tomography", scan, width=32, rows=4, angles=9)
    [raw] = session.ingest(scan)
    installation = session.installation
    admission = Admission(installation.home / "running", installation.capacity, 1)
    with admitted(
        admission,
        "lw-other",
        installation.capacity,
        stopped=lambda: False,
        tell=lambda _: None,
    ):
        asked = ["run", "tomography.gridrec", raw.pid, "--memory", "1GB", "--no-wait"]
        assert run(asked) == 75
        said = capsys.readouterr().err
        assert "1.00 GB of memory are wanted, 0.00 of" in said
        assert "lw-other (process" in said
        assert run(["jobs"]) == 0
        shown = capsys.readouterr().out
        assert "lw-other  running" in shown
        assert "stopped, tomography.gridrec" in shown
    assert run(["jobs", "--json"]) == 0
    assert '"running": []' in capsys.readouterr().out
