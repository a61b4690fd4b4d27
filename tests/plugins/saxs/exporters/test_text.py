"""Curves as text: columns and canSAS XML, read again by us and by sasdata without loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell.errors import InputError, LightwellError, ParameterError
from lightwell.session import Session
from lightwell_saxs.simulate import scattering

CURVES = (
    "raw_biosaxs/glucose_isomerase.dat",
    "glassy_carbon/12_10_GlassyCarbon_C4_12keV.xml",
    "sasdata/FK403_0006_Nika.hdf",
)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    return lightwell.open()


def columns(session: Session, dataset: Any) -> dict[str, Any]:
    data = dataset.entry.data[dataset.entry.default]
    path = f"data.{dataset.entry.default}.fields"
    return {
        name: (session.array(dataset, f"{path}.{name}").read(), ref.unit)
        for name, ref in data.fields.items()
        if name in ("Q", "I", "Idev", "Qdev")
    }


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("target", ["dat", "cansas1d"])
def test_a_curve_comes_back_from_text_without_loss(
    session: Session, shared_data: Path, tmp_path: Path, name: str, target: str
) -> None:
    [first] = session.ingest(shared_data / "saxs_waxs" / name)
    suffix = {"dat": ".dat", "cansas1d": ".xml"}[target]
    written = session.convert(first, target, tmp_path / f"curve{suffix}").path
    [again] = session.ingest(written)
    before, after = columns(session, first), columns(session, again)
    assert set(before) == set(after)
    for column, (values, unit) in before.items():
        np.testing.assert_array_equal(after[column][0], values)
        # The definition of the XML asks for a unit where RAW says none.
        assert after[column][1] == unit or (unit is None and after[column][1] in (None, "a.u."))


@pytest.mark.parametrize("name", CURVES[:2])
def test_sasdata_reads_both(session: Session, shared_data: Path, tmp_path: Path, name: str) -> None:
    loader = pytest.importorskip("sasdata.dataloader.loader")
    [first] = session.ingest(shared_data / "saxs_waxs" / name)
    own = columns(session, first)
    for target, suffix in (("dat", ".dat"), ("cansas1d", ".xml")):
        written = session.convert(first, target, tmp_path / f"out{suffix}").path
        [read] = loader.Loader().load(str(written))
        np.testing.assert_allclose(read.x, own["Q"][0], rtol=1e-12)
        np.testing.assert_allclose(read.y, own["I"][0], rtol=1e-12)
        np.testing.assert_allclose(read.dy, own["Idev"][0], rtol=1e-12)


@pytest.mark.slow
def test_results_become_text_or_say_why_not(session: Session, tmp_path: Path) -> None:
    scattering.run(tmp_path / "frames.h5", {"rows": 64, "columns": 80, "frames": 2})
    [raw] = session.ingest(tmp_path / "frames.h5")
    curves = session.run("saxs.integrate", raw, bins=40).result()
    with pytest.raises(InputError, match="holds one curve, the dataset has 2"):
        session.convert(curves, "dat", tmp_path / "two.dat")
    assert not (tmp_path / "two.dat").exists()
    both = session.convert(curves, "cansas1d", tmp_path / "two.xml").path
    [again] = session.ingest(both)
    assert sorted(again.entry.data) == ["sasdata", "sasdata_2"]

    angles = session.run("saxs.diffraction", raw, bins=40).result()
    with pytest.raises(InputError, match=r"this one is over two_theta \(degree\)"):
        session.convert(angles, "cansas1d", tmp_path / "angles.xml")
    cake = session.run("saxs.cake", raw, bins=20, azimuth_bins=8).result()
    with pytest.raises(InputError, match="a map cannot be written as text"):
        session.convert(cake, "dat", tmp_path / "cake.dat")
    with pytest.raises(LightwellError, match="no curve of intensity"):
        session.convert(raw, "dat", tmp_path / "raw.dat")
    with pytest.raises(ParameterError, match="text and is not compressed"):
        session.convert(cake, "dat", tmp_path / "cake.dat", compression="gzip")
