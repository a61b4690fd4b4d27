"""Beamline 8.3.2, classic: one image per HDF5 dataset, flats between the projections."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import File, where
from lightwell.errors import InputError, MissingMetadata, ParameterError
from lightwell.manifests import build_manifest
from lightwell.model.arrays import SeriesPart
from lightwell.nexus.validation import validate
from lightwell.stacks import open_array
from lightwell.testing import check_importer
from lightwell_tomography.importers import Als832
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

NAME = "20130713_185717_Chilarchaea_quellon_F_9053427_IKI"
# The panel of the data portal of 2013, as its screenshot shows it.
PANEL = {
    "facility": "als",
    "end_station": "bl832",
    "sdate": "2013-07-13 18:57:27",
    "owner": "hmwood",
    "experimenter": "",
    "senergy": "33501.088010",
    "pxsize": "0.001300",
    "nangles": "2049",
    "nslices": "1596",
    "nrays": "2560",
    "arange": "180.000000",
    "usebrightexpose": "0",
    "cooler_target": "0.000000",
    "stepdeg": "0.000000",
    "xtechdir": "c:\\ct\\standards",
    "cdmaterial": "LEAD",
    "noisesig": "0.001500",
    "rsize": "0.000000",
    "cammode": "0",
}
SETTINGS = {"nangles", "nslices", "nrays", "arange", "usebrightexpose", "cooler_target", "stepdeg"}
SETTINGS |= {"xtechdir", "cdmaterial", "noisesig", "rsize", "cammode"}
OUTER = ("facility", "end_station", "owner")


def write(
    path: Path,
    *,
    count: int = 9,
    cycle: int = 0,
    flats: int = 2,
    changes: Mapping[str, str | None] | None = None,
    name: str = NAME,
    angles: Sequence[float] | None = None,
    left_out: Sequence[int] = (),
    tiles: int = 1,
) -> Path:
    """Write a scan: pixels of projection i are 100 + i, of flats 1000 + their angle, of darks 1."""
    said = {**PANEL, "nangles": str(count), "nslices": "2", "nrays": "3", "i0cycle": str(cycle)}
    said |= {
        "num_bright_field": str(flats),
        "num_dark_fields": "2",
        "uuid": "bc67",
        **(changes or {}),
    }
    with h5py.File(path, "w") as file:
        group = file.create_group(name)
        for key, value in said.items():
            if value is not None:
                target = file if key in OUTER else group
                target.attrs[key] = np.bytes_(f"{value}\r".encode())

        def frame(ending: str, value: float, angle: float | None = None) -> None:
            data = np.full((1, 2, 3), value, "u2")
            group[f"{name}{ending}.tif"] = data
            if angle is not None:
                group[f"{name}{ending}.tif"].attrs["rot_angle"] = angle

        for tile in range(tiles):
            for index in set(range(count)) - set(left_out):
                angle = None if angles is None else angles[index]
                frame(f"_{tile:04d}_{index:04d}", 100 + index, angle)
        taken = [*(range(0, count - 1, cycle) if cycle else [0]), count - 1]
        for moment in taken:
            for number in range(flats):
                frame(f"bak_{number:04d}_{moment:04d}", 1000 + moment)
        for number in range(2):
            frame(f"drk_{number:04d}_{count - 1:04d}", 1)
    return path


def test_what_every_importer_keeps(tmp_path: Path) -> None:
    check_importer(Als832(), write(tmp_path / "a.h5", cycle=4), Tomography)


def test_flats_stand_where_they_were_taken(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5", cycle=4))
    manifest = build_manifest(found.root, [("a.h5", "master")])
    detector = found.entry.instrument.detector
    stack = open_array(detector.data, manifest).read()[:, 0, 0]
    key = open_array(detector.image_key, manifest).read()
    np.testing.assert_array_equal(
        stack,
        [*[1000] * 2, *range(100, 104), *[1004] * 2, *range(104, 109), 1, 1, *[1008] * 2],
    )
    np.testing.assert_array_equal(
        key, [FLAT] * 2 + [PROJECTION] * 4 + [FLAT] * 2 + [PROJECTION] * 5 + [DARK] * 2 + [FLAT] * 2
    )
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(9))
    np.testing.assert_array_equal(arrays["angles"], np.linspace(0, 180, 9))
    # Projection 2 stands half way between the flats before projection 0 and before projection 4.
    assert (arrays["flat_before"][0], arrays["flat_after"][0]) == (0, 1)
    assert 0 < arrays["flat_share"][1] < arrays["flat_share"][2] < 1
    np.testing.assert_allclose(arrays["flat_average"][1], [0, 0, 0.5, 0.5, 0, 0])


def test_one_projection_is_one_hdf5_dataset(
    scans: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5", cycle=4))
    manifest = build_manifest(found.root, [("a.h5", "master")])
    stack = open_array(found.entry.instrument.detector.data, manifest)
    touched: list[str] = []
    opening = h5py.Dataset.__init__

    def counted(self: Any, bind: Any, **options: Any) -> None:
        opening(self, bind, **options)
        touched.append(self.name)

    monkeypatch.setattr(h5py.Dataset, "__init__", counted)
    assert stack.read((slice(3, 4),)).mean() == 101
    assert set(touched) == {f"/{NAME}/{NAME}_0000_0001.tif"}


def test_the_nineteen_keys_of_the_panel(scans: Any, tmp_path: Path) -> None:
    entry = scans.describe(write(tmp_path / "a.h5"))[0].entry
    found = entry.canonical()
    assert (found["facility"], found["beamline"], found["user"]) == ("als", "bl832", "hmwood")
    assert found["energy"] == 33501.08801
    assert found["pixel_size"] == pytest.approx(1.3e-6)
    assert entry.start_time.isoformat() == "2013-07-13T18:57:27-07:00"
    assert "experimenter" not in entry.users
    settings = entry.parameters["acquisition"].values
    assert set(settings) >= SETTINGS
    assert (settings["arange"].value, settings["arange"].unit) == (180.0, "degree")
    assert settings["cooler_target"].unit == "degC"
    assert settings["nangles"].value == 9
    assert settings["stepdeg"].value == 0.0
    for key, value in PANEL.items():
        if key not in {"nangles", "nslices", "nrays"}:
            assert entry.original[key].value == value
        field = entry.original[key].field
        assert (field is None) == (key == "experimenter")
        assert field is None or entry.lookup(field) is not None


def test_both_spellings(scans: Any, tmp_path: Path) -> None:
    changes = {"usebrightexpose": None, "rsize": None, "usebrihtexpose": "1", "rszsize": "2.5"}
    entry = scans.describe(write(tmp_path / "a.h5", changes=changes))[0].entry
    settings = entry.parameters["acquisition"].values
    assert (settings["usebrightexpose"].value, settings["rsize"].value) == (1, 2.5)
    assert entry.original["usebrihtexpose"].value == "1"


def test_a_step_of_zero_is_flagged_and_not_used(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5", count=2049, flats=1))
    [flag] = [flag for flag in found.entry.flags if flag.code == "step-contradicts"]
    assert "stepdeg is 0, but 180 degree (arange) over 2049 angles" in flag.message
    assert found.entry.lookup("original.stepdeg") == "0.000000"
    changes = {"stepdeg": str(180 / 8)}
    [found] = scans.describe(write(tmp_path / "b.h5", changes=changes))
    assert "step-contradicts" not in scans.codes(found)


@pytest.mark.parametrize("cycle", [0, 100])
def test_the_description_of_2049_projections_is_short(
    scans: Any, tmp_path: Path, cycle: int
) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5", count=2049, cycle=cycle, flats=10))
    assert len(json.dumps(found.entry.document())) < 64_000
    parts = found.entry.instrument.detector.data.parts
    assert all(isinstance(part, SeriesPart) for part in parts)
    assert len(parts) == (4 if cycle == 0 else 2 * 21 + 2)
    assert not any("tif" in key for key in found.entry.original)


def test_dates_and_zones(scans: Any, tmp_path: Path) -> None:
    winter = {"sdate": "01-31-2020 16:00:02", "stage_date": "2020-01-31T16:00:02.000+0000"}
    [found] = scans.describe(write(tmp_path / "a.h5", changes=winter))
    assert found.entry.start_time.isoformat() == "2020-01-31T16:00:02-08:00"
    assert {"time-zone-assumed", "time-contradicts"} <= set(scans.codes(found))
    twice = {"sdate": "11-01-2020 01:30:00"}
    [found] = scans.describe(write(tmp_path / "b.h5", changes=twice))
    assert found.entry.start_time.utcoffset() == timedelta(hours=-7)
    assert any("came twice" in flag.message for flag in found.entry.flags)
    [found] = scans.describe(write(tmp_path / "c.h5", changes={"sdate": "yesterday"}))
    assert found.entry.start_time is None
    assert "time-unreadable" in scans.codes(found)


@pytest.mark.parametrize("said", ["1e15", "nan", "inf", "many"])
def test_numbers_that_make_no_sense_cost_nothing(scans: Any, tmp_path: Path, said: str) -> None:
    path = write(tmp_path / "a.h5", changes={"nangles": said, "stepdeg": said, "senergy": said})
    if said == "1e15":
        assert "count-contradicts" in scans.codes(scans.describe(path)[0])
        return
    with pytest.raises(MissingMetadata, match="arange and nangles"):
        scans.describe(path)


def test_missing_is_missing(scans: Any, tmp_path: Path) -> None:
    gone = dict.fromkeys(PANEL, None) | {"nangles": "9", "arange": "180", "senergy": "0"}
    [found] = scans.describe(write(tmp_path / "a.h5", changes=gone))
    canonical = found.entry.canonical()
    assert set(canonical) == {"title", "definition", "scan"}
    assert "energy-not-set" in scans.codes(found)


def test_contradictions_are_flagged_and_kept(scans: Any, tmp_path: Path) -> None:
    said = {"nslices": "1596", "num_bright_field": "7", "Mono_Energy": "25000"}
    [found] = scans.describe(write(tmp_path / "a.h5", changes=said))
    assert scans.codes(found).count("count-contradicts") == 2
    assert "energy-contradicts" in scans.codes(found)
    assert found.entry.lookup("original.nslices") == "1596"


def test_a_scan_broken_off_keeps_the_angles_it_had_planned(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", left_out=[3, 7, 8])
    [found] = scans.describe(path)
    planned = np.linspace(0, 180, 9)
    np.testing.assert_array_equal(scans.arrays(found)["angles"], planned[[0, 1, 2, 4, 5, 6]])
    assert "count-contradicts" in scans.codes(found)


def test_angles_of_the_frames_come_first(scans: Any, tmp_path: Path) -> None:
    angles = [0.0, 20.0, 40.0, 60.0, 10.0, 30.0, 50.0, 70.0, 71.5]
    [found] = scans.describe(write(tmp_path / "a.h5", angles=angles))
    np.testing.assert_allclose(scans.arrays(found)["angles"], angles, atol=1e-5)
    assert "angles-assumed" not in scans.codes(found)


def test_jittering_angles_stay_a_short_list(scans: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 180, 721) + rng.normal(0, 1e-3, 721)
    [found] = scans.describe(write(tmp_path / "a.h5", count=721, angles=list(angles)))
    assert np.abs(scans.arrays(found)["angles"] - angles).max() < 1e-2
    assert "angles-rounded" in scans.codes(found)
    assert len(json.dumps(found.entry.document())) < 64_000


def test_the_sense_of_rotation_is_kept_as_given(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    [silent], [told] = scans.describe(path), scans.describe(path, rotation="clockwise")
    assert told.entry.parameters["acquisition"].values["rotation"].value == "clockwise"
    assert told.entry.lookup("parameters.acquisition.values.nangles") is not None
    assert "rotation" not in silent.entry.parameters["acquisition"].values
    np.testing.assert_array_equal(scans.arrays(told)["angles"], scans.arrays(silent)["angles"])
    with pytest.raises(ParameterError, match="rotation = 'left' does not fit"):
        Als832().checked({"rotation": "left"}, text=True)


def test_angles_of_a_person_replace_what_the_file_says(scans: Any, tmp_path: Path) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5"), first_angle=180.0, last_angle=0.0)
    np.testing.assert_array_equal(scans.arrays(found)["angles"], np.linspace(180, 0, 9))
    assert "angles-assumed" not in scans.codes(found)


def test_tiles_of_a_mosaic_are_datasets(scans: Any, tmp_path: Path) -> None:
    found = scans.describe(write(tmp_path / "a.h5", tiles=3))
    assert [one.name for one in found] == ["tile_0000", "tile_0001", "tile_0002"]
    assert len(scans.arrays(found[2])["frames"]) == 9


@pytest.mark.parametrize("name", ["sample{0}", "a b", "µ-quellon_bak", "scan_0001"])
def test_names_with_anything_in_them(scans: Any, tmp_path: Path, name: str) -> None:
    [found] = scans.describe(write(tmp_path / "a.h5", name=name))
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(9))
    assert len(arrays["flats"]) == 4


@pytest.mark.parametrize(
    ("ending", "words"),
    [("bak", "no flat fields"), ("drk", "no dark fields"), ("_0000", "no proj")],
)
def test_a_kind_that_is_missing_is_named(
    scans: Any, tmp_path: Path, ending: str, words: str
) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for frame in [n for n in file[NAME] if n.startswith(f"{NAME}{ending}_")]:
            del file[NAME][frame]
    with pytest.raises(MissingMetadata, match=words):
        scans.describe(path)


def test_a_frame_of_another_size_is_named(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file[NAME][f"{NAME}_0000_0004.tif"]
        file[NAME][f"{NAME}_0000_0004.tif"] = np.zeros((1, 4, 3), "u2")
    with pytest.raises(InputError, match=r"_0000_0004\.tif is \(1, 4, 3\)"):
        scans.describe(path)


def test_without_a_range_angles_are_asked_for(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", changes={"arange": None})
    with pytest.raises(MissingMetadata, match="first_angle=0 --set last_angle=180"):
        scans.describe(path)
    assert len(scans.describe(path, first_angle=0.0, last_angle=180.0)) == 1


def test_later_stages_of_the_portal_are_refused(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["stage"] = np.bytes_(b"norm")
    with pytest.raises(InputError, match="the stage 'norm'"):
        scans.describe(path)


def test_names_of_files_are_hints_and_never_identity(scans: Any, tmp_path: Path) -> None:
    numbered = scans.describe(write(tmp_path / "e438-r0138-s04-c00.h5"))[0].entry
    hints = {k: v.value for k, v in numbered.original.items() if k.startswith("hint_")}
    assert hints == {
        "hint_experiment": "438",
        "hint_run": "0138",
        "hint_scan": "04",
        "hint_camera": "00",
    }
    assert numbered.sample.name is None
    [dated] = scans.describe(write(tmp_path / "20130713_185717_Chilarchaea_quellon_h5"))
    assert dated.entry.lookup("original.hint_sample") == "Chilarchaea_quellon"
    assert "file-name-contradicts" not in scans.codes(dated)
    [moved] = scans.describe(write(tmp_path / "20140713_185717_other.h5"))
    assert "file-name-contradicts" in scans.codes(moved)


def test_the_master_is_valid_and_everything_is_found_again(tmp_path: Path) -> None:
    als = lightwell.open()
    said = {"object": "Chilarchaea quellon"}
    [raw] = als.ingest(write(tmp_path / "a.h5", cycle=4, changes=said))
    report = validate(als.installation.folder("entries") / f"{raw.pid}.nxs")
    assert report.is_valid, [finding.message for finding in report.of("error")]
    assert [d.pid for d in als.find(where("energy") > "30 keV")] == [raw.pid]
    assert [d.pid for d in als.find(where("original.cdmaterial") == "LEAD")] == [raw.pid]
    assert als.array(raw, "instrument.detector.data").read((slice(3, 4),)).mean() == 101


def test_the_beamline_s_own_file(scans: Any, shared_data: Path) -> None:
    path = shared_data / "tomography" / "als832_20200521_160002_heartbeat_test.h5"
    entry = check_importer(Als832(), path, Tomography)
    found = entry.canonical()
    assert (found["facility"], found["beamline"]) == ("als", "bl832")
    assert found["energy"] == pytest.approx(19999.63, abs=0.01)
    assert found["pixel_size"] == pytest.approx(6.45e-7)
    assert (found["exposure_time"], found["distance"]) == (0.5, pytest.approx(0.02))
    assert found["start_time"].isoformat() == "2020-05-21T16:00:02-07:00"
    assert entry.lookup("instrument.source.current") == pytest.approx(0.499998633)
    arrays = scans.arrays(scans.describe(path)[0])
    assert [len(arrays[name]) for name in ("frames", "flats", "darks")] == [64, 12, 4]
    assert len(entry.original) >= 155
    # Bright before the scan, nearly black after it: nothing is averaged over both.
    assert (arrays["flats"][:6] == 255).all()
    assert (arrays["flats"][6:] == 1).all()
    assert File(path).name.startswith("als832")
