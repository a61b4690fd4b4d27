"""Chunks encoded by us are read by h5py and hdf5plugin as any other."""

import errno
import os
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - importing it registers its filters
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.errors import DiskFull
from lightwell.hdf5 import (
    Hdf5Array,
    copy_chunks,
    create_compressed,
    release,
    write_compressed,
    writing,
)

TYPES = ["u1", "<u2", "<i4", "<f4", "<f8", "<c8", "<c16", "?"]


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 30), min_size=1, max_size=3)))
    chunks = tuple(draw(st.integers(1, length)) for length in shape)
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    bits = generator.integers(0, draw(st.sampled_from([2, 300])), shape)
    return bits.astype(draw(st.sampled_from(TYPES))), chunks


@settings(max_examples=60, deadline=None)
@given(case=arrays(), threads=st.integers(1, 3))
def test_h5py_reads_what_was_encoded(
    tmp_path_factory: pytest.TempPathFactory, case: Any, threads: int
) -> None:
    values, chunks = case
    path = tmp_path_factory.mktemp("chunks") / "a.h5"
    with writing(path) as file:
        write_compressed(file, "a", values, chunks, threads=threads)
    with h5py.File(path) as file:
        assert file["a"].chunks == chunks
        assert file["a"][()].tobytes() == values.tobytes()
    assert Hdf5Array.find(path, "a").read().tobytes() == values.tobytes()
    release(path)


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(20, 50, 60)).astype("f4")
    for threads in (1, 3):
        with writing(tmp_path / f"{threads}.h5") as file:
            write_compressed(file, "a", values, (4, 16, 16), threads=threads)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


@pytest.mark.parametrize("along", [0, 1])
def test_chunks_are_copied_undecoded(tmp_path: Path, along: int) -> None:
    values = np.random.default_rng(2).integers(0, 9, (12, 11)).astype("u2")
    halves = np.split(values, [8], axis=along)
    with writing(tmp_path / "parts.h5") as file:
        target = create_compressed(file, "whole", values.shape, values.dtype, (4, 4))
        for number, half in enumerate(halves):
            part = write_compressed(file, f"part{number}", half, (4, min(4, half.shape[1])))
            if part.chunks == (4, 4):
                assert copy_chunks(part, target, along, 8 * number)
            else:
                assert not copy_chunks(part, target, along, 8 * number)
                target[:, 8:] = half
    with h5py.File(tmp_path / "parts.h5") as file:
        assert np.array_equal(file["whole"][()], values)


def test_chunks_that_do_not_fit_are_not_copied(tmp_path: Path) -> None:
    values = np.arange(48.0).reshape(8, 6)
    with writing(tmp_path / "a.h5") as file:
        target = create_compressed(file, "whole", (16, 6), "f8", (4, 3))
        part = write_compressed(file, "part", values, (4, 3))
        short = write_compressed(file, "short", values[:7], (4, 3))
        other = write_compressed(file, "other", values.astype("f4"), (4, 3))
        plain = file.create_dataset("plain", data=values, chunks=(4, 3))
        assert not copy_chunks(part, target, 0, 2)
        assert not copy_chunks(short, target, 0, 0)
        assert not copy_chunks(other, target, 0, 0)
        assert not copy_chunks(plain, target, 0, 0)
        assert copy_chunks(part, target, 0, 8)


def test_a_full_disk_ends_the_writing_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk says so itself in tests/end_to_end; here it is counted what is kept in memory."""
    values = np.random.default_rng(4).integers(0, 2**16, (64, 256, 256)).astype("u2")
    room, refused = 1_000_000, []
    write = os.pwrite

    def pwrite(handle: int, data: Any, place: int) -> int:
        if place + len(data) > room:
            refused.append(len(data))
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data, place)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(DiskFull), writing(tmp_path / "a.h5") as file:
        write_compressed(file, "a", values, (1, 128, 128), threads=2)
    assert len(refused) == 1
    assert list(tmp_path.iterdir()) == []
    # Another file of the same process is written as if nothing had been.
    room = 100_000_000
    with writing(tmp_path / "b.h5") as file:
        write_compressed(file, "a", values, (1, 128, 128))
    assert np.array_equal(Hdf5Array.find(tmp_path / "b.h5", "a").read(), values)
