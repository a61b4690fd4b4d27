"""Every real file: one importer claims it and keeps its promises, or a sentence refuses it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwell.errors import InputError, NoImporter
from lightwell.files import File
from lightwell.manifests import build_manifest
from lightwell.plugins import Plugins
from lightwell.stacks import open_array
from lightwell.testing.importers import check_importer
from lightwell_saxs.importers import IMPORTERS
from lightwell_saxs.importers.curves import RawCurve
from lightwell_saxs.products import geometry_of
from lightwell_saxs.profiles import Profiles
from lightwell_saxs.schema import ReducedScattering, Scattering

CLAIMED = {
    "als733/AgB_00001.edf": "als733",
    "als733/AgB_10s_lo_1m.edf": "als733",
    "als733/AgB_5s_hi_2m.edf": "als733",
    "aps_usaxs/CalibData_saxs/Air_1.hdf": "aps-usaxs",
    "aps_usaxs/CalibData_saxs/FY1_1HF_1.hdf": "aps-usaxs",
    "aps_usaxs/LaB6_Normal_0042.hdf": "aps-usaxs",
    "aps_usaxs/SAXS.hdf": "aps-usaxs",
    "aps_usaxs/WAXS.hdf": "aps-usaxs",
    "aps_usaxs/NXcanSAS_SMR.h5": "nxcansas",
    "aps_usaxs/SAXS.dat": "nika-dat",
    "aps_usaxs/WAXS.dat": "nika-dat",
    "dioptas/CeO2_Pilatus1M.tif": "detector-image",
    "dioptas/CeO2_Pilatus1M.xy": "column-curve",
    "esrf_bliss/demoh5_dataset/demoh5_dataset.h5": "bliss-scattering",
    "esrf_bliss/ma4500_demoh5.h5": "bliss-scattering",
    "glassy_carbon/12_10_GlassyCarbon_C4_12keV.xml": "cansas-xml",
    "glassy_carbon/gc14-dls-i22.xml": "cansas-xml",
    "raw_biosaxs/GI2_A9_19_001_0000.dat": "raw-dat",
    "raw_biosaxs/GI2_A9_19_001_0000.tiff": "detector-image",
    "raw_biosaxs/glucose_isomerase.dat": "raw-dat",
    "sasdata/33837rear_1D_1.75_16.5_CanSAS1D.xml": "cansas-xml",
    "sasdata/33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": "nxcansas",
    "sasdata/33837rear_2D_1.75_16.5_NXcanSAS_v3.h5": "nxcansas",
    "sasdata/APS_DND-CAT.TXT": "column-curve",
    "sasdata/Alumina_usaxs.csv": "column-curve",
    "sasdata/FK403_0006_Nika.hdf": "nxcansas",
}
FALLBACK = {
    "esrf_bliss/demoh5_dataset/ma4500-demoh5-dataset.h5",
    "esrf_bliss/demoh5_dataset/scan0001/marana_0000.h5",
}
REFUSED = {
    "README.md": None,
    "SHA256SUMS": None,
    "als733/AgB_5s_hi_2m.txt": "side-car",
    "dioptas/CeO2_Pilatus1M.poni": "calibration goes with frames",
    "raw_biosaxs/GI2_A9_19": None,
    "raw_biosaxs/settings_new.cfg": None,
}
OWN = {importer.name: importer for importer in IMPORTERS}


def profile(path: Path, name: str, **options: Any) -> Profiles:
    """The curve of a file as analyses see it."""
    [found] = OWN[name]().describe(File(path), **options)
    listed = [(part.file.relative_to(found.root), part.role) for part in found.parts]
    manifest = build_manifest(found.root, listed)
    arrays = Profiles.load(found.entry, lambda ref: open_array(ref, manifest))
    return Profiles.of(**{key: array.read() for key, array in arrays.items()})


def test_every_file_is_claimed_once_or_refused(saxs_data: Path) -> None:
    plugins = Plugins(discover=True)
    seen = set()
    for path in saxs_data.rglob("*"):
        name = path.relative_to(saxs_data).as_posix()
        if path.is_dir():
            continue
        seen.add(name)
        claiming = [one for one in plugins.importers.values() if one.claims(File(path))]
        firm = [one.name for one in claiming if not one.fallback]
        names = firm or [one.name for one in claiming]
        expected = [CLAIMED[name]] if name in CLAIMED else ["nexus"] if name in FALLBACK else []
        assert names == expected, name
        if name in REFUSED:
            advice = [one.advice(File(path)) for one in plugins.importers.values()]
            said = " ".join(one for one in advice if one)
            assert (REFUSED[name] or "") in said
    assert seen == {*CLAIMED, *FALLBACK, *REFUSED}


@pytest.mark.parametrize("name", CLAIMED)
def test_importers_keep_their_promises(saxs_data: Path, name: str) -> None:
    importer = OWN[CLAIMED[name]]()
    frames = importer.name in ("als733", "aps-usaxs", "bliss-scattering", "detector-image")
    check_importer(importer, saxs_data / name, Scattering if frames else ReducedScattering)


def test_beamline_733_says_what_it_knows_and_no_more(saxs_data: Path) -> None:
    [found] = OWN["als733"]().describe(File(saxs_data / "als733/AgB_5s_hi_2m.edf"))
    entry = found.entry
    assert entry.lookup("instrument.detector.data").shape == (1, 1679, 1475)
    assert entry.lookup("instrument.detector.count_time") == 5.0
    assert entry.lookup("instrument.detector.x_pixel_size") == pytest.approx(172e-6)
    assert entry.canonical().get("energy") is None
    assert entry.original["Motors/Beamstop Y"].value == 63.75
    assert entry.original["AIs/Beam Current"].value == pytest.approx(500.70083)
    assert [part.role for part in found.parts] == ["frame", "side-car"]


def test_the_same_curve_in_xml_and_in_hdf5_is_the_same(saxs_data: Path) -> None:
    one = profile(saxs_data / "sasdata/33837rear_1D_1.75_16.5_CanSAS1D.xml", "cansas-xml")
    other = profile(saxs_data / "sasdata/33837rear_1D_1.75_16.5_NXcanSAS_v3.h5", "nxcansas")
    for name in ("q", "intensity", "sigma"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5)
    assert one.q[0] == pytest.approx(0.0416)


def test_a_curve_keeps_its_resolution(saxs_data: Path) -> None:
    nika = profile(saxs_data / "aps_usaxs/SAXS.dat", "nika-dat")
    assert nika.resolution[0] == pytest.approx(0.089911046)
    hdf5 = profile(saxs_data / "sasdata/FK403_0006_Nika.hdf", "nxcansas")
    assert np.isfinite(hdf5.resolution).all()


def test_what_raw_found_is_kept(saxs_data: Path) -> None:
    [found] = RawCurve().describe(File(saxs_data / "raw_biosaxs/glucose_isomerase.dat"))
    original = found.entry.original
    assert float(str(original["analysis/guinier/Rg"].value)) == pytest.approx(33.607769)
    curve = profile(saxs_data / "raw_biosaxs/glucose_isomerase.dat", "raw-dat")
    assert curve.intensity.shape == (1, 474)
    assert curve.sigma[0, 0] == pytest.approx(1.59855527e-3)


def test_columns_without_a_unit_are_refused_by_analyses_until_it_is_given(saxs_data: Path) -> None:
    path = saxs_data / "sasdata/Alumina_usaxs.csv"
    with pytest.raises(InputError, match="q_unit"):
        profile(path, "column-curve")
    given = profile(path, "column-curve", q_unit="1/angstrom")
    assert given.q[0] == pytest.approx(0.00246465)


def test_a_calibration_goes_with_its_frames(saxs_data: Path) -> None:
    poni = str(saxs_data / "dioptas/CeO2_Pilatus1M.poni")
    path = File(saxs_data / "dioptas/CeO2_Pilatus1M.tif")
    [found] = OWN["detector-image"]().describe(path, poni=poni, orientation=2)
    geometry = geometry_of(found.entry)
    assert geometry.distance == pytest.approx(0.208651380603)
    assert geometry.wavelength == pytest.approx(4.066e-11)
    [assumed] = OWN["detector-image"]().describe(path, poni=poni)
    codes = [flag.code for flag in assumed.entry.flags]
    assert codes == ["orientation-assumed", "orientation-doubtful"]
    assert "try --set orientation=2" in assumed.entry.flags[1].message
    assert not found.entry.flags
    with pytest.raises(InputError, match="Give both"):
        list(OWN["detector-image"]().describe(path, orientation=2))


def test_a_contradicting_pixel_size_is_flagged(saxs_data: Path) -> None:
    [found] = OWN["aps-usaxs"]().describe(File(saxs_data / "aps_usaxs/SAXS.hdf"))
    codes = [flag.code for flag in found.entry.flags]
    assert {"pixel-size-contradicts", "tilt-not-applied"} <= set(codes)
    detector = found.entry.lookup("instrument.detector")
    assert detector.distance == pytest.approx(0.44792234)
    assert detector.beam_center_x == pytest.approx(93.59196523)
    assert found.entry.canonical()["wavelength"] == pytest.approx(0.44280041e-10)


def test_no_file_is_no_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.poni"
    path.write_text("Distance: one\nPoni1: 0\nPoni2: 0\n", encoding="utf-8")
    assert issubclass(NoImporter, InputError)
    image = tmp_path / "a.cbf"
    image.write_bytes(b"###CBF: VERSION 1.5, not whole\r\n")
    with pytest.raises(InputError):
        list(OWN["detector-image"]().describe(File(image), poni=str(path)))
