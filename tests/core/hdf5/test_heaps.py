"""Damaged global heaps, on which HDF5 spins or takes gigabytes, are refused unread."""

from pathlib import Path

import h5py
import pytest

import lightwell
from lightwell.errors import UnreadableFile
from lightwell.hdf5.heaps import refuse_endless_heaps


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as written:
        entry = written.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        for number in range(30):
            entry.attrs[f"text {number}"] = "word " * number
    return path


def objects(content: bytes) -> list[int]:
    """Where the objects of the first collection begin, the free one last."""
    start = content.index(b"GCOL")
    size = int.from_bytes(content[start + 8 : start + 16], "little")
    found, at = [], start + 16
    while at + 16 <= start + size:
        found.append(at)
        length = int.from_bytes(content[at + 8 : at + 16], "little")
        at += length if content[at : at + 2] == b"\0\0" else 16 + -(-length // 8) * 8
    return found


def with_size(path: Path, which: int, size: int) -> None:
    content = bytearray(path.read_bytes())
    at = objects(bytes(content))[which]
    content[at + 8 : at + 16] = size.to_bytes(8, "little")
    path.write_bytes(content)


def test_a_whole_file_passes(file: Path) -> None:
    assert len(objects(file.read_bytes())) > 10
    refuse_endless_heaps(file)


@pytest.mark.parametrize(("which", "size"), [(-1, 0), (4, 16384009), (4, 2**64 - 8)])
def test_sizes_that_cannot_be(file: Path, which: int, size: int) -> None:
    with_size(file, which, size)
    with pytest.raises(UnreadableFile, match="would not come to an end with its global heap"):
        lightwell.open().ingest(file)


def test_what_only_looks_like_a_heap_is_left_alone(file: Path) -> None:
    with h5py.File(file, "a") as changed:
        changed["entry/noise"] = bytearray(b"GCOL\1\0\0\0" + b"\xff" * 100)
    refuse_endless_heaps(file)
