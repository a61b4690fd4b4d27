"""Beamline 8.3.2 as it writes now; and the same scan in its classic layout gives the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import File
from lightwell.errors import InputError, MissingMetadata
from lightwell.nexus.validation import validate
from lightwell.testing import check_importer
from lightwell_tomography.importers import Als832Present, DataExchange
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography
from lightwell_tomography.simulate import simulate

INSTRUMENT = "/measurement/instrument"
ACQUISITION = "/process/acquisition"


def facts(count: int) -> dict[str, Any]:
    """The values of the layout, one element each."""
    found: dict[str, Any] = {
        f"{ACQUISITION}/start_date": "2020-11-04 19:31:47.250",
        f"{ACQUISITION}/name": "bean",
        f"{ACQUISITION}/rotation/num_angles": count,
        f"{ACQUISITION}/rotation/range": 180.0,
        f"{ACQUISITION}/rotation/rotation_step": 0.0,
        f"{ACQUISITION}/flat_fields/i0cycle": 0,
        f"{ACQUISITION}/flat_fields/num_flat_fields": 2,
        f"{INSTRUMENT}/instrument_name": "ALS 8.3.2",
        f"{INSTRUMENT}/source/source_name": "Advanced Light Source",
        f"{INSTRUMENT}/source/beamline": "8.3.2",
        f"{INSTRUMENT}/source/current": 499.9,
        f"{INSTRUMENT}/monochromator/energy": 25000.0,
        f"{INSTRUMENT}/detector/model": "PCO.edge",
        f"{INSTRUMENT}/detector/pixel_size": 0.00065,
        f"{INSTRUMENT}/detector/exposure_time": 0.25,
        f"{INSTRUMENT}/camera_motor_stack/setup/camera_distance": 20.0,
        "/measurement/sample/uuid": "bc67",
        "/measurement/sample/experiment/proposal": "ALS-11532",
        "/measurement/sample/experiment/pi": "A. Beer",
        "/measurement/sample/experimenter/name": "D. Parkinson",
        "/measurement/sample/experimenter/email": "dyp@example.org",
    }
    return {path: np.array([v], "S40" if isinstance(v, str) else None) for path, v in found.items()}


def values(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A scan of 9 projections, flats before and after it, two darks."""
    rows = {"data": (9, 100), "data_white": (4, 1000), "data_dark": (2, 1)}
    stacks = {
        f"/exchange/{name}": np.broadcast_to(
            (first + np.arange(count))[:, None, None], (count, 2, 3)
        ).astype("u2")
        for name, (count, first) in rows.items()
    }
    theta = {"/exchange/theta": (np.linspace(0, 180, 9), "degrees")}
    found = {**stacks, **theta, **facts(9), **(changes or {})}
    return {path: value for path, value in found.items() if value is not None}


def one_stack(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same scan as one stack with a key."""
    key = [DARK] * 2 + [FLAT] * 2 + [PROJECTION] * 9 + [FLAT] * 2
    numbers = np.array([1, 2, 1000, 1001, *range(100, 109), 1002, 1003])
    stack = np.broadcast_to(numbers[:, None, None], (15, 2, 3)).astype("u2")
    given = {
        "/exchange/data": stack,
        "/exchange/image_key": np.array(key),
        "/exchange/data_white": None,
        "/exchange/data_dark": None,
    }
    return values({**given, **(changes or {})})


@pytest.mark.parametrize("made", [values, one_stack])
def test_what_every_importer_keeps(scans: Any, made: Any) -> None:
    path = scans.write("a.h5", made())
    assert scans.claiming(path) == ["als832-present"]
    check_importer(Als832Present(), path, Tomography)


@pytest.mark.parametrize("made", [values, one_stack])
def test_frames_angles_and_facts(scans: Any, made: Any) -> None:
    path = scans.write("a.h5", made())
    [told] = scans.describe(path, rotation="anticlockwise")
    assert told.entry.parameters["acquisition"].values["rotation"].value == "anticlockwise"
    [found] = scans.describe(path)
    assert told.entry.data == found.entry.data
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(9))
    np.testing.assert_array_equal(arrays["flats"][:, 0, 0], 1000 + np.arange(4))
    np.testing.assert_array_equal(arrays["angles"], np.linspace(0, 180, 9))
    # Two moments, before and after: i0cycle says it, or the place of the flats in the one stack.
    np.testing.assert_allclose(arrays["flat_average"], [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    entry = found.entry
    canonical = entry.canonical()
    assert canonical["facility"] == "Advanced Light Source"
    assert (canonical["beamline"], canonical["proposal"]) == ("8.3.2", "ALS-11532")
    assert (canonical["energy"], canonical["exposure_time"]) == (25000.0, 0.25)
    assert canonical["pixel_size"] == pytest.approx(6.5e-7)
    assert canonical["distance"] == pytest.approx(0.02)
    assert canonical["user"] == "D. Parkinson"
    assert canonical["start_time"].isoformat() == "2020-11-04T19:31:47.250000-08:00"
    assert entry.users["principal_investigator"].name == "A. Beer"
    assert entry.parameters["acquisition"].values["nangles"].value == 9
    codes = {"time-zone-assumed", "step-contradicts", "unit-assumed"}
    assert codes == set(scans.codes(found))


def test_units_of_the_file_come_first(scans: Any) -> None:
    given = {f"{INSTRUMENT}/monochromator/energy": (np.array([25.0]), "keV")}
    [found] = scans.describe(scans.write("a.h5", values(given)))
    assert found.entry.canonical()["energy"] == 25000.0
    [flag] = [flag for flag in found.entry.flags if flag.code == "unit-assumed"]
    assert "energy" not in flag.message


def test_several_energies_are_not_chosen_from(scans: Any) -> None:
    given = {
        f"{INSTRUMENT}/monochromator/energy": np.array([25000.0, 30000.0]),
        f"{INSTRUMENT}/camera_motor_stack/setup/camera_distance": np.array([20.0, 20.0]),
    }
    [found] = scans.describe(scans.write("a.h5", values(given)))
    assert "energy" not in found.entry.canonical()
    assert found.entry.canonical()["distance"] == pytest.approx(0.02)
    assert "several-values" in scans.codes(found)


def test_flats_whose_moments_cannot_be_told_are_averaged(scans: Any) -> None:
    given = {f"{ACQUISITION}/flat_fields/i0cycle": np.array([2])}
    [found] = scans.describe(scans.write("a.h5", values(given)))
    assert "flat-moments-unknown" in scans.codes(found)
    assert len(scans.arrays(found)["flat_average"]) == 1


def test_data_exchange_of_others_is_not_claimed(scans: Any) -> None:
    path = scans.dx(more={f"{INSTRUMENT}/source/beamline": "2-BM"})
    assert not Als832Present().claims(File(path))
    assert DataExchange().claims(File(path))


def test_a_key_that_does_not_fit_is_refused(scans: Any) -> None:
    path = scans.write("a.h5", one_stack({"/exchange/image_key": np.zeros(3, int)}))
    with pytest.raises(InputError, match="no stack and one number for each"):
        scans.describe(path)
    path = scans.write("b.h5", one_stack({"/exchange/theta": None}))
    with pytest.raises(MissingMetadata, match="first_angle=0"):
        scans.describe(path)
    assert len(scans.describe(path, first_angle=0.0, last_angle=180.0)) == 1


def write_both(folder: Path) -> tuple[Path, Path]:
    """One simulated scan in both layouts: flats before, amid (i0cycle) and after it."""
    simulated = simulate(folder / "simulated.nxs", width=64, rows=4, angles=65).path
    with h5py.File(simulated) as file:
        frames = file["entry/instrument/detector/data"][()]
        key = file["entry/instrument/detector/image_key"][()]
    of = {kind: frames[key == kind] for kind in (PROJECTION, FLAT, DARK)}
    flats, count = len(of[FLAT]) // 3, len(of[PROJECTION])
    with h5py.File(folder / "classic.h5", "w") as file:
        group = file.create_group("scan")
        said = {"nangles": count, "arange": 180.0, "i0cycle": count // 2, "pxsize": 0.001}
        for name, value in said.items():
            group.attrs[name] = np.bytes_(f"{value}\r".encode())
        for index, frame in enumerate(of[PROJECTION]):
            group[f"scan_0000_{index:04d}.tif"] = frame[None]
        for index, frame in enumerate(of[FLAT]):
            taken = (0, count // 2, count - 1)[index // flats]
            group[f"scanbak_{index % flats:04d}_{taken:04d}.tif"] = frame[None]
        for index, frame in enumerate(of[DARK]):
            group[f"scandrk_{index:04d}_{count - 1:04d}.tif"] = frame[None]
    with h5py.File(folder / "present.h5", "w") as file:
        file["/exchange/data"], file["/exchange/data_white"] = of[PROJECTION], of[FLAT]
        file["/exchange/data_dark"] = of[DARK]
        file["/exchange/theta"] = np.linspace(0.0, 180.0, count)
        known = {**facts(count), f"{INSTRUMENT}/detector/pixel_size": np.array([0.001])}
        known[f"{ACQUISITION}/flat_fields/i0cycle"] = np.array([count // 2])
        for path, value in known.items():
            file[path] = value
    return folder / "classic.h5", folder / "present.h5"


def test_both_layouts_give_the_same_products(scans: Any, tmp_path: Path) -> None:
    classic, present = (scans.arrays(scans.describe(p)[0]) for p in write_both(tmp_path))
    assert set(classic) == set(present)
    for name, array in classic.items():
        np.testing.assert_array_equal(array, present[name], err_msg=name)
    assert len(classic["flat_average"]) == 3


@pytest.mark.slow
def test_both_layouts_give_the_same_result(tmp_path: Path) -> None:
    als = lightwell.open()
    digests = []
    for path in write_both(tmp_path):
        [raw] = als.ingest(path)
        result = als.run("tomography.gridrec", raw, rotation_axis=31.5).result()
        volume = als.array(result, "data.data.fields.data").read()
        assert np.isfinite(volume).all()
        assert volume.std() > 0
        digests.append(volume.tobytes())
    assert digests[0] == digests[1]


def test_the_master_is_valid(scans: Any, tmp_path: Path) -> None:
    named = {"/measurement/sample/name": np.array([b"bean"])}
    als = lightwell.open()
    [raw] = als.ingest(scans.write("a.h5", values(named)))
    report = validate(als.installation.folder("entries") / f"{raw.pid}.nxs")
    assert report.is_valid, [finding.message for finding in report.of("error")]
