"""Pictures stand beside a result before the catalog knows it, and never cost the result itself."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np
import pytest
from PIL import Image

import lightwell
from lightwell import Session
from lightwell.datasets import Dataset
from lightwell.previews import Preview
from lightwell.products import Array, Dims, Product
from lightwell.session import pictures
from lightwell.session.live_pictures import LivePictures
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
    plan = home.plan(RECIPE, raw, {"rotation_axis": 15.5})
    plan.spec.folder.mkdir(parents=True)
    # Drawn while the job ran: it does not stay beside a result it does not show.
    (plan.spec.folder / "preview_rec.png").write_bytes(b"of another state")
    job = home.start(plan)
    result = job.result()
    assert job.pictures == []
    report = home.report(home.get(result.pid))
    assert report["previews"] == []
    assert all("failed with ZeroDivisionError: of nothing" in one for one in report["undrawn"])
    assert report["undrawn"]


class Plain(Product):
    """A picture as it is."""

    data: Annotated[Array, Dims("slice", "y", "x")]


def test_while_a_job_runs_a_picture_that_cannot_be_drawn_is_said_once(tmp_path: Path) -> None:
    def fail(_: object) -> NoReturn:
        raise ZeroDivisionError("of nothing")

    draw = LivePictures(
        [
            Preview("plain", Plain, "slice", lambda product: product.data[0]),
            Preview("faulty", Plain, "slice", fail),
            Preview("other", Plain, "y", lambda product: product.data[0]),
        ],
        tmp_path,
    )
    for value in (0.0, 1.0):
        image = np.zeros((1, 300, 300))
        image[0, 100:, 100:] = 1.0
        image[0, :9, :9] = value
        drawn, undrawn = draw({(Plain, "slice"): Plain.of(data=image)})
        assert drawn == [tmp_path / "preview_plain.png"]
        with Image.open(drawn[0]) as picture:
            assert picture.getpixel((0, 0)) == 255 * value
        if value:
            assert undrawn == []
        else:
            [sentence] = undrawn
            assert "preview_faulty.png failed with ZeroDivisionError: of nothing" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["preview_plain.png"]
