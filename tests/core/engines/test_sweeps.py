"""A sweep reads once and gives, at every value, the bits of a job with that value."""

from pathlib import Path

import counting
import numpy as np
import pytest
import runs

from lightwell.engines import MIDDLE, Sweep
from lightwell.engines.verification import stored_digest
from lightwell.errors import ParameterError

VALUES = (1.5, 7.25)


def test_a_swept_result_has_the_bits_of_single_runs_and_reads_once(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    source = counting.counted(runs.scan(), "frames", log)
    sweep = Sweep("axis", VALUES)
    given = {"axis": VALUES[0]}
    swept = runs.run(
        "volume",
        tmp_path / "swept",
        given=given,
        sources={"data": source},
        sweep=sweep,
        slices=(9, 11, 1),
    )
    # The rows of three tiles of four: the slices and, for the halo, the tiles beside them.
    angles, _, width = source.arrays["frames"].shape
    assert counting.read_bytes(log) == angles * 12 * width * 4
    found = runs.arrays_of(swept, tmp_path)["data"]
    assert found.shape == (2, 2, 32, 32)
    for index, value in enumerate(VALUES):
        alone = runs.run(
            "volume", tmp_path / f"alone_{index}", given={"axis": value}, slices=(9, 11, 1)
        )
        folder = tmp_path / f"arrays_{index}"
        folder.mkdir()
        np.testing.assert_array_equal(runs.arrays_of(alone, folder)["data"], found[index])
        assert swept.output.parts()[index].digest
    assert stored_digest(swept.output) == swept.output.digest


def test_the_first_step_can_be_swept_too(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    source = counting.counted(runs.scan(), "frames", log)
    swept = runs.run(
        "lines",
        tmp_path / "swept",
        sources={"data": source},
        sweep=Sweep("floor", (1e-3, 5.0)),
        slices=MIDDLE,
    )
    angles, _, width = source.arrays["frames"].shape
    assert counting.read_bytes(log) == angles * 4 * width * 4
    low, high = runs.arrays_of(swept, tmp_path)["intensity"]
    assert high.min() == 5.0 > low.min()


def test_what_follows_a_swept_step_is_estimated_for_each_value(tmp_path: Path) -> None:
    swept = runs.run("volume", tmp_path / "a", sweep=Sweep("floor", (1e-3, 1.2)), slices=MIDDLE)
    assert set(swept.estimates) == {"axis at floor=0.001", "axis at floor=1.2"}
    after = runs.run("volume", tmp_path / "b", sweep=Sweep("weight", (0.1, 0.2)), slices=MIDDLE)
    assert set(after.estimates) == {"axis"}


def test_folds_and_iterations_can_be_swept(tmp_path: Path) -> None:
    shares = runs.run("labels", tmp_path / "labels", sweep=Sweep("share", (0.1, 0.9)))
    few, many = runs.arrays_of(shares, tmp_path)["label"]
    assert few.sum() > many.sum()
    relaxed = runs.run("relaxed", tmp_path / "relaxed", sweep=Sweep("iterations", (1, 4)))
    assert [len(series) for series in relaxed.metrics.values()] == [1, 4]


def test_a_sweep_that_changes_the_size_is_refused(tmp_path: Path) -> None:
    swept = runs.run("lines", tmp_path, sweep=Sweep("bins", (4, 8)), slices=MIDDLE)
    with pytest.raises(ParameterError, match="another size for every value of bins"):
        runs.arrays_of(swept, tmp_path)
