"""Pictures stand beside a result before the catalog knows it, and never cost the result itself."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import lightwell
from lightwell import Session
from lightwell.datasets import Dataset
from lightwell.session import pictures
from lightwell.testing.failpoints import killed_at, passages

LIGHTWELL = (sys.executable, "-c", "from lightwell.cli import main; main()")
RECIPE = "tomography.gridrec"
AXIS = "rotation_axis=15.5"


@pytest.mark.slow
def test_killed_while_it_draws_a_job_draws_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = tmp_path / "scan.h5"
    lightwell.open().simulate("tomography", scan, width=32, rows=2, angles=24)

    def command(name: str) -> list[str]:
        """How the job is run, in a home of its own."""
        monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / name))
        [raw] = lightwell.open().ingest(scan)
        return [*LIGHTWELL, "run", RECIPE, raw.pid, "--set", AXIS, "--workers", "1"]

    kept = [one for one in passages(command("whole")) if one.startswith("file-synchronised:")]
    [result] = results(lightwell.open())
    names = beside(lightwell.open(), result)
    assert len(names) > 1
    last = max(int(one.partition(":")[2]) for one in kept)
    # The description comes last, the report before it, pictures before that.
    for number in (last - 1, last - 2):
        words = command(f"killed at {number}")
        assert killed_at(f"file-synchronised:{number}", words)
        assert results(lightwell.open()) == []
        subprocess.run(words, check=True, capture_output=True)
        session = lightwell.open()
        assert beside(session, session.get(result.pid)) == names
        assert not list(session.installation.home.rglob("*.part"))


def results(session: Session) -> list[Dataset]:
    return [dataset for dataset in session.find() if dataset.kind == "derived"]


def beside(session: Session, result: Dataset) -> set[str]:
    """The pictures that stand beside a result, all of which its report must name."""
    named = {Path(path).name for path in session.report(result)["previews"]}
    assert named == {path.name for path in Path(result.path).parent.glob("*.png")}
    return named


def test_a_picture_that_cannot_be_drawn_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr(pictures, "write_picture", fail)
    home = lightwell.open()
    home.simulate("tomography", tmp_path / "scan.h5", width=32, rows=2, angles=24)
    [raw] = home.ingest(tmp_path / "scan.h5")
    result = home.run(RECIPE, raw, rotation_axis=15.5).result()
    report = home.report(home.get(result.pid))
    assert report["previews"] == []
    assert all("failed with ZeroDivisionError: of nothing" in one for one in report["undrawn"])
    assert report["undrawn"]
