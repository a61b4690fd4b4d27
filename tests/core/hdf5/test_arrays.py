import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.errors import MissingSource, UnreadableFile
from lightwell.hdf5 import (
    Hdf5Array,
    Source,
    open_file,
    release,
    write_virtual,
    write_virtual_stack,
    writing,
)

WHOLE = np.arange(7 * 5 * 3, dtype=">u2").reshape(7, 5, 3)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arrays") / "a.h5"
    with writing(path) as file:
        file["data"] = WHOLE
        file["group/text"] = "x"
    return path


def indices(length: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-length - 2, length + 2)
    steps = st.sampled_from([None, 1, 2, 3, -1, -2])
    lists = st.lists(st.integers(-length, length - 1), max_size=length + 2)
    return st.builds(slice, ends, ends, steps) | lists.map(lambda one: np.array(one, dtype=int))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(selection=st.tuples(indices(7), indices(5), indices(3)), given_axes=st.integers(0, 3))
def test_any_selection_is_that_of_numpy(
    stored: Path, selection: tuple[Any, ...], given_axes: int
) -> None:
    wanted: Any = WHOLE
    for axis, index in enumerate(selection[:given_axes]):
        wanted = wanted[(*[slice(None)] * axis, index)]
    found = Hdf5Array.find(stored, "/data").read(selection[:given_axes])
    assert np.array_equal(found, wanted)
    assert found.dtype.isnative


def test_an_array_travels_and_is_read_by_many_threads(stored: Path) -> None:
    array = pickle.loads(pickle.dumps(Hdf5Array(str(stored), "/data")))  # noqa: S301 - our own
    assert array == Hdf5Array.find(stored, "/data")
    assert (array.shape, array.dtype) == ((7, 5, 3), np.dtype("uint16"))
    with ThreadPoolExecutor(8) as pool:
        rows = pool.map(lambda i: array.read((slice(i % 7, i % 7 + 1),))[0], range(200))
        assert all(np.array_equal(row, WHOLE[i % 7]) for i, row in enumerate(rows))


def test_beyond_the_axis(stored: Path) -> None:
    with pytest.raises(IndexError, match="axis 0"):
        Hdf5Array.find(stored, "/data").read((np.array([7]),))


def test_what_is_no_array(stored: Path) -> None:
    for inner in ("/group", "/group/text"):
        with pytest.raises(UnreadableFile):
            Hdf5Array.find(stored, inner)
    with pytest.raises(MissingSource, match="no /nothing"):
        Hdf5Array.find(stored, "/nothing/here")


def test_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for value in (1, 2):
        with writing(path, replace=True) as file:
            file["data"] = np.full(3, value)
        assert Hdf5Array.find(path, "/data").read().tolist() == [value] * 3
    with writing(path, replace=True) as file:
        file["data"] = np.zeros(4)
    with pytest.raises(UnreadableFile, match="shape"):
        Hdf5Array(str(path), "/data", (3,), np.dtype("i8")).read()


def segments(folder: Path, count: int = 3) -> list[Source]:
    for i in range(count):
        with writing(folder / f"{i}.h5") as file:
            file["part"] = np.full((2, 4), i, dtype="f4")
    return [Source(f"{i}.h5", "/part", 0, 2) for i in range(count)]


def test_a_virtual_array_and_its_missing_source(tmp_path: Path) -> None:
    with writing(tmp_path / "master.h5") as file:
        write_virtual(file, "volume", (6, 4), "f4", segments(tmp_path))
    volume = Hdf5Array.find(tmp_path / "master.h5", "/volume")
    assert volume.read()[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    (tmp_path / "1.h5").unlink()
    with pytest.raises(MissingSource, match=r"1\.h5 does not exist"):
        volume.read((slice(0, 2),))
    with writing(tmp_path / "1.h5") as file:
        file["part"] = np.full((2, 4), 9, dtype="f4")
    assert volume.read()[:, 0].tolist() == [0, 0, 9, 9, 2, 2]


def test_a_virtual_array_of_complex_numbers(tmp_path: Path) -> None:
    with writing(tmp_path / "0.h5") as file:
        file["part"] = np.arange(4, dtype="c8") * (1 + 2j)
    with writing(tmp_path / "master.h5") as file:
        write_virtual(file, "wave", (4,), "c8", [Source("0.h5", "/part", 0, 4)])
        write_virtual_stack(file, "waves", (1, 4), "c8", [[Source("0.h5", "/part", 0, 4)]])
    wave = Hdf5Array.find(tmp_path / "master.h5", "/wave")
    assert wave.read().tolist() == [0, 1 + 2j, 2 + 4j, 3 + 6j]
    assert Hdf5Array.find(tmp_path / "master.h5", "/waves").read().shape == (1, 4)
    with h5py.File(tmp_path / "master.h5") as file:
        assert np.isnan(file["wave"].fillvalue)


@pytest.mark.parametrize("damage", ["shorter", "renamed", "truncated"])
def test_a_source_that_does_not_hold_its_part(tmp_path: Path, damage: str) -> None:
    with writing(tmp_path / "master.h5") as file:
        write_virtual(file, "volume", (6, 4), "f4", segments(tmp_path))
    path = tmp_path / "2.h5"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        with writing(path, replace=True) as file:
            name = "part" if damage == "shorter" else "other"
            file[name] = np.zeros((1 if damage == "shorter" else 2, 4), dtype="f4")
    with pytest.raises(MissingSource, match=r"2\.h5"):
        Hdf5Array.find(tmp_path / "master.h5", "/volume").read()


def test_a_missing_source_behind_two_masters(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with writing(tmp_path / "inner" / "master.h5") as file:
        write_virtual(file, "volume", (6, 4), "f4", segments(tmp_path / "inner"))
    with writing(tmp_path / "outer.h5") as file:
        write_virtual(file, "all", (6, 4), "f4", [("inner/master.h5", "/volume", 0, 6)])
        file["link"] = h5py.ExternalLink("inner/master.h5", "/volume")
    for inner in ("/all", "/link"):
        assert Hdf5Array.find(tmp_path / "outer.h5", inner).read().sum() == 24
    release(tmp_path)
    (tmp_path / "inner" / "0.h5").unlink()
    for inner in ("/all", "/link"):
        with pytest.raises(MissingSource, match=r"0\.h5"):
            Hdf5Array.find(tmp_path / "outer.h5", inner).read()


def test_one_image_per_dataset_as_a_stack(tmp_path: Path) -> None:
    with writing(tmp_path / "frames.h5") as file:
        for i in range(4):
            file[f"scan/{i}.tif"] = np.full((1, 3, 2), i, dtype="u2")
            file[f"flat/{i}.tif"] = np.full((3, 2), i, dtype="u2")
    with writing(tmp_path / "master.h5") as file:
        ones = [Source("frames.h5", f"/scan/{i}.tif", 0, 1) for i in range(4)]
        write_virtual(file, "ones", (4, 3, 2), "u2", ones)
        flat = [Source("frames.h5", f"/flat/{i}.tif", 0, 1, new_axis=True) for i in range(4)]
        write_virtual(file, "flat", (4, 3, 2), "u2", flat)
    for name in ("ones", "flat"):
        array = Hdf5Array.find(tmp_path / "master.h5", name)
        assert array.read()[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_gaps_read_as_nan_and_counts_must_fit(tmp_path: Path) -> None:
    segments(tmp_path)
    with writing(tmp_path / "master.h5") as file:
        with pytest.raises(ValueError, match="hold 2 of 6 rows"):
            write_virtual(file, "a", (6, 4), "f4", [("0.h5", "/part", 0, 2)])
        assert np.isnan(write_virtual(file, "b", (2, 4), "f4", [("0.h5", "/part", 0, 2)]).fillvalue)


def test_a_second_axis_can_be_joined(tmp_path: Path) -> None:
    with writing(tmp_path / "master.h5") as file:
        sources = [Source(s.file, s.path, 1, 3) for s in segments(tmp_path)]
        write_virtual(file, "wide", (2, 6), "f4", sources, axis=1)
    assert Hdf5Array.find(tmp_path / "master.h5", "wide").read()[0].tolist() == [0, 0, 1, 1, 2, 2]


def test_filters_h5py_lacks_are_loaded(tmp_path: Path) -> None:
    with writing(tmp_path / "a.h5") as file:
        file.create_dataset("data", data=WHOLE, chunks=True, **hdf5plugin.Bitshuffle(cname="lz4"))
    with writing(tmp_path / "m.h5") as file:
        write_virtual(file, "data", WHOLE.shape, "u2", [("a.h5", "/data", 0, 7)])
    for name in ("a.h5", "m.h5"):
        assert np.array_equal(Hdf5Array.find(tmp_path / name, "/data").read(), WHOLE)


def test_links_lead_nowhere_outside_the_roots(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    with writing(outside / "secret.h5") as file:
        file["data"] = np.arange(3.0)
    with writing(inside / "a.h5") as file:
        file["link"] = h5py.ExternalLink("../out/secret.h5", "/data")
        write_virtual(file, "virtual", (3,), "f8", [("../out/secret.h5", "/data", 0, 3)])
    for name in ("link", "virtual"):
        assert Hdf5Array.find(inside / "a.h5", name).read().tolist() == [0, 1, 2]
        release()
        with pytest.raises(MissingSource, match="outside the allowed folders"):
            Hdf5Array.find(inside / "a.h5", name, roots=[inside]).read()
    with open_file(inside / "a.h5") as file:
        assert file["link"].shape == (3,)
