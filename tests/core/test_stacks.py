import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.errors import MissingSource, ParameterError, UnreadableFile
from lightwell.files import File
from lightwell.manifests import Manifest, ManifestFile, build_manifest
from lightwell.model.arrays import ArrayRef, FilePart, SeriesPart
from lightwell.stacks import ArrayInMemory, LazyArray, open_array, take

FRAMES = np.arange(6 * 3 * 4, dtype=np.uint16).reshape(6, 3, 4)


def manifest_of(folder: Path, **roles: list[str]) -> Manifest:
    files = [
        ManifestFile(name, role, (folder / name).stat().st_size)
        for role, names in roles.items()
        for name in names
    ]
    return Manifest(File(folder).url, tuple(files))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = FRAMES
        file["big"] = FRAMES.astype(">u2")
        for number, frame in enumerate(FRAMES):
            file[f"images/{number}"] = frame
    for number, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"p{number}.tif", frame)
        with h5py.File(tmp_path / f"e{number}.h5", "w") as file:
            file["data"] = frame
    return manifest_of(
        tmp_path,
        master=["a.h5"],
        projection=[f"p{number}.tif" for number in range(6)],
        external=[f"e{number}.h5" for number in range(6)],
    )


def whole(path: str = "data") -> ArrayRef:
    return ArrayRef.hdf5("a.h5", path, FRAMES.shape, "uint16")


REFS: dict[str, tuple[ArrayRef, np.ndarray[Any, Any]]] = {
    "hdf5": (whole(), FRAMES),
    "another byte order": (
        ArrayRef.hdf5("a.h5", "big", FRAMES.shape, ">u2"), FRAMES),
    "tiff folder": (
        ArrayRef.frames("projection", FRAMES.shape, "uint16", container="tiff"), FRAMES),
    "a frame per file": (
        ArrayRef(shape=FRAMES.shape, dtype="uint16",
                 parts=(FilePart(role="external", path="data"),)), FRAMES),
    "a frame per HDF5 dataset": (
        ArrayRef.stack(*(ArrayRef.hdf5("a.h5", f"images/{n}", (3, 4), "uint16") for n in range(6))),
        FRAMES),
    "joined": (
        ArrayRef.concatenate(
            ArrayRef(shape=(2, 3, 4), dtype="uint16",
                     parts=(FilePart(file="a.h5", path="data", start=1, count=2),)),
            ArrayRef.frames("projection", FRAMES.shape, "uint16", container="tiff"),
            whole(),
        ),
        np.concatenate([FRAMES[1:3], FRAMES, FRAMES])),
    "even": (ArrayRef.even(0, 180, 7), np.array(ArrayRef.even(0, 180, 7).parts[0].values)),
    "even and constant": (
        ArrayRef.concatenate(ArrayRef.even(0.1, 0.7, 4), ArrayRef.constant(5, 3)),
        np.array([*ArrayRef.even(0.1, 0.7, 4).parts[0].values, 5, 5, 5])),
}  # fmt: skip


@pytest.mark.parametrize("name", REFS)
def test_any_layout_is_one_array(manifest: Manifest, name: str) -> None:
    ref, expected = REFS[name]
    lazy = open_array(ref, manifest)
    assert isinstance(lazy, LazyArray)
    assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
    lazy = pickle.loads(pickle.dumps(lazy))  # noqa: S301
    length = len(expected)
    last = (slice(1, 3),) if expected.ndim > 1 else ()
    selections: list[tuple[Any, ...]] = [
        (),
        (slice(1, length, 2),),
        (slice(1, 4), *last),
        (np.array([length - 1, 0, 2, 2, 1]), *last),
        (np.array([-1, 0]),),
        (slice(3, 3), *last),
        (np.array([], dtype=int),),
    ]
    for selection in selections:
        read = lazy.read(selection)
        np.testing.assert_array_equal(read, expected[selection], err_msg=str(selection))
        assert read.dtype == expected.dtype
        assert read.dtype.isnative


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_taking_twice_is_taking_once(data: st.DataObject) -> None:
    values = np.arange(20).reshape(10, 2)
    first = data.draw(st.lists(st.integers(-10, 9), min_size=1, max_size=12))
    second = data.draw(st.lists(st.integers(-len(first), len(first) - 1), max_size=12))
    lazy = take(take(ArrayInMemory(values), first), second)
    np.testing.assert_array_equal(lazy.read(), values[first][np.array(second, dtype=int)])
    np.testing.assert_array_equal(
        lazy.read((slice(1, None), slice(0, 1))), values[first][np.array(second, dtype=int)][1:, :1]
    )


def test_only_what_is_needed_is_read(manifest: Manifest, tmp_path: Path) -> None:
    lazy = open_array(REFS["joined"][0], manifest)
    (tmp_path / "p3.tif").unlink()
    (tmp_path / "e3.h5").unlink()
    np.testing.assert_array_equal(lazy.read((slice(0, 5),)), REFS["joined"][1][:5])
    with pytest.raises(MissingSource, match=r"p3\.tif"):
        lazy.read((slice(5, 6),))
    frames = open_array(REFS["a frame per file"][0], manifest)
    with pytest.raises(MissingSource, match=r"e3\.h5"):
        frames.read((slice(3, 4),))
    (tmp_path / "a.h5").unlink()
    with pytest.raises(MissingSource, match=r"a\.h5 is listed in the manifest"):
        open_array(whole(), manifest)


def test_another_shape_than_described(manifest: Manifest) -> None:
    with pytest.raises(UnreadableFile, match="ingest them again"):
        open_array(ArrayRef.hdf5("a.h5", "data", (6, 3, 5), "uint16"), manifest)
    with pytest.raises(UnreadableFile, match="ingest them again"):
        open_array(ArrayRef.hdf5("a.h5", "data", (7, 3, 4), "uint16"), manifest)
    with pytest.raises(UnreadableFile, match="kind 'cbf'"):
        open_array(ArrayRef.frames("projection", FRAMES.shape, "uint16", container="cbf"), manifest)
    with pytest.raises(MissingSource, match="no file of the role 'flat'"):
        open_array(ArrayRef.frames("flat", (1, 3, 4), "uint16", container="tiff"), manifest)


def test_selections_out_of_bounds(manifest: Manifest) -> None:
    lazy = open_array(REFS["joined"][0], manifest)
    with pytest.raises(ParameterError, match="index 14 of an axis of length 14"):
        lazy.read((np.array([14]),))
    with pytest.raises(ParameterError, match="slices with positive steps"):
        lazy.read((slice(None), slice(None, None, -1)))
    with pytest.raises(ParameterError, match="index 9"):
        take(ArrayInMemory(FRAMES), [9])


@pytest.mark.parametrize("new_axis", [False, True])
def test_a_series_of_numbered_datasets_is_one_stack(tmp_path: Path, new_axis: bool) -> None:
    frames = np.arange(5 * 3 * 4, dtype=np.uint16).reshape(5, 3, 4)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        for i, frame in enumerate(frames):
            file[f"scan/scan_0000_{2 * i + 4:04d}.tif"] = frame if new_axis else frame[None]
    part = SeriesPart(
        file="scan.h5", path="/scan/scan_0000_{:04d}.tif", first=4, step=2, count=5,
        new_axis=new_axis,
    )  # fmt: skip
    ref = ArrayRef(shape=(5, 3, 4), dtype="uint16", parts=(part,))
    manifest = build_manifest(File(tmp_path), [("scan.h5", "master")])
    stack = open_array(ref, manifest)
    np.testing.assert_array_equal(stack.read(), frames)
    np.testing.assert_array_equal(stack.read((slice(3, 0, None),)), frames[3:0])
    np.testing.assert_array_equal(stack.read((np.array([4, 1]), slice(1, 3))), frames[[4, 1], 1:3])
