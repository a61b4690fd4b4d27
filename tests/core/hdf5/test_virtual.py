"""Virtual datasets read source by source hold what h5py shows."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwell.errors import MissingSource
from lightwell.hdf5 import Hdf5Array, Source, release, write_virtual, writing

WHOLE = np.random.default_rng(3).integers(0, 60000, (17, 6, 5)).astype("u2")


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One array in files of several layouts, frames in files of their own, a hole, and others."""
    folder = tmp_path_factory.mktemp("virtual")
    sources: list[Any] = []
    for number, (start, stop) in enumerate(((0, 4), (4, 5), (5, 13), (13, 17))):
        with writing(folder / f"{number}.h5") as file:
            chunks = (2, 3, 5) if number == 2 else None
            file.create_dataset("d", data=WHOLE[max(0, start - 1) : stop], chunks=chunks)
        first = 1 if start else 0
        sources.append((f"{number}.h5", "d", first, first + stop - start))
    for number in range(17):
        with writing(folder / f"frame{number}.h5") as file:
            file["d"] = WHOLE[number]
    frames = [Source(f"frame{n}.h5", "d", 0, 1, new_axis=True) for n in range(17)]
    with writing(folder / "all.h5") as file:
        file["here"] = WHOLE
        write_virtual(file, "joined", WHOLE.shape, "u2", sources)
        write_virtual(file, "frames", WHOLE.shape, "u2", frames)
        write_virtual(file, "converted", WHOLE.shape, "f8", sources)
        write_virtual(file, "same_file", WHOLE.shape, "u2", [(".", "here", 0, 17)])
        holes = h5py.VirtualLayout((17, 6, 5), "u2")
        holes[2:5, 1:4] = h5py.VirtualSource(".", "here", (17, 6, 5))[3:6, 2:5]
        holes[9, :, 2] = h5py.VirtualSource(".", "here", (17, 6, 5))[4, :, 4]
        file.create_virtual_dataset("holes", holes, fillvalue=7)
        every = h5py.VirtualLayout((17, 6, 5), "u2")
        every[::2] = h5py.VirtualSource(".", "here", (17, 6, 5))[:9]
        every[1::2] = h5py.VirtualSource(".", "here", (17, 6, 5))[9:]
        file.create_virtual_dataset("interleaved", every)
    return folder / "all.h5"


def indices(length: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-length - 2, length + 2)
    steps = st.sampled_from([None, 1, 2, 3, -2])
    lists = st.lists(st.integers(-length, length - 1), max_size=length)
    return st.builds(slice, ends, ends, steps) | lists.map(lambda one: np.array(one, dtype=int))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["joined", "frames", "converted", "same_file", "holes", "interleaved"]),
    selection=st.tuples(indices(17), indices(6), indices(5)),
    threads=st.integers(1, 3),
)
def test_any_selection_is_what_h5py_shows(
    scattered: Path, name: str, selection: tuple[Any, ...], threads: int
) -> None:
    array = Hdf5Array.find(scattered, name)
    with h5py.File(scattered) as file:
        wanted = file[name][()]
    for axis, index in enumerate(selection):
        wanted = wanted[(*[slice(None)] * axis, index)]
    assert array.read(selection).tobytes() == wanted.tobytes()
    out = np.zeros_like(wanted)
    array.read_into(selection, out, threads)
    assert out.tobytes() == wanted.tobytes()
    assert array.layout().direct == (name != "interleaved")


def test_a_source_that_goes_is_missed(tmp_path: Path) -> None:
    for number in (0, 1):
        with writing(tmp_path / f"{number}.h5") as file:
            file["d"] = np.full((2, 3), number)
    with writing(tmp_path / "all.h5") as file:
        write_virtual(file, "d", (4, 3), "i8", [("0.h5", "d", 0, 2), ("1.h5", "d", 0, 2)])
    array = Hdf5Array.find(tmp_path / "all.h5", "d")
    assert array.read()[:, 0].tolist() == [0, 0, 1, 1]
    release(tmp_path / "1.h5")
    (tmp_path / "1.h5").unlink()
    with pytest.raises(MissingSource, match=r"1\.h5"):
        array.read()
