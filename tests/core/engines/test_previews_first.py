"""A few slices, or binned ones, read no more than the tiles that hold them."""

from pathlib import Path

import counting
import numpy as np
import pytest
import runs

from lightwell.binning import BinnedArray
from lightwell.engines import Source
from lightwell.errors import ParameterError


def test_slices_read_their_tiles_alone(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    source = counting.counted(runs.scan(rows=64), "frames", log)
    few = runs.run("lines", tmp_path / "job", sources={"data": source}, slices=(0, 64, 30))
    assert list(few.output.points) == [0, 30, 60]
    angles, rows, width = source.arrays["frames"].shape
    assert counting.read_bytes(log) == 3 * 4 * angles * width * 4
    whole = runs.run("lines", tmp_path / "whole", sources={"data": runs.scan(rows=rows)})
    (tmp_path / "a").mkdir()
    everything = runs.arrays_of(whole, tmp_path / "a")["intensity"]
    np.testing.assert_array_equal(runs.arrays_of(few, tmp_path)["intensity"], everything[::30])


def test_binned_slices_are_named_by_the_rows_of_the_detector(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    source = counting.counted(runs.scan(rows=64), "frames", log)
    factors = {"row": 2, "x": 2}
    dims = source.product.dims()
    binned = Source(
        source.product,
        {n: BinnedArray.along(a, dims[n].names, factors) for n, a in source.arrays.items()},
    )
    found = runs.run(
        "lines", tmp_path / "job", sources={"data": binned}, binned=factors, slices=(30, 31, 1)
    )
    assert list(found.output.points) == [15]
    angles, _, width = source.arrays["frames"].shape
    assert counting.read_bytes(log) == 2 * 4 * angles * width * 4
    frames = source.arrays["frames"].read(())[:, 30:32]
    gain = source.arrays["gain"].read(())[30:32]
    means = frames.reshape(angles, 2, -1, 2).mean(axis=(1, 3))
    line = (means / gain.reshape(2, -1, 2).mean(axis=(0, 2))).mean(axis=0)[:8]
    np.testing.assert_allclose(runs.arrays_of(found, tmp_path)["intensity"][0], line, rtol=1e-5)
    with pytest.raises(ParameterError, match="Choose between 0 and 63"):
        runs.run(
            "lines", tmp_path / "no", sources={"data": binned}, binned=factors, slices=(64, 65, 1)
        )
