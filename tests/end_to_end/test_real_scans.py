"""Real scans, by the words of the command line that stay."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from PIL import Image

import lightwell
from lightwell.cli.main import run
from lightwell.errors import MissingSource
from lightwell.hdf5 import Hdf5Array

pytestmark = pytest.mark.slow

INGESTED = {"pid", "definition", "importer", "path", "flags"}
RAN = {"pid", "path", "parameters", "estimates", "previews", "report"}
ESTIMATED = {"value", "sigma", "verdict"}
PICTURES = ["raw", "norm", "sino", "rec"]
K11 = "diamond_k11/k11-18014.nxs"


class Case(NamedTuple):
    path: str
    options: tuple[str, ...]
    importer: str
    axis: float
    within: float
    shape: tuple[int, int, int]


CASES = {
    "tooth": Case("aps_tooth.h5", (), "dxchange", 295.75, 1.0, (2, 640, 640)),
    "tiffs": Case(
        "diamond_tiff_stack",
        ("--set", "first_angle=0", "--set", "last_angle=180"),
        "tiff-folder",
        86.0,
        1.0,
        (135, 160, 160),
    ),
    # 26 pixels across and less than half of the sample in view: an axis, but a doubtful one.
    "k11": Case(K11, (), "nxtomo", 12.5, 5.0, (22, 26, 26)),
}


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    """Run a verb in this process and give its JSON, which is one line and nothing else."""
    status = run([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    [line] = out.splitlines()
    content: dict[str, Any] = json.loads(line)
    return content


def plotted(path: Path) -> Any:
    """Follow NeXus's own attributes from a file to what should be plotted."""
    with h5py.File(path) as file:
        group = file[file.attrs["default"]]
        assert group.attrs["NX_class"] == "NXentry"
        data = group[group.attrs["default"]]
        assert data.attrs["NX_class"] == "NXdata"
        signal = data[data.attrs["signal"]]
        for axis, length in zip(data.attrs["axes"], signal.shape, strict=True):
            assert data[axis].shape == (length,)
        return signal[()]


def check_picture(path: Path) -> None:
    """Read it as a picture that shows something: many shades, dark and light ones."""
    with Image.open(path) as picture:
        shades = np.asarray(picture.convert("L"))
    assert min(shades.shape) >= 64
    assert np.ptp(np.percentile(shades, [0.5, 99.5])) > 128
    assert len(np.unique(shades)) > 16


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ingest_and_run(shared_data: Path, capsys: pytest.CaptureFixture[str], case: Case) -> None:
    path = shared_data / "tomography" / case.path
    [raw] = answer(capsys, "ingest", path, *case.options)["datasets"]
    assert set(raw) >= INGESTED
    assert (raw["definition"], raw["importer"]) == ("NXtomo", case.importer)
    assert raw["path"] == str(path)
    [again] = answer(capsys, "ingest", path, *case.options)["datasets"]
    assert again["pid"] == raw["pid"]
    listed = answer(capsys, "find")
    assert set(listed) == {"datasets", "cursor"}
    assert [dataset["pid"] for dataset in listed["datasets"]] == [raw["pid"]]

    found = answer(capsys, "run", "tomography.gridrec", raw["pid"])
    assert set(found) == RAN
    estimate = found["estimates"]["rotation_axis"]
    assert set(estimate) >= ESTIMATED
    assert estimate["value"] == pytest.approx(case.axis, abs=case.within)
    assert found["parameters"]["rotation_axis"] == estimate["value"]
    volume = plotted(Path(found["path"]))
    assert volume.shape == case.shape
    assert np.isfinite(volume).all()
    assert volume.std() > 0
    assert [Path(p).stem for p in found["previews"]] == [f"preview_{n}" for n in PICTURES]
    for picture in found["previews"]:
        check_picture(Path(picture))


def test_as_a_program(shared_data: Path, tmp_path: Path) -> None:
    """The installed command, a few slices, a budget, a given axis."""

    def program(*arguments: str | Path) -> dict[str, Any]:
        done = subprocess.run(
            [Path(sys.executable).with_name("lightwell"), *arguments, "--json"],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        content: dict[str, Any] = json.loads(done.stdout)
        return content

    scan = shared_data / "tomography" / "diamond_tiff_stack"
    angles = ("--set", "first_angle=0", "--set", "last_angle=180")
    [raw] = program("ingest", scan, *angles)["datasets"]
    options = ("--slices", "20:120:50", "--memory", "2GB", "--set", "rotation_axis=86")
    found = program("run", "tomography.gridrec", raw["pid"], *options)
    assert found["parameters"]["rotation_axis"] == 86.0
    assert found["estimates"] == {}
    assert plotted(Path(found["path"])).shape == (2, 160, 160)


def test_flags_name_what_is_missing(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [raw] = answer(capsys, "ingest", shared_data / "tomography" / K11)["datasets"]
    missing = [flag["message"] for flag in raw["flags"] if flag["code"] == "missing-source"]
    assert any("/entry/EtherCAT/LinkamTemp" in text for text in missing)
    assert any("k11-18014-detectorPanda.h5 does not exist" in text for text in missing)
    assert any("k11-18014-EtherCAT.h5 does not exist" in text for text in missing)


def test_a_dangling_array_is_an_error_and_never_zeros(shared_data: Path) -> None:
    path = shared_data / "tomography" / K11
    with pytest.raises(MissingSource, match=r"k11-18014-detectorPanda\.h5"):
        Hdf5Array.find(path, "/entry/EtherCAT/LinkamTemp")
    als = lightwell.open()
    [raw] = als.ingest(path)
    assert als.array(raw, "instrument.detector.data").read((slice(0, 1),)).shape == (1, 22, 26)


def test_what_is_no_scan_is_said(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared_data / "tomography" / "README.md"
    assert run(["ingest", str(path)]) == 2
    assert "no importer knows what README.md is" in capsys.readouterr().err
