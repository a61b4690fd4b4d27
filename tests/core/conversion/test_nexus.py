"""Self-contained NeXus: valid, whole, the same when ingested, whatever it was made from."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from lightwell.conversion import ConvertedEntry, Copy, convert
from lightwell.datasets import Dataset
from lightwell.errors import Conflict, InputError, LightwellError, MissingSource
from lightwell.files import File
from lightwell.manifests import build_manifest
from lightwell.model import ArrayRef
from lightwell.nexus.validation import validate
from lightwell.plain_nexus import PlainNexus
from lightwell.stacks import ArrayInMemory, open_array
from lightwell_tomography.products import Scan


def arrays(dataset: Any) -> dict[str, Any]:
    found = Scan.load(dataset.entry, lambda ref: open_array(ref, dataset.manifest))
    return {name: lazy.read() for name, lazy in found.items()}


def assert_alike(one: Any, other: Any) -> None:
    """The same products, search fields, originals and flags."""
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    assert one.entry.canonical() == other.entry.canonical()
    assert one.entry.original == other.entry.original
    assert one.entry.flags == other.entry.flags
    assert type(one.entry) is type(other.entry)


def errors(path: Path) -> list[Any]:
    return [one for one in validate(path).findings if one.severity in ("error", "broken")]


def ingested(session: Any, path: Path) -> Any:
    [dataset] = session.ingest(path)
    return session.get(dataset.pid)


def virtual_scan(folder: Path) -> Path:
    """A master whose frames are external, in two files, and whose angles are behind a link."""
    for number in range(2):
        with h5py.File(folder / f"frames_{number}.h5", "w") as file:
            frames = np.arange(6 * 4 * 5).reshape(6, 4, 5) + 1000 * number
            file.create_dataset("d", data=frames.astype(np.uint16), chunks=(1, 4, 5))
    layout = h5py.VirtualLayout((12, 4, 5), np.uint16)
    for number in range(2):
        source = h5py.VirtualSource(f"frames_{number}.h5", "d", (6, 4, 5))
        layout[6 * number : 6 * number + 6] = source
    with h5py.File(folder / "angles.h5", "w") as file:
        file["a"] = np.linspace(0, 180, 12)
        file["a"].attrs["units"] = "degree"
    with h5py.File(folder / "master.nxs", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        entry["odd_value"] = 17
        entry["title"] = "two files"
        for name, nx_class in (("instrument", "NXinstrument"), ("sample", "NXsample")):
            entry.create_group(name).attrs["NX_class"] = nx_class
        entry["sample/name"] = "wood"
        entry["sample/rotation_angle"] = h5py.ExternalLink("angles.h5", "/a")
        detector = entry["instrument"].create_group("detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector.create_virtual_dataset("data", layout)
        detector["image_key"] = np.array([2, 1, *[0] * 9, 1])
    return folder / "master.nxs"


def tiff_scan(folder: Path) -> Path:
    place = folder / "images"
    place.mkdir()
    for kind, count, level in (("dark", 2, 1), ("flat", 2, 900), ("proj", 5, 400)):
        for number in range(count):
            image = np.full((4, 6), level + number, np.uint16)
            tifffile.imwrite(place / f"{kind}_{number:03d}.tif", image)
    return place


def test_a_scan_is_the_same_scan_in_one_file(session: Any, scan: Any, tmp_path: Path) -> None:
    done = convert(scan, "nexus", tmp_path / "whole.nxs")
    Path(scan.path).unlink()
    # A name is nothing that a description may depend on.
    moved = done.path.rename(tmp_path / "anything else.h5")
    assert errors(moved) == []
    # Its own file is gone: the arrays of the original are put back for the comparison.
    other = ingested(session, moved)
    assert other.importer == "lightwell-nxtomo"
    assert other.entry.canonical() == scan.entry.canonical()
    assert len(other.manifest.files) == 1
    assert arrays(other)["frames"].shape == (9, 3, 32)


def test_products_and_description_are_the_same(session: Any, scan: Any, tmp_path: Path) -> None:
    convert(scan, "nexus", tmp_path / "whole.nxs")
    other = ingested(session, tmp_path / "whole.nxs")
    assert_alike(scan, other)
    convert(other, "nexus", tmp_path / "again.nxs")
    assert_alike(scan, ingested(session, tmp_path / "again.nxs"))


def test_links_and_virtual_arrays_become_arrays(session: Any, tmp_path: Path) -> None:
    scan = ingested(session, virtual_scan(tmp_path))
    done = convert(scan, "nexus", tmp_path / "whole.nxs")
    with h5py.File(done.path) as file:
        data = file["entry/instrument/detector/data"]
        assert (data.is_virtual, data.chunks) == (False, (1, 4, 5))
        assert isinstance(file["entry/sample/rotation_angle"], h5py.Dataset)
        assert file.get("entry/sample/rotation_angle", getlink=True).__class__ is h5py.HardLink
    assert errors(done.path) == []
    other = ingested(session, done.path)
    assert_alike(scan, other)
    assert other.entry.lookup("original./entry/odd_value") == 17


def test_two_links_to_one_array_are_copied_once(session: Any, tmp_path: Path) -> None:
    path = virtual_scan(tmp_path)
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["d"] = np.zeros((12, 4, 5), np.uint16)
    with h5py.File(path, "a") as file:
        del file["entry/instrument/detector/data"]
        plot = file["entry"].create_group("plot")
        plot.attrs.update(NX_class="NXdata", signal="data")
        for name in ("instrument/detector/data", "plot/data"):
            file["entry"][name] = h5py.ExternalLink("frames.h5", "/d")
    scan = ingested(session, path)
    for to in ("nexus", "dxchange"):
        known = session.installation.plugins.converters
        done = convert(scan, to, tmp_path / f"{to}.h5", converters=known, compression="none")
        with h5py.File(done.path) as file:
            assert file["entry/plot/data"] == file["entry/instrument/detector/data"]
            assert file["entry/plot/data"].attrs["target"] in file
        assert errors(done.path) == []
        assert_alike(scan, ingested(session, done.path))


def test_what_no_plugin_knows_is_read_again_all_the_same(session: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.nxs", "w") as file:
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="plot")
        plot = entry.create_group("plot")
        plot.attrs.update(NX_class="NXdata", signal="counts")
        plot["counts"] = np.arange(12.0).reshape(3, 4)
    [found] = PlainNexus().describe(File(tmp_path / "scan.nxs"))
    manifest = build_manifest(found.root, [("scan.nxs", "master")])
    dataset = Dataset.of(found.entry, manifest, kind="raw", importer="t", path="x", owner="mia")
    done = convert(dataset, "nexus", tmp_path / "whole.nxs")
    assert ConvertedEntry().claims(File(done.path))
    [again] = ConvertedEntry().describe(File(done.path))
    assert again.entry.original == found.entry.original
    manifest = build_manifest(again.root, [("whole.nxs", "master")])
    ref = again.entry.data["plot"].fields["counts"]
    np.testing.assert_array_equal(open_array(ref, manifest).read().ravel(), np.arange(12.0))


def test_a_folder_of_images_becomes_nexus(session: Any, tmp_path: Path) -> None:
    given = {"first_angle": 0, "last_angle": 180, "sample": "wood", "pixel_size": 1e-6}
    [found] = session.ingest(tiff_scan(tmp_path), **given)
    scan = session.get(found.pid)
    done = convert(scan, "nexus", tmp_path / "whole.nxs")
    assert errors(done.path) == []
    with h5py.File(done.path) as file:
        plot = file["entry/data"]
        assert plot.attrs["signal"] == "data"
        assert list(plot.attrs["axes"]) == ["rotation_angle", ".", "."]
        assert plot["data"].shape == (9, 4, 6)
        assert plot["image_key"][:].tolist() == [2, 2, 1, 1, 0, 0, 0, 0, 0]
    assert_alike(scan, ingested(session, done.path))


def test_where_it_comes_from_is_told(scan: Any, tmp_path: Path) -> None:
    done = convert(scan, "nexus", tmp_path / "whole.nxs", compression="gzip")
    with h5py.File(done.path) as file:
        facts = json.loads(file["entry/conversion/data"][()])
        assert file["entry/instrument/detector/data"].compression == "gzip"
    assert facts["pid"] == scan.pid
    assert facts["manifest"] == scan.summary.digest
    assert facts["compression"] == "gzip"


def test_frames_are_compressed_one_per_chunk_for_detectors_readers(
    scan: Any, tmp_path: Path
) -> None:
    convert(scan, "nexus", tmp_path / "whole.nxs")
    with h5py.File(tmp_path / "whole.nxs") as file:
        data = file["entry/instrument/detector/data"]
        [code] = [data.id.get_create_plist().get_filter(0)[0]]
        assert (data.chunks, code) == ((1, 3, 32), 32008)


def test_the_same_scan_gives_the_same_bytes(scan: Any, tmp_path: Path) -> None:
    one = convert(scan, "nexus", tmp_path / "a" / ".." / "one.nxs")
    (tmp_path / "two").mkdir()
    two = convert(scan, "nexus", tmp_path / "two" / "one.nxs")
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_result_keeps_what_its_definition_asks_for(
    session: Any, scan: Any, tmp_path: Path
) -> None:
    result = session.run("tomography.gridrec", scan, rotation_axis=15.5).result()
    result = session.get(result.pid)
    done = convert(result, "nexus", tmp_path / "volume.nxs")
    assert errors(done.path) == errors(Path(result.path)) == []
    with h5py.File(done.path) as file:
        volume = file["entry/data/data"]
        assert (volume.shape, volume.is_virtual) == ((3, 32, 32), False)
        np.testing.assert_array_equal(volume[()], session.array(result).read())


def test_frames_are_copied_a_slab_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwell.conversion.copying._SLAB_BYTES", 1000)
    values = np.arange(50 * 10 * 10, dtype=np.uint8).reshape(50, 10, 10)
    read: list[int] = []

    class Counted(ArrayInMemory):
        def read(self, selection: Any = ()) -> Any:
            found = super().read(selection)
            read.append(found.nbytes)
            return found

    told: list[Any] = []

    def never(ref: ArrayRef) -> Any:
        raise AssertionError(ref)

    with h5py.File(tmp_path / "a.h5", "w") as file:
        copy = Copy(never, "bitshuffle-lz4", told.append)
        written = copy.array(file, "frames", Counted(values), unit="counts")
        np.testing.assert_array_equal(written[()], values)
    assert read == [1000] * 5
    assert [event["done"] for event in told] == [10, 20, 30, 40, 50]


def test_a_missing_source_leaves_nothing(session: Any, tmp_path: Path) -> None:
    scan = ingested(session, virtual_scan(tmp_path))
    (tmp_path / "frames_1.h5").unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MissingSource, match=r"frames_1\.h5"):
        convert(scan, "nexus", tmp_path / "whole.nxs")
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(scan: Any, tmp_path: Path, full_disk: Any) -> None:
    before = sorted(tmp_path.iterdir())
    with full_disk(8000), pytest.raises(InputError, match="disk is full"):
        convert(scan, "nexus", tmp_path / "whole.nxs", compression="none")
    assert sorted(tmp_path.iterdir()) == before
    assert convert(scan, "nexus", tmp_path / "whole.nxs").path.is_file()


def test_what_stands_there_stays(scan: Any, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        convert(scan, "nexus", scan.path)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"to": "nexsu"}, "nexus"), ({"to": "nexus", "compression": "zip"}, "bitshuffle-lz4")],
)
def test_wrong_wishes_are_refused(scan: Any, tmp_path: Path, given: Any, message: str) -> None:
    with pytest.raises(LightwellError, match=message):
        convert(scan, path=tmp_path / "whole.nxs", **given)
    assert not (tmp_path / "whole.nxs").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="where nobody may write, on Linux")
def test_nobody_writes_where_it_is_not_allowed(scan: Any) -> None:
    with pytest.raises(InputError, match="written"):
        convert(scan, "nexus", "/proc/whole.nxs")
