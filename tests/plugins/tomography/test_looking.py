"""Looking first: binned slices and sweeps of a scan, their places those of the detector."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lightwell
from lightwell.cli.main import run
from lightwell.errors import ParameterError

AXIS = 30.7


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> lightwell.Session:
    place = tmp_path_factory.mktemp("looking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        found = lightwell.open()
    scan = place / "scan.h5"
    found.simulate("tomography", scan, width=64, rows=32, angles=61, rotation_axis=AXIS)
    found.ingest(scan)
    return found


def test_a_binned_slice_is_the_same_place_seen_coarsely(session: lightwell.Session) -> None:
    [raw] = session.find()
    fine = session.run("tomography.gridrec", raw, slices="20", rotation_axis=AXIS).result()
    coarse = session.run("tomography.gridrec", raw, slices="20", bin=2).result()
    assert coarse.pid != fine.pid
    assert coarse.job["bin"] == 2
    # Found in binned pixels, told in those of the detector.
    assert abs(coarse.job["estimates"]["rotation_axis"]["value"] - AXIS) < 0.3
    assert coarse.entry.lookup("process.reconstruction.parameters.values")["binning"].value == 2
    size = raw.entry.lookup("canonical.pixel_size")
    axis = {n: session.array(coarse, f"data.data.fields.{n}").read() for n in ("x", "z")}
    np.testing.assert_allclose(np.diff(axis["x"]), 2 * size)
    np.testing.assert_allclose(axis["z"], 10 * 2 * size)
    images = [session.array(d).read()[0] for d in (fine, coarse)]
    means = images[0].reshape(32, 2, 32, 2).mean(axis=(1, 3))
    # The same place: moved by a pixel to any side, the two fit less.
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    fits = {s: np.corrcoef(np.roll(means, s, (0, 1)).ravel(), images[1].ravel()) for s in shifts}
    assert max(fits, key=lambda s: fits[s][0, 1]) == (0, 0)
    # Attenuation in 1/pixel: of a pixel twice as wide it is twice as much.
    assert images[1].mean() / images[0].mean() == pytest.approx(2.0, rel=0.1)
    assert session.replay(coarse.pid).verdict == "equal"


def test_a_sweep_is_one_result_with_its_values_as_an_axis(
    session: lightwell.Session,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    [raw] = [d for d in session.find() if d.kind == "raw"]
    monkeypatch.setenv("LIGHTWELL_HOME", str(session.installation.home))
    asked = "rotation_axis=28.7:32.7:2"
    keep = ["--keep", "minus_log"]
    assert run(["run", "tomography.gridrec", raw.pid, "--sweep", asked, *keep, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"]["rotation_axis"] == [28.7, 30.7, 32.7]
    swept = session.get(told["pid"])
    assert session.array(swept).shape == (3, 64, 64)
    axis = session.array(swept, "data.data.fields.rotation_axis")
    np.testing.assert_array_equal(axis.read(), [28.7, 30.7, 32.7])
    assert swept.entry.data["data"].axes == ("rotation_axis", "y", "x")
    # The true axis makes the sharpest picture.
    edges = [np.abs(np.diff(image)).max() for image in session.array(swept).read()]
    assert int(np.argmax(edges)) == 1
    sheet = Path(told["previews"][0])
    assert sheet.name == "contact_sheet.png"
    with Image.open(sheet) as picture:
        assert picture.width > 2 * 256
        assert len(np.unique(np.asarray(picture))) > 20
    assert set(swept.job["kept"]) == {"minus_log"}
    assert session.replay(swept.pid).verdict == "equal"
    session.export(swept, "tiff", tmp_path / "sweep.tif")
    assert (tmp_path / "sweep.tif").exists()
    assert run(["kept"]) == 0
    assert "minus_log" in capsys.readouterr().out
    assert run(["kept", "--drop", "minuslog"]) == 2
    assert run(["kept", "--drop", "minus_log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["freed"] > 0
    assert list((session.installation.home / "kept").iterdir()) == []


def test_what_cannot_be_looked_at_is_refused(session: lightwell.Session) -> None:
    [raw] = [d for d in session.find() if d.kind == "raw"]
    for wanted, said in (
        ({"bin": 0}, "--bin 0"),
        ({"sweep": {"rotation_axis": []}}, "has no values"),
        ({"sweep": {"rotation_axis": [1.0, 1]}}, "twice, as the step gets it"),
        ({"sweep": {"rotation_axis": [1.0], "floor": [0.1]}}, "over one parameter"),
        ({"sweep": {"rotation_axis": [1.0]}, "rotation_axis": 2.0}, "both set and swept"),
        ({"sweep": {"filter": ["ramlak", "no"]}}, "does not fit"),
        ({"sweep": {"rotation": [1.0]}}, "no parameter 'rotation'"),
        ({"keep": ["norm"]}, "no step 'norm'"),
    ):
        with pytest.raises(ParameterError if "keep" not in wanted else Exception, match=said):
            session.run("tomography.gridrec", raw, **wanted)
