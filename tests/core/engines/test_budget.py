"""Memory shrinks first the number of workers, then the slab, and never the tile."""

from pathlib import Path

import numpy as np
import pytest
import runs

from lightwell.engines.budget import WORKER_GUESS, Budget, own_memory
from lightwell.errors import ParameterError

MB = 1 << 20


def budget(memory: int, most: int = 4) -> Budget:
    return Budget(memory * MB, most, own=lambda: 100 * MB)


def test_before_the_first_tile_workers_are_guessed_and_get_one_tile() -> None:
    guess = WORKER_GUESS // MB
    assert budget(100 + 2 * guess).workers() == 2
    assert budget(100 + 2 * guess).tiles(2, 100) == 1
    assert budget(50).workers() == 1


def test_what_a_tile_showed_decides_workers_first_and_then_the_slab() -> None:
    found = budget(100 + 1000)
    found.learn(1, 300 * MB, 50 * MB)
    assert found.workers() == 3
    # A third of 1000 MB: 300 for the first tile, nothing left for another.
    assert found.tiles(3, 1000) == 1
    assert found.tiles(1, 1000) == 1 + (900 - 300) // 50
    found.learn(4, 800 * MB, 50 * MB)
    assert found.first == 650 * MB
    assert found.workers() == 1


def test_a_slab_is_a_fair_share_where_memory_abounds() -> None:
    found = budget(100_000)
    found.learn(1, 300 * MB, MB)
    assert found.tiles(2, 64) == 8
    assert found.tiles(2, 3) == 1


def test_what_is_read_tile_by_tile_takes_no_more_for_being_many() -> None:
    found = budget(100 + 1000)
    found.learn(1, 300 * MB, 0)
    assert found.workers() == 3
    assert found.tiles(3, 1000) == 84, "a fair share of twelve slabs"


def test_a_tile_that_does_not_fit_says_what_is_needed() -> None:
    found = budget(300)
    found.learn(1, 400 * MB, 50 * MB)
    with pytest.raises(ParameterError) as error:
        found.check()
    assert error.value.exit_status == 2
    assert "one tile needs 0.52 GB in all, the memory budget is 0.31 GB" in str(error.value)
    assert "--memory 0.6GB" in str(error.value)


def test_own_memory_is_what_the_system_says() -> None:
    before = own_memory()
    ballast = np.ones(80 * MB, np.uint8)
    assert own_memory() - before > 60 * MB
    del ballast


@pytest.fixture
def big(tmp_path: Path) -> dict[str, runs.Source]:
    """Forty frames of 4 MB in a file: two of them are a tile, which takes some 30 MB."""
    from lightwell.hdf5 import Hdf5Array, writing

    with writing(tmp_path / "big.h5") as file:
        data = file.create_dataset("image", (40, 1024, 1024), np.float32, chunks=(1, 1024, 1024))
        for index in range(40):
            data[index] = np.full((1024, 1024), index + 1, np.float32)
    product = runs.stranger_chains.Frames
    return {"data": runs.Source(product, {"image": Hdf5Array.find(tmp_path / "big.h5", "image")})}


@pytest.mark.slow
def test_memory_stays_within_the_budget(big: dict[str, runs.Source], tmp_path: Path) -> None:
    ample = runs.run("large", tmp_path / "ample", sources=big, memory=4 * runs.GB, workers=2)
    [plenty] = ample.report["sections"]
    # Enough for one worker and some five tiles at once. The first run made this process larger too:
    # libraries that it was the first to load; the second may need some more of them.
    memory = plenty["worker_peak_bytes"] + own_memory() + 60 * MB
    scarce = runs.run("large", tmp_path / "scarce", sources=big, memory=memory, workers=2)
    [little] = scarce.report["sections"]
    assert little["peak_bytes"] <= memory
    assert little["peak_bytes"] < plenty["peak_bytes"]
    assert scarce.output.digest == ample.output.digest


@pytest.mark.slow
def test_too_little_memory_keeps_what_was_computed(
    big: dict[str, runs.Source], tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="what was computed is kept") as error:
        runs.run("large", tmp_path / "job", sources=big, memory=own_memory() + 100 * MB)
    assert error.value.exit_status == 2
    again = runs.run("large", tmp_path / "job", sources=big)
    assert again.report["sections"][0]["tiles_found"] == 1
