"""Arrays read without HDF5 are, bit for bit, what h5py reads: whatever the layout."""

import os
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.hdf5 import Hdf5Array, blocks, is_hdf5, release

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "deflate": {"compression": "gzip", "compression_opts": 1},
    "shuffle-deflate": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "shuffle": {"shuffle": True},
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc": dict(hdf5plugin.Blosc(cname="lz4", shuffle=2)),
    "blosc-zstd": dict(hdf5plugin.Blosc(cname="zstd", clevel=3)),
}
ONLY_HDF5: dict[str, dict[str, Any]] = {
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle-zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "32026": dict(hdf5plugin.Blosc2()),
    "32015": dict(hdf5plugin.Zstd()),
    "32004": dict(hdf5plugin.LZ4()),
    "2+1+3": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "scaleoffset": {"scaleoffset": 0},
}
TYPES = ["u1", "<u2", ">u2", "<i4", ">i8", "<f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c16", "?"]


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    """Any bits for integers, so that nothing is hidden; rounded numbers compress."""
    generator = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return generator.integers(0, 1 << 7 * min(kind.itemsize, 2), shape).astype(kind)
    return np.round(generator.normal(size=shape) * 40).astype(kind)


def indices(length: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-length - 2, length + 2)
    steps = st.sampled_from([None, None, 1, 2, 3, 7, -1, -3])
    lists = st.lists(st.integers(-length, length - 1), max_size=length)
    return st.builds(slice, ends, ends, steps) | lists.map(lambda one: np.array(one, dtype=int))


@st.composite
def stored_arrays(draw: st.DrawFn) -> dict[str, Any]:
    rank = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 23)) for _ in range(rank))
    chunked = draw(st.booleans())
    codec = draw(st.sampled_from([*FILTERS])) if chunked else "none"
    return {
        "shape": shape,
        "dtype": draw(st.sampled_from(TYPES)),
        "chunks": tuple(draw(st.integers(1, 25)) for _ in shape) if chunked else None,
        "codec": codec,
        "userblock": draw(st.sampled_from([0, 0, 512])),
        "libver": draw(st.sampled_from(["earliest", "latest"])),
        "fill": draw(st.sampled_from([None, 1])),
        # Which slabs along the first axis are ever written; the rest is missing.
        "written": draw(st.sampled_from(["all", "all", "half", "nothing"])),
        "seed": draw(st.integers(0, 1000)),
        "selection": tuple(draw(indices(length)) for length in shape),
        "threads": draw(st.integers(1, 3)),
    }


def write(path: Path, case: dict[str, Any]) -> None:
    values = numbers(case["shape"], case["dtype"], case["seed"])
    with h5py.File(path, "w", userblock_size=case["userblock"], libver=case["libver"]) as file:
        dataset = file.create_dataset(
            "data",
            shape=case["shape"],
            dtype=case["dtype"],
            chunks=tuple(np.minimum(case["chunks"], case["shape"])) if case["chunks"] else None,
            fillvalue=None if np.dtype(case["dtype"]).kind == "c" else case["fill"],
            **FILTERS[case["codec"]],
        )
        if case["written"] == "all":
            dataset[...] = values
        elif case["written"] == "half":
            dataset[: len(values) // 2] = values[: len(values) // 2]


def expected(whole: Any, selection: tuple[Any, ...]) -> Any:
    for axis, index in enumerate(selection):
        whole = whole[(*[slice(None)] * axis, index)]
    return whole


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=stored_arrays())
def test_any_layout_reads_as_h5py_reads_it(tmp_path: Path, case: dict[str, Any]) -> None:
    path = tmp_path / "a.h5"
    release(path)
    write(path, case)
    with h5py.File(path) as file:
        whole = file["data"][()]
    whole = whole.astype(whole.dtype.newbyteorder("="))
    array = Hdf5Array.find(path, "/data")
    layout = array.layout()
    # A compressed edge may happen to be as large as one that is not.
    assert layout.direct or (layout.codec != "none" and "its edges" in layout.why), layout.why
    wanted = expected(whole, case["selection"])
    found = array.read(case["selection"])
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()
    # Into a part of a larger array, whose surroundings stay as they are.
    around = np.ones([length + 2 for length in wanted.shape], wanted.dtype)
    inner = around[(slice(1, -1),) * wanted.ndim]
    array.read_into(case["selection"], inner, case["threads"])
    assert inner.tobytes() == wanted.tobytes()
    inner[...] = 1
    assert (around == 1).all()


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize("name", ["contiguous", "chunked"])
def test_short_reads_are_asked_for_ahead(
    name: str, at_hand: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = numbers((30, 256, 320), "<u2", 1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["contiguous"] = values
        file.create_dataset("chunked", data=values, chunks=(1, 256, 320))
    asked: list[int] = []
    monkeypatch.setattr(blocks, "_is_at_hand", lambda *_: at_hand)
    monkeypatch.setattr(os, "posix_fadvise", lambda *told: asked.append(told[1]), raising=False)
    out = np.zeros((30, 64, 320), np.uint16)
    Hdf5Array.find(tmp_path / "a.h5", name).read_into(np.s_[:, 100:164], out, 2)
    assert np.array_equal(out, values[:, 100:164])
    assert len(set(asked)) == (0 if at_hand else 30)


def test_memory_of_any_place_is_filled(tmp_path: Path) -> None:
    values = numbers((3, 1024, 1100), "<u2", 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = values
    array = Hdf5Array.find(tmp_path / "a.h5", "a")
    room = np.zeros(values.nbytes + 128, np.uint8)
    for shift in (0, 2, 16, 64):
        start = -room.ctypes.data % 64 + shift
        out = room[start : start + values.nbytes].view(np.uint16).reshape(values.shape)
        array.read_into((), out)
        assert np.array_equal(out, values)
        room[:] = 0
    assert array.read().ctypes.data % 64 == 0


@pytest.mark.parametrize("name", ONLY_HDF5)
def test_what_only_hdf5_decodes_is_read_by_hdf5(tmp_path: Path, name: str) -> None:
    values = np.arange(40 * 30, dtype="u2").reshape(40, 30) // 100
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=values, chunks=(8, 30), **ONLY_HDF5[name])
    array = Hdf5Array.find(tmp_path / "a.h5", "/data")
    assert not array.layout().direct
    assert array.layout().why
    assert np.array_equal(array.read((slice(3, 30, 2),)), values[3:30:2])


def test_other_layouts_are_read_by_hdf5(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(3, 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("external", data=values, external=[(str(tmp_path / "raw"), 0, 96)])
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3, 4))
        made = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F64LE, space, plist)
        h5py.Dataset(made)[...] = values
        never = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        never.set_chunk((2, 2))
        never.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(file.id, b"never", h5py.h5t.IEEE_F64LE, space, never)
        twelve = h5py.h5t.STD_U16LE.copy()
        twelve.set_precision(12)
        odd = h5py.h5d.create(file.id, b"twelve", twelve, space)
        h5py.Dataset(odd)[...] = values
    for name in ("external", "compact", "never", "twelve"):
        array = Hdf5Array.find(tmp_path / "a.h5", name)
        assert not array.layout().direct
        if name != "never":
            assert np.array_equal(array.read(), values)


def test_chunks_whose_filters_were_left_out(tmp_path: Path) -> None:
    """A chunk that did not shrink may be stored as it was, and says so in its mask."""
    values = np.random.default_rng(0).integers(0, 99, (4, 100)).astype("u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("shuffle-deflate", "bitshuffle-lz4"):
            data = file.create_dataset(
                name, shape=(4, 100), dtype="u2", chunks=(1, 100), **FILTERS[name]
            )
            data[:2] = values[:2]
            mask = (1 << data.id.get_create_plist().get_nfilters()) - 1
            data.id.write_direct_chunk((2, 0), values[2].tobytes(), mask)
            data[3] = values[3]
    for name in ("shuffle-deflate", "bitshuffle-lz4"):
        array = Hdf5Array.find(tmp_path / "a.h5", name)
        assert array.layout().direct
        assert np.array_equal(array.read(), values)


def test_an_array_that_shrank_and_one_that_grew(tmp_path: Path) -> None:
    values = np.arange(60).reshape(10, 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("data", data=values, chunks=(2, 4), maxshape=(None, None))
        data.resize((5, 6))
        data.resize((7, 9))
        whole = data[()]
    assert np.array_equal(Hdf5Array.find(tmp_path / "a.h5", "data").read(), whole)


def test_edges_stored_without_filters(tmp_path: Path) -> None:
    """An option of HDF5 that the bits of the first chunks say nothing about."""
    import ctypes

    values = np.arange(10 * 7, dtype="u2").reshape(10, 7)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4, 4))
        plist.set_deflate(1)
        library = (
            next(
                (
                    line.split()[-1]
                    for line in Path("/proc/self/maps").read_text().splitlines()
                    if "libhdf5-" in line or "libhdf5.so" in line
                ),
                None,
            )
            if Path("/proc/self/maps").exists()
            else None
        )
        if library is None:
            pytest.skip("the HDF5 library of h5py cannot be found here")
        native = ctypes.CDLL(library)
        native.H5Pset_chunk_opts.argtypes = [ctypes.c_int64, ctypes.c_uint]
        assert native.H5Pset_chunk_opts(plist.id, 2) >= 0
        space = h5py.h5s.create_simple((10, 7))
        h5py.Dataset(h5py.h5d.create(file.id, b"data", h5py.h5t.STD_U16LE, space, plist))[...] = (
            values
        )
    assert np.array_equal(Hdf5Array.find(path, "data").read(), values)


def test_files_of_others(shared_data: Path) -> None:
    """Whatever instruments wrote is read as h5py reads it, compressed detector frames included."""
    codecs: set[str] = set()
    for path in sorted(shared_data.rglob("*")):
        if not path.is_file() or not is_hdf5(path):
            continue
        for name in arrays_of(path)[:4]:
            array = Hdf5Array.find(path, name)
            codecs.add(array.layout().codec)
            with h5py.File(path) as file:
                wanted = file[name][()]
            wanted = wanted.astype(wanted.dtype.newbyteorder("="))
            assert array.read().tobytes() == wanted.tobytes(), f"{path} {name}"
            middle = (slice(wanted.shape[0] // 2, None, 2),)
            assert array.read(middle).tobytes() == wanted[middle].tobytes()
            assert array.layout().direct, array.layout().why
        release(path)
    assert {"none", "deflate", "shuffle-deflate", "bitshuffle-lz4"} <= codecs


def arrays_of(path: Path) -> list[str]:
    """The arrays of numbers in a file whose sources are all there."""
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        numbers = isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "biufc"
        if numbers and item.size and not item.is_virtual:
            found.append(name)

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_bitshuffle_that_does_not_say_its_blocks(tmp_path: Path) -> None:
    values = np.arange(40 * 300, dtype="<u4").reshape(40, 300)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset(
            "data", data=values, chunks=(10, 300), **FILTERS["bitshuffle-lz4"]
        )
        for row in range(0, 40, 10):
            mask, content = data.id.read_direct_chunk((row, 0))
            data.id.write_direct_chunk((row, 0), content[:8] + bytes(4) + content[12:], mask)
    array = Hdf5Array.find(tmp_path / "a.h5", "data")
    assert array.layout().direct
    assert np.array_equal(array.read(), values)
