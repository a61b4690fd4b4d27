"""What stands in the files: links, attributes, foreign layouts."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import Conflict, InputError, UnreadableFile
from lightwell.hdf5 import Hdf5Array, is_hdf5, open_file, writing
from lightwell.model import (
    ArrayRef,
    Cite,
    Data,
    Detector,
    Entry,
    Instrument,
    Monochromator,
    Note,
    Parameter,
    Parameters,
    Process,
    Sample,
    Source,
)
from lightwell.nexus import add_entry, entry_names, read_entry, write_entry

REPOSITORY = Path(__file__).parents[3]
DATA = Path(os.environ.get("LIGHTWELL_DATA", REPOSITORY.parent / "shared" / "data"))
K11 = DATA / "tomography" / "diamond_k11" / "k11-18014.nxs"
FOREIGN = sorted(path for path in DATA.rglob("*") if is_hdf5(path)) if DATA.is_dir() else []


def scan(folder: Path) -> Entry:
    with writing(folder / "raw" / "scan.h5", replace=True) as file:
        file["exchange/data"] = np.arange(4 * 2 * 3, dtype="u2").reshape(4, 2, 3)
        file["exchange/white"] = np.ones((2, 2, 3), dtype="u2")
    data = ArrayRef.hdf5("raw/scan.h5", "/exchange/data", (4, 2, 3), "uint16", "counts")
    white = ArrayRef.hdf5("raw/scan.h5", "/exchange/white", (2, 2, 3), "uint16", "counts")
    frames = ArrayRef.concatenate(data, white)
    angles = ArrayRef.concatenate(
        ArrayRef.even(0, 90, 4, "degree"), ArrayRef.constant(0, 2, "degree")
    )
    return Entry(
        title="a scan",
        instrument=Instrument(
            name="2-BM",
            source=Source(name="APS", type="Synchrotron X-ray Source", probe="x-ray"),
            monochromator=Monochromator(energy=19_260.0),
            detector=Detector(data=frames, x_pixel_size=6.7e-6, count_time=0.17),
            detectors={"raw": Detector(data=data)},
        ),
        sample=Sample(name="tooth", rotation_angle=angles, temperature=293.15),
        process={
            "reconstruction": Process(
                program="lightwell",
                sequence_index=1,
                parameters=Parameters(
                    values={
                        "rotation_axis": Parameter(value=295.5, unit="pixel"),
                        "filter": Parameter(value="hann"),
                        "rows": Parameter(value=(1, 2)),
                    }
                ),
                notes={"recipe": Note(type="application/json", data="{}")},
                cites={"paper": Cite(doi="10.1/x")},
            )
        },
        data={
            "data": Data(
                signal="data",
                axes=("rotation_angle", "y", "x"),
                fields={"data": frames, "rotation_angle": angles},
                long_names={"data": "counts"},
            )
        },
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_entry(tmp_path / "entries" / "scan.nxs", scan(tmp_path), tmp_path)


def test_a_viewer_finds_what_to_show(written: Path) -> None:
    with open_file(written) as file:
        assert file.attrs["NX_class"] == "NXroot"
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert data.attrs["signal"] == "data"
        assert list(data.attrs["axes"]) == ["rotation_angle", ".", "."]
        assert data.attrs["rotation_angle_indices"] == 0
        assert data["data"].shape == (6, 2, 3)
        assert data["data"].attrs["units"] == "counts"
        assert data["data"].attrs["interpretation"] == "image"
        assert data["data"].attrs["long_name"] == "counts"
        assert data["rotation_angle"][:].tolist() == [0, 30, 60, 90, 0, 0]
        assert entry["sample/rotation_angle"].attrs["units"] == "degree"


def test_arrays_are_linked_not_copied(written: Path) -> None:
    with open_file(written) as file:
        detector = file["entry/instrument/detector/data"]
        assert detector.is_virtual
        assert {source.file_name for source in detector.virtual_sources()} == {"../raw/scan.h5"}
        link = file["entry/instrument/raw"].get("data", getlink=True)
        assert (link.filename, link.path) == ("../raw/scan.h5", "/exchange/data")
        soft = file["entry/data"].get("data", getlink=True)
        assert isinstance(soft, h5py.SoftLink)
        assert file[soft.path].attrs["target"] == soft.path == "/entry/instrument/detector/data"
    frames = Hdf5Array.find(written, "/entry/data/data")
    assert frames.read()[4:].tolist() == np.ones((2, 2, 3)).tolist()


def test_both_folders_can_be_moved_together(written: Path, tmp_path: Path) -> None:
    expected = Hdf5Array.find(written, "/entry/data/data").read()
    moved = tmp_path.with_name(f"{tmp_path.name}_moved")
    tmp_path.rename(moved)
    found = Hdf5Array.find(moved / "entries" / "scan.nxs", "/entry/data/data").read()
    assert np.array_equal(found, expected)
    assert read_entry(moved / "entries" / "scan.nxs") == scan(moved)


def test_groups_have_classes_and_units(written: Path) -> None:
    with open_file(written) as file:
        entry = file["entry"]
        for path, nx_class in {
            "instrument/source": "NXsource",
            "instrument/raw": "NXdetector",
            "process": None,
            "reconstruction": "NXprocess",
            "reconstruction/parameters": "NXparameters",
            "reconstruction/recipe": "NXnote",
            "reconstruction/paper": "NXcite",
        }.items():
            assert nx_class is None or entry[path].attrs["NX_class"] == nx_class
        assert entry["instrument/monochromator/energy"].attrs["units"] == "eV"
        assert entry["reconstruction/parameters/rotation_axis"].attrs["units"] == "pixel"
        assert entry["lightwell/type"][()] == b"application/json"
        assert entry["lightwell/data"].dtype.kind == "S"


def test_the_groups_alone_tell_nearly_everything(written: Path) -> None:
    with open_file(written, "r+") as file:
        del file["entry/lightwell"]
    entry, wanted = read_entry(written), scan(written.parent.parent)
    assert entry.flags == ()
    assert entry.sample is not None
    assert isinstance(entry.sample.rotation_angle, ArrayRef)
    assert entry.canonical() == wanted.canonical()
    assert entry.process == wanted.process
    assert entry.data["data"].axes == ("rotation_angle", ".", ".")
    assert entry.data["data"].fields["data"].shape == (6, 2, 3)
    assert entry.original["/entry/sample/temperature"].field == "sample.temperature"
    assert entry.lookup("instrument.detectors.raw.data").shape == (4, 2, 3)


def test_frames_of_tiff_files_stay_in_the_description(tmp_path: Path) -> None:
    frames = ArrayRef.frames("projection", (3, 4, 5), "uint16", container="tiff")
    entry = Entry(data={"data": Data(signal="data", fields={"data": frames})})
    path = write_entry(tmp_path / "a.nxs", entry)
    with open_file(path) as file:
        assert list(file["entry/data"]) == []
        assert "signal" not in file["entry/data"].attrs
    assert read_entry(path) == entry


def test_arrays_a_file_holds_already_stay(tmp_path: Path) -> None:
    ref = ArrayRef.hdf5("result.nxs", "/entry/data/volume", (2, 3), "float64")
    entry = Entry(data={"data": Data(signal="volume", fields={"volume": ref, "again": ref})})
    with writing(tmp_path / "result.nxs") as file:
        file["entry/data/volume"] = np.ones((2, 3))
        add_entry(file, entry, path=tmp_path / "result.nxs")
    with open_file(tmp_path / "result.nxs") as file:
        assert file["entry/data/volume"][0, 0] == 1
        assert file["entry/data/again"][0, 0] == 1
        assert file["entry/data/volume"].attrs["target"] == "/entry/data/volume"


def test_a_manifest_is_a_root(tmp_path: Path) -> None:
    class Manifest:
        root = tmp_path.as_uri()

    path = write_entry(tmp_path / "x" / "a.nxs", scan(tmp_path), Manifest())
    assert Hdf5Array.find(path, "/entry/data/data").shape == (6, 2, 3)


def test_nothing_is_overwritten_silently(written: Path) -> None:
    with pytest.raises(Conflict):
        write_entry(written, Entry())
    write_entry(written, Entry(title="new"), replace=True)
    assert read_entry(written).title == "new"


def test_entries_are_found_by_name(tmp_path: Path) -> None:
    with writing(tmp_path / "a.nxs") as file:
        for name in ("first", "second"):
            group = file.create_group(name)
            group.attrs["NX_class"] = np.bytes_("NXentry")
            group["title"] = name
        file.attrs["default"] = "second"
    assert entry_names(tmp_path / "a.nxs") == ("second", "first")
    assert [flag.code for flag in read_entry(tmp_path / "a.nxs").flags] == ["several-entries"]
    assert read_entry(tmp_path / "a.nxs", "first").title == "first"
    with pytest.raises(InputError, match="no entry 'third'"):
        read_entry(tmp_path / "a.nxs", "third")


def test_a_foreign_schema_is_used_or_remembered(tmp_path: Path) -> None:
    class Tomography(Entry, definition="NXtomo"):
        pass

    with writing(tmp_path / "a.nxs") as file:
        group = file.create_group("entry")
        group.attrs["NX_class"] = "NXentry"
        group["definition"] = [np.bytes_("NXtomo")]
    assert type(read_entry(tmp_path / "a.nxs", schemas={"NXtomo": Tomography})) is Tomography
    plain = read_entry(tmp_path / "a.nxs")
    assert plain.definition_name == "NXtomo"
    again = write_entry(tmp_path / "b.nxs", plain)
    assert read_entry(again, schemas={"NXtomo": Tomography}).definition == "NXtomo"


@pytest.mark.skipif(not K11.is_file(), reason=f"no {K11}")
def test_k11_opens_and_its_dangling_links_are_flagged() -> None:
    entry = read_entry(K11)
    detector: Any = entry.lookup("instrument.detector")
    assert detector.group_name == "imaging"
    assert detector.data.shape == (3201, 22, 26)
    assert entry.lookup("instrument.detectors.EtherCAT.data") is None
    missing = [flag.message for flag in entry.flags if flag.code == "missing-source"]
    assert any("k11-18014-EtherCAT.h5 does not exist" in message for message in missing)
    assert any("k11-18014-detectorPanda.h5 does not exist" in message for message in missing)
    assert entry.canonical()["proposal"] == "mg32775-1"
    assert entry.original["/entry/instrument/dcm1/dcm1_pitch\n\t\t\t\t\t\t\t\t"].unit == "deg"
    assert len(str(entry.document())) < 64_000


@pytest.mark.skipif(not FOREIGN, reason=f"no HDF5 files below {DATA}")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(DATA)))
def test_real_files_survive(path: Path, tmp_path: Path) -> None:
    names = entry_names(path)
    if not names:
        with pytest.raises(UnreadableFile, match="no NXentry"):
            read_entry(path)
    for name in names[:3]:
        entry = read_entry(path, name)
        copy = write_entry(tmp_path / f"{names.index(name)}.nxs", entry, path.parent)
        assert read_entry(copy) == entry
        for data in entry.data.values():
            for ref in data.fields.values():
                array = Hdf5Array.find(path.parent / ref.files[0], ref.parts[0].path)  # type: ignore[union-attr]
                assert array.shape == ref.shape
