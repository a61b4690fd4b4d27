"""Statistics of pixels, and regions that tiles decide, against looking at every pixel."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.catalog.query import where
from lightwell.errors import ParameterError
from lightwell.frame_index import statistics
from lightwell.frame_index.regions import parse_region, select_in_region
from lightwell.frame_index.statistics import Tiles, compute_statistics
from lightwell.frame_index.tables import Records
from lightwell.stacks import ArrayInMemory


def a_stack(seed: int, shape: tuple[int, ...], dtype: str, missing: float) -> Any:
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 30, shape)
    for frame in range(shape[0]):
        # A bright spot, so that tiles differ.
        values[(frame, *(rng.integers(0, n) for n in shape[1:]))] += 500
    values = np.abs(values).astype(dtype)
    if dtype[0] == "f":
        values[rng.random(shape) < missing] = np.nan
    return values


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["u2", "f4", "i4"]),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    limit=st.sampled_from([50.0, 120.0, 300.0, 550.0]),
    data=st.data(),
)
def test_a_region_is_answered_as_by_its_pixels(
    seed: int, shape: tuple[int, int, int], dtype: str, missing: float, limit: float, data: Any
) -> None:
    values = a_stack(seed, shape, dtype, missing)
    ends = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
            for n in shape[1:]]  # fmt: skip
    region = (slice(*ends[0]), slice(*ends[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.h5")
        channels = compute_statistics(ArrayInMemory(values), path)
        channels["angle"] = np.arange(shape[0])
        records = Records.of("lw-a", 1, {(name, ""): v for name, v in channels.items()})
        query = ((where("frame_max") > limit) | (where("frame_min") < 60)) & (where("angle") < 6)
        lazy = ArrayInMemory(values)
        runs, read = select_in_region(query, region, records, Tiles.open(path), lazy)
    expected = []
    for frame, pixels in enumerate(values):
        cut = pixels[region][np.isfinite(pixels[region])]
        if frame < 6 and cut.size and (cut.max() > limit or cut.min() < 60):
            expected.append(frame)
    assert runs.frames().tolist() == expected
    assert read <= shape[0]


def test_statistics_are_those_of_the_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_SLAB_BYTES", 3 * 20 * 30 * 2)
    values = a_stack(1, (10, 20, 30), "u2", 0)
    found = compute_statistics(ArrayInMemory(values), tmp_path / "t.h5")
    assert found["frame_min"].dtype == np.uint16
    assert np.array_equal(found["frame_max"], values.max((1, 2)))
    assert np.allclose(found["frame_mean"], values.mean((1, 2)), rtol=1e-12)
    assert np.allclose(found["frame_std"], values.std((1, 2)), rtol=1e-12)
    tiles = Tiles.open(tmp_path / "t.h5")
    assert tiles.size == (2, 2)
    assert np.array_equal(tiles.high.max((1, 2)), values.max((1, 2)))


def test_whole_tiles_need_no_pixel(tmp_path: Path) -> None:
    values = a_stack(2, (50, 64, 64), "u2", 0)
    found = compute_statistics(ArrayInMemory(values), tmp_path / "t.h5")
    records = Records.of("lw-a", 1, {(name, ""): v for name, v in found.items()})
    tiles = Tiles.open(tmp_path / "t.h5")
    region = parse_region("8:32,0:64")
    query = where("frame_max") > 400
    runs, read = select_in_region(query, region, records, tiles, ArrayInMemory(values))
    assert read == 0
    bright = np.flatnonzero(values[:, 8:32].max((1, 2)) > 400)
    assert 0 < len(bright) < 50
    assert np.array_equal(runs.frames(), bright)


@pytest.mark.parametrize("text", ["1:2", "a:b,c:d", "1:2,3:4,5:6", ""])
def test_what_is_no_region(text: str) -> None:
    with pytest.raises(ParameterError, match="no region"):
        parse_region(text)


def test_what_a_region_cannot_answer(tmp_path: Path) -> None:
    values = a_stack(3, (3, 8, 8), "u2", 0)
    found = compute_statistics(ArrayInMemory(values), tmp_path / "t.h5")
    records = Records.of("lw-a", 1, {(name, ""): v for name, v in found.items()})
    tiles, lazy = Tiles.open(tmp_path / "t.h5"), ArrayInMemory(values)
    with pytest.raises(ParameterError, match="frame_mean is known of whole frames"):
        select_in_region(where("frame_mean") > 1, parse_region(":,:"), records, tiles, lazy)
    with pytest.raises(ParameterError, match="rows 0:9 of frames that have 8"):
        select_in_region(where("frame_max") > 1, parse_region("0:9,:"), records, tiles, lazy)
    with pytest.raises(ParameterError, match="no statistics"):
        compute_statistics(ArrayInMemory(values[0, 0]), tmp_path / "u.h5")
