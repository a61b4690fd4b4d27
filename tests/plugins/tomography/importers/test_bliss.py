"""ESRF BLISS masters: tomographies among other scans, frames behind links."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.errors import MissingMetadata, MissingSource
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell.testing import check_importer
from lightwell_tomography.importers import BlissTomography
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

ROWS, WIDTH = 2, 5
SEQUENCE = (
    ("dark images", 2, 1),
    ("flat images", 3, 1000),
    ("projections 7", 7, 100),
    ("reference images", 3, 1003),
    ("static images", 2, 500),
)


def entry(file: Any, name: str, title: str) -> Any:
    group = file.create_group(name)
    group.attrs["NX_class"] = "NXentry"
    group["title"], group["start_time"] = title, "2023-03-01T10:00:00.5+01:00"
    instrument = group.create_group("instrument")
    instrument.attrs["NX_class"] = "NXinstrument"
    group.create_group("measurement").attrs["NX_class"] = "NXcollection"
    group["sample/name"] = "bone"
    group["sample"].attrs["NX_class"] = "NXsample"
    return group


def with_frames(folder: Path, group: Any, count: int, first: float, *, scan: int) -> None:
    """Frames as LIMA saves them: a file of its own, shown by a virtual dataset."""
    inner = f"scan{scan:04d}/pco_0000.h5"
    (folder / inner).parent.mkdir(exist_ok=True)
    stack = np.broadcast_to((first + np.arange(count))[:, None, None], (count, ROWS, WIDTH))
    with h5py.File(folder / inner, "w") as saved:
        saved["/entry_0000/ESRF-ID19/pco/data"] = stack.astype("u2")
    detector = group.create_group("instrument/pco")
    detector.attrs["NX_class"] = "NXdetector"
    layout = h5py.VirtualLayout((count, ROWS, WIDTH), "u2")
    layout[:] = h5py.VirtualSource(inner, "/entry_0000/ESRF-ID19/pco/data", (count, ROWS, WIDTH))
    detector.create_virtual_dataset("data", layout)
    detector["acq_parameters/acq_expo_time"] = 0.05


def write(folder: Path, *, keys: bool = False, motor: str = "hrsrot", others: int = 2) -> Path:
    """A proposal with two plain scans, then a tomography: entries 3.1 to 8.1."""
    folder.mkdir(exist_ok=True)
    path = folder / "bone_0001.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(NX_class="NXroot", creator="Bliss", default="1.1")
        for number in range(1, others + 1):
            with_frames(folder, entry(file, f"{number}.1", "loopscan 3 0.1"), 3, 7, scan=number)
        begin = entry(file, f"{others + 1}.1", "tomo:basic")
        technique = begin.create_group("technique")
        for name, value, unit in (
            ("scan/energy", 35.0, "keV"),
            ("scan/sample_detector_distance", 120.0, "mm"),
            ("optic/sample_pixel_size", 0.65, "um"),
        ):
            technique[name] = value
            technique[name].attrs["units"] = unit
        technique["tomoconfig/rotation"] = np.array([motor], h5py.string_dtype())
        technique["tomoconfig/detector"] = np.array(["pco"], h5py.string_dtype())
        for index, (title, count, first) in enumerate(SEQUENCE):
            number = others + 2 + index
            group = entry(file, f"{number}.1", title)
            with_frames(folder, group, count, first, scan=number)
            if keys and index < 4:
                kind = (DARK, FLAT, PROJECTION, FLAT)[index]
                group["technique/image_key"], group["title"][...] = kind, "acquisition"
            if title.startswith("projections"):
                group[f"instrument/{motor}/value"] = np.linspace(0, 180, count)
                group[f"instrument/{motor}/value"].attrs["units"] = "deg"
                group[f"measurement/{motor}"] = h5py.SoftLink(
                    f"/{number}.1/instrument/{motor}/value"
                )
            else:
                group[f"instrument/positioners/{motor}"] = 90.0
    return path


def test_a_tomography_and_the_other_scans(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    assert scans.claiming(path) == ["bliss-tomography"]
    check_importer(BlissTomography(), path)
    found = {one.name: one for one in scans.describe(path)}
    assert set(found) == {"1.1", "2.1", "3.1"}
    assert [found[n].entry.definition_name for n in ("1.1", "3.1")] == [None, "NXtomo"]
    assert scans.files(found["1.1"]) == ["bone_0001.h5", "scan0001/pco_0000.h5"]
    assert scans.files(found["3.1"])[1:] == [f"scan000{n}/pco_0000.h5" for n in range(4, 9)]


@pytest.mark.parametrize("keys", [False, True])
def test_frames_in_the_order_they_were_taken(scans: Any, tmp_path: Path, keys: bool) -> None:
    found = scans.describe(write(tmp_path, keys=keys))[0]
    members = [(p.file.relative_to(found.root), p.role) for p in found.parts]
    manifest = build_manifest(found.root, members)
    stack = open_array(found.entry.instrument.detector.data, manifest).read()[:, 0, 0]
    key = open_array(found.entry.instrument.detector.image_key, manifest).read()
    np.testing.assert_array_equal(
        stack, [1, 2, 1000, 1001, 1002, *range(100, 107), 1003, 1004, 1005, 500, 501]
    )
    np.testing.assert_array_equal(key, [2] * 2 + [1] * 3 + [0] * 7 + [1] * 3 + [3] * 2)
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["angles"], np.linspace(0, 180, 7))
    assert len(arrays["flat_average"]) == 2


def test_facts_with_their_units(scans: Any, tmp_path: Path) -> None:
    entry_ = scans.describe(write(tmp_path))[0].entry
    canonical = entry_.canonical()
    assert (canonical["energy"], canonical["sample"]) == (35000.0, "bone")
    assert canonical["distance"] == pytest.approx(0.12)
    assert canonical["pixel_size"] == pytest.approx(6.5e-7)
    assert (canonical["exposure_time"], canonical["scan"]) == (0.05, "3.1")
    assert entry_.start_time.isoformat() == "2023-03-01T10:00:00.500000+01:00"


def test_entries_behind_links_of_a_proposal(scans: Any, tmp_path: Path) -> None:
    write(tmp_path)
    with h5py.File(tmp_path / "proposal.h5", "w") as file:
        for number in range(1, 9):
            file[f"bone_0001_{number}.1"] = h5py.ExternalLink("bone_0001.h5", f"/{number}.1")
    found = scans.describe(tmp_path / "proposal.h5")
    assert [one.name for one in found] == ["bone_0001_3.1", "bone_0001_1.1", "bone_0001_2.1"]
    np.testing.assert_array_equal(scans.arrays(found[0])["frames"][:, 0, 0], 100 + np.arange(7))


def change(path: Path, changes: Mapping[str, Any]) -> None:
    with h5py.File(path, "r+") as file:
        for place, value in changes.items():
            if place in file:
                del file[place]
            if value is not None:
                file[place] = value


def test_borders_of_frames_are_said(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    change(path, {"6.1/instrument/hrsrot/value": np.linspace(0, 180, 8)})
    found = scans.describe(path)[0]
    assert {"angles-are-borders", "angle-unit-assumed"} <= set(scans.codes(found))
    np.testing.assert_allclose(scans.arrays(found)["angles"], np.linspace(0, 180, 8)[:7])


def test_frames_that_are_not_there_are_flagged_and_never_zeros(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "scan0006" / "pco_0000.h5").unlink()
    found = scans.describe(path)[0]
    assert "missing-source" in scans.codes(found)
    with pytest.raises(MissingSource, match=r"scan0006/pco_0000\.h5"):
        scans.arrays(found)


def test_flats_behind_a_dangling_link_are_left_out(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    gone = h5py.ExternalLink("nowhere.h5", "/data")
    change(path, {"7.1/instrument/pco/data": gone})
    found = scans.describe(path)[0]
    assert {"missing-source", "frames-left-out"} <= set(scans.codes(found))
    assert len(scans.arrays(found)["flats"]) == 3
    path = write(tmp_path / "other")
    change(path, {"6.1/instrument/pco/data": gone})
    with pytest.raises(MissingSource, match="the projections"):
        scans.describe(path)


def test_without_projections_or_angles(scans: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    change(path, {f"6.1/{n}": None for n in ("measurement/hrsrot", "instrument/hrsrot")})
    with pytest.raises(MissingMetadata, match="no positions of a rotation motor"):
        scans.describe(path)
    path = write(tmp_path / "other")
    change(path, {"6.1": None})
    with pytest.raises(MissingMetadata, match="no projections"):
        scans.describe(path)


def test_ingested_as_datasets_of_their_own(tmp_path: Path) -> None:
    als = lightwell.open()
    found = als.ingest(write(tmp_path))
    assert {(d.importer, d.entry.definition_name) for d in found} == {
        ("bliss-tomography", "NXtomo"),
        ("bliss-tomography", None),
    }
    [tomo] = [d for d in found if d.entry.definition_name]
    assert als.array(tomo, "instrument.detector.data").read((slice(5, 6),)).mean() == 100
