"""NXtomo masters as beamlines write them, good and bad."""

from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import InputError, MissingMetadata, MissingSource
from lightwell.manifests import build_manifest, verify

FRAMES = "instrument/detector/data"
KEY = "instrument/detector/image_key"
ANGLES = "sample/rotation_angle"


def test_kinds_of_frame_are_told_apart_by_the_key(scans: Any) -> None:
    [found] = scans.describe(scans.nxtomo())
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"], scans.stack(9, 100))
    np.testing.assert_array_equal(arrays["flats"][:, 0, 0], [1000, 1001, 1002, 1003])
    np.testing.assert_array_equal(arrays["angles"], scans.theta)
    np.testing.assert_array_equal(arrays["flat_average"], [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    assert scans.codes(found) == []


def test_frames_marked_invalid_are_left_out(scans: Any) -> None:
    key = np.array([2, 2, 1, 1, 0, 3, *[0] * 7, 1, 3])
    arrays = scans.arrays(scans.describe(scans.nxtomo({KEY: key}))[0])
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], [100, *range(102, 109)])
    np.testing.assert_array_equal(arrays["angles"], np.delete(scans.theta, 1))
    assert len(arrays["flats"]) == 3


@pytest.mark.parametrize("strange", [-1, 7, 0.5, np.nan])
def test_a_key_without_meaning_is_flagged_and_its_frame_left_out(
    scans: Any, strange: float
) -> None:
    key = np.array([2, 2, 1, 1, strange, *[0] * 8, 1, 1])
    [found] = scans.describe(scans.nxtomo({KEY: key}))
    assert scans.codes(found) == ["image-key-unknown"]
    assert len(scans.arrays(found)["frames"]) == 8


def test_a_scan_without_flats_is_described_flagged_and_not_reconstructed(scans: Any) -> None:
    key = np.array([2, 2, 3, 3, *[0] * 9, 3, 3])
    [found] = scans.describe(scans.nxtomo({KEY: key}))
    assert scans.codes(found) == ["kind-of-frame-missing"]
    with pytest.raises(MissingMetadata, match="no flat fields"):
        scans.arrays(found)


def test_a_key_of_another_length_is_refused(scans: Any) -> None:
    with pytest.raises(InputError, match="14 image keys for 15 frames"):
        scans.describe(scans.nxtomo({KEY: np.zeros(14, int)}))


def test_frames_that_are_no_stack_are_refused(scans: Any) -> None:
    with pytest.raises(InputError, match=r"no stack of numbers \(frame, row, x\)"):
        scans.describe(scans.nxtomo({FRAMES: np.zeros((15, 4))}))


def test_a_person_gives_angles_to_the_projections_alone(scans: Any) -> None:
    path = scans.nxtomo({ANGLES: None})
    with pytest.raises(MissingMetadata, match="15 frames, 9 of them projections") as caught:
        scans.describe(path)
    assert "first_angle=0" in str(caught.value)
    [found] = scans.describe(path, first_angle=0.0, last_angle=80.0)
    np.testing.assert_allclose(scans.arrays(found)["angles"], np.arange(9) * 10.0)


def test_one_angle_for_each_projection_is_enough(scans: Any) -> None:
    [found] = scans.describe(scans.nxtomo({ANGLES: (scans.theta, "degree")}))
    np.testing.assert_array_equal(scans.arrays(found)["angles"], scans.theta)


def test_angles_of_another_length_are_refused(scans: Any) -> None:
    with pytest.raises(MissingMetadata, match=r"rotation_angle has the shape \(12,\)"):
        scans.describe(scans.nxtomo({ANGLES: (np.arange(12.0), "degree")}))


def test_angles_in_radian_are_read_in_degree(scans: Any) -> None:
    radian = np.deg2rad(np.concatenate([[0] * 4, scans.theta, [180] * 2]))
    [found] = scans.describe(scans.nxtomo({ANGLES: (radian, "rad")}))
    np.testing.assert_allclose(scans.arrays(found)["angles"], scans.theta, atol=1e-12)


def test_angles_without_unit_are_degree_and_flagged(scans: Any) -> None:
    [found] = scans.describe(scans.nxtomo({ANGLES: np.linspace(0, 180, 15)}))
    assert scans.codes(found) == ["angle-unit-assumed"]


@pytest.mark.parametrize("definition", ["NXtomo", np.array([b"NXtomo"]), None])
def test_the_definition_may_be_written_in_any_way_or_not_at_all(
    scans: Any, definition: Any
) -> None:
    [found] = scans.describe(scans.nxtomo({"definition": definition}))
    assert found.entry.definition_name == "NXtomo"
    assert "definition" not in found.entry.unknown
    assert len(scans.arrays(found)["frames"]) == 9


@pytest.mark.parametrize("definition", ["NXtomoproc", np.array([b"NXtomoproc"])])
def test_a_reconstruction_is_no_scan(scans: Any, definition: Any) -> None:
    assert scans.claiming(scans.nxtomo({"definition": definition})) == []


def test_every_entry_with_frames_becomes_a_dataset(scans: Any) -> None:
    values = {
        **scans.nxtomo_values(entry="/first"),
        **scans.nxtomo_values({"instrument/detector/image_key": None}, entry="/no_key"),
        **scans.nxtomo_values({"title": "the second"}, entry="/second"),
        "@default": "second",
    }
    found = scans.describe(scans.write("several.nxs", values))
    assert [one.name for one in found] == ["second", "first"]
    assert [one.entry.title for one in found] == ["the second", None]
    for one in found:
        np.testing.assert_array_equal(scans.arrays(one)["angles"], scans.theta)
        assert all(key.startswith(f"/{one.name}") for key in one.entry.original)


def test_all_linked_files_are_in_the_manifest_and_others_flagged(scans: Any) -> None:
    block = scans.nxtomo_values()["/entry/instrument/detector/data"]
    scans.write("far/deep.h5", {"/frames": block})
    scans.write("far/near.h5", {"/frames": h5py.ExternalLink("deep.h5", "/frames")})
    changes = {
        FRAMES: h5py.ExternalLink("far/near.h5", "/frames"),
        "instrument/temperature": h5py.ExternalLink("gone.h5", "/value"),
    }
    [found] = scans.describe(scans.nxtomo(changes))
    assert scans.files(found) == ["nx.nxs", "far/deep.h5", "far/near.h5"]
    assert [part.role for part in found.parts] == ["master", "external", "external"]
    assert scans.codes(found) == ["missing-source"]
    np.testing.assert_array_equal(scans.arrays(found)["frames"], scans.stack(9, 100))


def test_a_change_of_a_linked_file_is_seen(scans: Any) -> None:
    block = scans.nxtomo_values()["/entry/instrument/detector/data"]
    frames = scans.write("x.h5", {"/frames": block})
    [found] = scans.describe(scans.nxtomo({FRAMES: h5py.ExternalLink("x.h5", "/frames")}))
    manifest = build_manifest(found.root, [(name, "any") for name in scans.files(found)])
    assert verify(manifest) == []
    with frames.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert [(d.name, d.what) for d in verify(manifest)] == [("x.h5", "digest")]


def test_a_scan_is_described_wherever_its_own_group_is_a_link(scans: Any) -> None:
    scans.write("real.h5", scans.nxtomo_values(entry="/scan"))
    master = scans.write("nx.nxs", {"/entry": h5py.ExternalLink("real.h5", "/scan")})
    [found] = scans.describe(master)
    assert scans.files(found) == ["nx.nxs", "real.h5"]
    np.testing.assert_array_equal(scans.arrays(found)["frames"], scans.stack(9, 100))


def test_files_above_the_master_move_the_root(scans: Any) -> None:
    block = scans.nxtomo_values()["/entry/instrument/detector/data"]
    scans.write("data/x.h5", {"/frames": block})
    link = h5py.ExternalLink("../data/x.h5", "/frames")
    [found] = scans.describe(scans.nxtomo({FRAMES: link}, name="masters/nx.nxs"))
    assert found.root.local_path() == scans.folder
    assert scans.files(found) == ["masters/nx.nxs", "data/x.h5"]
    np.testing.assert_array_equal(scans.arrays(found)["frames"], scans.stack(9, 100))


def test_an_absolute_link_is_followed_too(scans: Any) -> None:
    block = scans.nxtomo_values()["/entry/instrument/detector/data"]
    frames = scans.write("data/x.h5", {"/frames": block})
    link = h5py.ExternalLink(str(frames), "/frames")
    [found] = scans.describe(scans.nxtomo({FRAMES: link}))
    assert scans.files(found) == ["nx.nxs", "data/x.h5"]
    assert len(scans.arrays(found)["frames"]) == 9


def test_sources_of_virtual_frames_are_in_the_manifest(scans: Any) -> None:
    path = scans.nxtomo({FRAMES: None})
    layout = h5py.VirtualLayout((15, 2, 5), "uint16")
    block = scans.nxtomo_values()["/entry/instrument/detector/data"]
    for index in range(3):
        scans.write(f"part_{index}.h5", {"/f": block[index * 5 : index * 5 + 5]})
        source = h5py.VirtualSource(f"part_{index}.h5", "/f", (5, 2, 5))
        layout[index * 5 : index * 5 + 5] = source
    with h5py.File(path, "r+") as file:
        file["entry/instrument/detector"].create_virtual_dataset("data", layout)
    [found] = scans.describe(path)
    assert scans.files(found) == ["nx.nxs", "part_0.h5", "part_1.h5", "part_2.h5"]
    np.testing.assert_array_equal(scans.arrays(found)["frames"], scans.stack(9, 100))
    (scans.folder / "part_1.h5").unlink()
    [flawed] = scans.describe(path)
    assert scans.codes(flawed) == ["missing-source"]
    with pytest.raises(MissingSource, match=r"part_1\.h5"):
        scans.arrays(flawed)


def test_frames_behind_a_dangling_link_are_an_error_naming_the_file(scans: Any) -> None:
    path = scans.nxtomo({FRAMES: h5py.ExternalLink("gone.h5", "/frames")})
    assert scans.claiming(path) == ["nxtomo"]
    with pytest.raises(MissingSource, match=r"gone\.h5 does not exist"):
        scans.describe(path)


def test_the_detector_with_the_frames_is_the_main_one_and_no_other_is_lost(scans: Any) -> None:
    values = scans.nxtomo_values(
        {
            FRAMES: None,
            KEY: None,
            "instrument/detector/description": "monitor camera",
            "instrument/imaging/data": scans.nxtomo_values()["/entry/instrument/detector/data"],
            "instrument/imaging/image_key": scans.nxtomo_values()[f"/entry/{KEY}"],
            "instrument/imaging/count_time": (20.0, "ms"),
        }
    )
    values["/entry/instrument/imaging@NX_class"] = "NXdetector"
    entry = scans.describe(scans.write("two.nxs", values))[0].entry
    assert entry.instrument.detector.group_name == "imaging"
    assert entry.instrument.detectors["detector"].description == "monitor camera"
    originals = entry.original
    for key in ("imaging/count_time", "detector/description"):
        original = originals[f"/entry/instrument/{key}"]
        assert entry.lookup(original.field) is not None
    assert entry.canonical()["exposure_time"] == 0.02


def test_what_lightwell_wrote_about_a_scan_is_no_scan(scans: Any) -> None:
    from lightwell.nexus import write_entry

    [found] = scans.describe(scans.nxtomo())
    master = write_entry(scans.folder / "master.nxs", found.entry, scans.folder)
    assert scans.claiming(master) == []


def test_diamond_s_k11_scan_is_read_though_most_of_its_links_dangle(
    scans: Any, shared_data: Any
) -> None:
    [found] = scans.describe(shared_data / "tomography" / "diamond_k11" / "k11-18014.nxs")
    assert scans.files(found) == [
        "k11-18014.nxs",
        "k11-18014/k11-18014-imaging.h5",
        "k11-18014/k11-18014-pcompPanda.h5",
    ]
    assert scans.codes(found).count("missing-source") == 7
    assert found.entry.instrument.detector.group_name == "imaging"
    arrays = scans.arrays(found)
    assert len(arrays["frames"]) + len(arrays["flats"]) + len(arrays["darks"]) == 3201
    assert arrays["frames"].any()
    assert np.ptp(arrays["angles"]) > 170
