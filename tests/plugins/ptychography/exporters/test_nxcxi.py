"""NXcxi_ptycho as we write it: every layout comes back as the same scan, under CXI's names."""

from pathlib import Path
from typing import Any

import h5py
import layouts
import numpy as np
import pytest

import lightwell
from lightwell.errors import MissingMetadata, ParameterError
from lightwell.nexus.validation import validate
from lightwell.session import Session
from lightwell.stacks import open_array
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction

UNKNOWN = {"incident_energy_spread", "name", "energy", "probe", "type"}
"""What the definition asks for and a scan mostly does not say; it is left out, never invented."""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    return lightwell.open()


def data_of(dataset: Any) -> Diffraction:
    arrays = Diffraction.load(dataset.entry, lambda ref: open_array(ref, dataset.manifest))
    return Diffraction.of(**{name: array.read() for name, array in arrays.items()})


@pytest.mark.parametrize("name", ["scan.cxi", "turned.cxi", "scan.ptyd", "scan_1.h5"])
def test_every_layout_comes_back(session: Session, tmp_path: Path, name: str) -> None:
    one = layouts.scan()
    size = layouts.PIXEL
    turned = np.array([[size, 0.0], [0.0, -size], [0.0, 0.0]])
    write = {
        "scan.cxi": layouts.cxi,
        "turned.cxi": lambda path, scan: layouts.cxi(path, scan, basis_vectors=turned),
        "scan.ptyd": layouts.ptyd,
        "scan_1.h5": layouts.hxn,
    }[name]
    [first] = session.ingest(write(tmp_path / name, one))
    path = session.convert(first, "nxcxi-ptycho", tmp_path / "out.cxi").path
    [again] = session.ingest(path)
    assert again.importer == "nxcxi-ptycho"
    before, after = data_of(first), data_of(again)
    frames = before.frames**2 if Optics.of(before.optics).amplitude else before.frames
    np.testing.assert_allclose(after.frames, frames, rtol=1e-5)
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-3)
    np.testing.assert_array_equal(after.mask, before.mask)
    np.testing.assert_allclose(after.optics[:6], before.optics[:6], rtol=1e-9)
    assert again.entry.canonical()["energy"] == pytest.approx(layouts.ENERGY)


def test_p25_comes_back_with_its_propagation(
    session: Session, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "ptychography/petra3_p25_near_field.cxi"
    [first] = session.ingest(path, propagation="near", focus_distance=3.65e-3)
    written = session.convert(first, "nxcxi-ptycho", tmp_path / "out.cxi").path
    [again] = session.ingest(written)
    np.testing.assert_allclose(data_of(again).positions, data_of(first).positions, atol=1e-3)
    np.testing.assert_allclose(data_of(again).optics, data_of(first).optics, rtol=1e-9)


def test_what_is_written_is_cxi_and_nexus(session: Session, tmp_path: Path) -> None:
    one = layouts.scan()
    [scan] = session.ingest(layouts.cxi(tmp_path / "scan.cxi", one))
    path = session.convert(scan, "nxcxi-ptycho", tmp_path / "out.cxi").path
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 160
        np.testing.assert_array_equal(file["entry_1/data_1/data"], one.frames)
        moved = file["entry_1/sample_1/geometry_1/translation"][()]
        np.testing.assert_allclose(moved[:, 1::-1], one.light, atol=1e-12)
        wavelength = file["entry_1/instrument_1/source_1/wavelength"][()]
        assert wavelength == pytest.approx(1239.841984e-9 / layouts.ENERGY, rel=1e-8)
    wrong = [f for f in validate(path).findings if f.severity in ("error", "broken")]
    assert {finding.rule.split("/")[-1].split(" ")[0] for finding in wrong} <= UNKNOWN


SOURCE: dict[str, Any] = {
    "source_name": "Advanced Photon Source",
    "source_type": "Synchrotron X-ray Source",
    "source_probe": "x-ray",
    "source_energy": "6 GeV",
    "energy_spread": "1.2 eV",
}


def test_what_a_person_says_about_the_source_makes_the_file_whole(
    session: Session, tmp_path: Path
) -> None:
    path = layouts.cxi(tmp_path / "scan.cxi", layouts.scan())
    [scan] = session.ingest(path, text=True, **SOURCE)
    written = session.convert(scan, "nxcxi-ptycho", tmp_path / "out.cxi").path
    assert not [f for f in validate(written).findings if f.severity in ("error", "broken")]
    [again] = session.ingest(written)
    told = {name: again.entry.lookup(f"instrument.source.{name}") for name in ("name", "type")}
    assert told == {"name": SOURCE["source_name"], "type": SOURCE["source_type"]}
    assert again.entry.lookup("instrument.source.probe") == "x-ray"
    assert again.entry.lookup("instrument.source.energy") == pytest.approx(6e9)
    assert again.entry.lookup("instrument.beam.incident_energy_spread") == pytest.approx(1.2)


def test_what_is_given_comes_before_what_the_file_says(session: Session, tmp_path: Path) -> None:
    path = layouts.cxi(tmp_path / "scan.cxi", layouts.scan())
    with h5py.File(path, "a") as file:
        file["entry_1/instrument_1/source_1/name"] = "a ring"
    [first] = session.ingest(path, source_energy=6e9)
    assert first.entry.lookup("instrument.source.name") == "a ring"
    assert first.entry.lookup("instrument.source.energy") == pytest.approx(6e9)
    [second] = session.ingest(path, source_name="another ring")
    assert second.entry.lookup("instrument.source.name") == "another ring"
    with pytest.raises(ParameterError, match="source_probe"):
        session.ingest(path, source_probe="sound")


def test_positions_without_lengths_have_no_place_in_it(session: Session, tmp_path: Path) -> None:
    [scan] = session.ingest(layouts.tike(tmp_path / "scan.npz", layouts.scan(), 1e-7))
    with pytest.raises(MissingMetadata, match="size of a pixel"):
        session.convert(scan, "nxcxi-ptycho", tmp_path / "out.cxi")
    assert not (tmp_path / "out.cxi").exists()
