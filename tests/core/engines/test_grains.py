"""How much of an array is read together follows from where it stands."""

from pathlib import Path

import numpy as np
import pytest

from lightwell.binning import BinnedArray
from lightwell.engines.grains import grain_of, stored_bytes
from lightwell.hdf5 import Hdf5Array, Source, write_virtual, writing
from lightwell.stacks import ArrayInMemory, take

FRAMES = np.random.default_rng(0).integers(0, 99, (6, 20, 30), np.uint16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with writing(path) as out:
        out.create_dataset("block", data=FRAMES)
        out.create_dataset("plain", data=FRAMES, chunks=(1, 20, 30))
        out.create_dataset("packed", data=FRAMES, chunks=(1, 20, 30), compression=1)
        out.create_dataset("rows", data=FRAMES, chunks=(6, 4, 30), compression=1)
        out.create_dataset("frame", data=FRAMES[0], chunks=(20, 30), compression=1)
        sources = [Source("a.h5", "frame", 0, 1, new_axis=True) for _ in range(6)]
        write_virtual(out, "shown", FRAMES.shape, np.uint16, sources)
    return path


@pytest.mark.parametrize(
    ("name", "grain"),
    [
        ("block", (1, 1, 1)),
        ("plain", (1, 1, 1)),
        ("packed", (1, 20, 30)),
        ("rows", (6, 4, 30)),
        ("shown", (1, 20, 30)),
    ],
)
def test_compressed_chunks_are_read_whole(name: str, grain: tuple[int, ...], file: Path) -> None:
    array = Hdf5Array.find(file, name)
    assert grain_of(array) == grain
    assert grain_of(take(array, [4, 2, 0, 1, 3, 5])) == grain
    halves = tuple(-(-each // 2) for each in grain)
    assert grain_of(BinnedArray(array, (2, 2, 2))) == halves


def test_what_does_not_tell_is_not_guessed() -> None:
    class Silent:
        shape, dtype = (3, 4), np.dtype(np.float32)

        def read(self, selection: object = ()) -> np.ndarray:
            return np.zeros(self.shape, self.dtype)

    assert grain_of(Silent()) is None  # type: ignore[arg-type]
    assert grain_of(ArrayInMemory(FRAMES)) == (1, 1, 1)
    assert stored_bytes(ArrayInMemory(FRAMES)) == FRAMES.nbytes


def test_a_part_of_a_stack_is_charged_for_its_frames(file: Path) -> None:
    array = Hdf5Array.find(file, "plain")
    assert stored_bytes(array) == FRAMES.nbytes
    assert stored_bytes(take(array, [0, 1])) == FRAMES.nbytes // 3
    assert stored_bytes(Hdf5Array.find(file, "packed")) < FRAMES.nbytes
