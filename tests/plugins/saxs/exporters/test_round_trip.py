"""NXcanSAS and NXazint as we write them: read again without loss, by us and by sasdata, valid."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.nexus.validation import validate
from lightwell.session import Session

CURVES = {
    "sasdata/FK403_0006_Nika.hdf": "nxcansas",
    "sasdata/33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": "nxcansas",
    "sasdata/33837rear_2D_1.75_16.5_NXcanSAS_v3.h5": "nxcansas",
    "aps_usaxs/NXcanSAS_SMR.h5": "nxcansas",
    "glassy_carbon/12_10_GlassyCarbon_C4_12keV.xml": "nxcansas",
    "raw_biosaxs/glucose_isomerase.dat": "nxcansas",
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    return lightwell.open()


def fields(session: Session, dataset: Any) -> dict[str, Any]:
    """Every array to plot, with its unit."""
    return {
        f"{name}/{key}": (session.array(dataset, f"data.{name}.fields.{key}").read(), ref.unit)
        for name, data in dataset.entry.data.items()
        for key, ref in data.fields.items()
    }


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_comes_back_without_loss(
    session: Session, shared_data: Path, tmp_path: Path, name: str
) -> None:
    [first] = session.ingest(shared_data / "saxs_waxs" / name)
    path = session.convert(first, "nxcansas", tmp_path / "out.h5").path
    moved = path.rename(tmp_path / "renamed.h5")
    [again] = session.ingest(moved)
    assert again.importer == "nxcansas"
    before, after = fields(session, first), fields(session, again)
    assert list(before) == list(after)
    for key, (values, unit) in before.items():
        np.testing.assert_array_equal(after[key][0], values)
        assert after[key][1] == unit
        assert after[key][0].dtype == values.dtype
    for kept in ("title", "sample", "process", "original", "flags", "default"):
        assert getattr(again.entry, kept) == getattr(first.entry, kept), kept
    signals = [data.signal for data in again.entry.data.values()]
    assert signals == [data.signal for data in first.entry.data.values()]


@pytest.mark.parametrize("name", [n for n in CURVES if "2D" not in n and "SMR" not in n])
def test_sasdata_reads_ours(session: Session, shared_data: Path, tmp_path: Path, name: str) -> None:
    loader = pytest.importorskip("sasdata.dataloader.loader")
    [dataset] = session.ingest(shared_data / "saxs_waxs" / name)
    path = session.convert(dataset, "nxcansas", tmp_path / "out.h5").path
    [read] = loader.Loader().load(str(path))
    own = fields(session, dataset)
    default = dataset.entry.default
    factor = {"1/angstrom": 1.0, "1/A": 1.0, "1/nm": 0.1}[own[f"{default}/Q"][1]]
    np.testing.assert_allclose(read.x, own[f"{default}/Q"][0] * factor, rtol=1e-6)
    np.testing.assert_allclose(read.y, own[f"{default}/I"][0], rtol=1e-6)
    np.testing.assert_allclose(read.dy, own[f"{default}/Idev"][0], rtol=1e-6)


def test_what_we_write_is_valid(session: Session, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "saxs_waxs/sasdata/FK403_0006_Nika.hdf"
    [dataset] = session.ingest(path)
    written = session.convert(dataset, "nxcansas", tmp_path / "out.h5").path
    wrong = [f for f in validate(written).findings if f.severity in ("error", "broken")]
    assert not wrong, wrong
    with h5py.File(written) as file:
        [entry] = [file[name] for name in file]
        assert entry.attrs["canSAS_class"] == "SASentry"
        data = entry[entry.attrs["default"]]
        assert data["I"].attrs["uncertainties"] == "Idev"
        assert data["Q"].attrs["resolutions"] == "Qdev"
