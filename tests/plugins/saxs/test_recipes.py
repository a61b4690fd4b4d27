"""Recipes on curves and frames through the engine, and their results as others read them."""

from pathlib import Path
from typing import Any

import h5py
import pytest

import lightwell
from lightwell.nexus.validation import validate
from lightwell.session import Session
from lightwell_saxs.profiles import ReducedProfiles
from lightwell_saxs.simulate import scattering

pytestmark = pytest.mark.slow


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    return lightwell.open()


def serious(path: Path) -> list[Any]:
    return [f for f in validate(path).findings if f.severity in ("error", "broken")]


def test_a_protein_from_file_to_radius(session: Session, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "saxs_waxs/raw_biosaxs"
    [curve] = session.ingest(folder / "glucose_isomerase.dat")
    table = session.run("saxs.guinier", curve, first_point=0, last_point=42).result()
    assert session.array(table).read()[0] == pytest.approx(3.329883, abs=0.003)
    assert session.array(table, "data.data.fields.rg_sigma").read()[0] > 0

    [other] = session.ingest(folder / "GI2_A9_19_001_0000.dat")
    reduced = session.run("saxs.reduce", other, using={"background": curve}).result()
    raw = session.array(other, "data.sasdata.fields.I").read()
    under = session.array(curve, "data.sasdata.fields.I").read()
    assert session.array(reduced).read()[0] == pytest.approx(raw - under, abs=1e-6)
    assert reduced.derived_from == tuple(sorted([other.pid, curve.pid]))

    loader = pytest.importorskip("sasdata.dataloader.loader")
    written = session.convert(reduced, "nxcansas", tmp_path / "reduced.h5").path
    [read] = loader.Loader().load(str(written))
    assert (len(read.x), len(read.dy)) == (474, 474)
    assert all(finding.rule.endswith("@units") for finding in serious(written))


def test_units_of_intensity_go_along(session: Session, shared_data: Path, tmp_path: Path) -> None:
    [glass] = session.ingest(
        shared_data / "saxs_waxs/glassy_carbon/12_10_GlassyCarbon_C4_12keV.xml"
    )
    mean = session.run("saxs.average", glass).result()
    assert mean.entry.data["data"].fields["intensity"].unit == "1/cm"
    table = session.run("saxs.guinier", mean).result()
    fields = table.entry.data["data"].fields
    assert (fields["i0"].unit, fields["i0_sigma"].unit, fields["rg"].unit) == ("1/cm", "1/cm", "nm")
    with h5py.File(session.convert(table, "nexus", tmp_path / "table.nxs").path) as file:
        [entry] = [file[name] for name in file]
        assert entry["data/i0"].attrs["units"] == "1/cm"
    # Over a thickness it is another unit, with a factor the absolute one.
    assert ReducedProfiles.units(glass.entry, {"thickness": 0.1}) == {}
    assert ReducedProfiles.units(glass.entry, {})["sigma"] == "1/cm"
    assert ReducedProfiles.units(glass.entry, {"factor": 2.0})["intensity"] == "1/cm"


def test_a_surface_from_frames_to_a_line(session: Session, tmp_path: Path) -> None:
    scattering.run(tmp_path / "frames.h5", {"rows": 64, "columns": 80, "frames": 2})
    [raw] = session.ingest(tmp_path / "frames.h5")
    job = session.run("saxs.grazing", raw, incidence=0.3, bins_xy=40, bins_z=30)
    found = job.result()
    assert session.array(found).shape == (2, 30, 40)
    data = found.entry.data["data"]
    assert (data.axes[1:], data.fields["q_z"].unit) == (("q_z", "q_xy"), "1/nm")
    band = {"across_min": 0.0, "across_max": 0.5}
    line = session.run("saxs.line", raw, incidence=0.3, along="q_xy", bins=20, **band).result()
    assert session.array(line).shape == (2, 20)
    assert session.replay(line.pid).verdict == "equal"


def test_frames_become_nxazint(session: Session, tmp_path: Path) -> None:
    scattering.run(tmp_path / "frames.h5", {})
    [raw] = session.ingest(tmp_path / "frames.h5")
    for recipe in ("saxs.integrate", "saxs.cake"):
        result = session.run(recipe, raw).result()
        written = session.convert(result, "nxazint", tmp_path / f"{recipe}.h5").path
        assert not serious(written), serious(written)
    curves = session.run("saxs.integrate", raw).result()
    written = session.convert(curves, "nxcansas", tmp_path / "curves.h5").path
    [again] = session.ingest(written)
    assert again.importer == "nxcansas"
