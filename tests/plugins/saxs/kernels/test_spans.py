"""Spans of bins: every share once, whatever its neighbours are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightwell_saxs.kernels.spans import LONGEST, PARTS, scatter, spans_of

BINS = 30


def plainly(
    frame: NDArray[np.int32], pixels: NDArray[np.int64], cells: NDArray[np.uint16],
    shares: NDArray[np.float32],
) -> NDArray[np.float64]:  # fmt: skip
    """The sums by their definition."""
    sums = np.zeros((BINS, 2))
    counts, share = frame[pixels].astype(np.float64), shares.astype(np.float64)
    np.add.at(sums[:, 0], cells, share * counts)
    np.add.at(sums[:, 1], cells, share**2 * np.maximum(counts, 1))
    return sums


def summed(
    frame: NDArray[np.int32], pixels: NDArray[np.int64], cells: NDArray[np.uint16],
    shares: NDArray[np.float32],
) -> NDArray[np.float64]:  # fmt: skip
    spans = spans_of(pixels, cells, shares)
    return np.asarray(sum(scatter(frame, spans, part, BINS) for part in range(PARTS)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, BINS - 1)), unique=True, max_size=200),
    st.integers(0, 2**32 - 1),
)
def test_any_entries(entries: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = np.array(sorted(entries), np.int64).reshape(-1, 2)
    pixels, cells = table[:, 0], table[:, 1].astype(np.uint16)
    shares = rng.uniform(0.01, 1, len(pixels)).astype(np.float32)
    frame = rng.poisson(3, 41).astype(np.int32)
    found, true = (form(frame, pixels, cells, shares) for form in (summed, plainly))
    np.testing.assert_allclose(found, true, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [1, LONGEST, LONGEST + 1, 3 * LONGEST])
def test_spans_of_any_length(length: int) -> None:
    pixels = np.repeat(np.arange(5), length)
    cells = np.tile(np.arange(length, dtype=np.uint16), 5)
    shares = np.linspace(0.1, 1, len(pixels)).astype(np.float32)
    frame = np.arange(5, dtype=np.int32)
    spans = spans_of(pixels, cells, shares)
    assert max(stretch.length for part in spans.parts for stretch in part) == min(length, LONGEST)
    found, true = (form(frame, pixels, cells, shares) for form in (summed, plainly))
    np.testing.assert_allclose(found, true, rtol=1e-12)


def test_pixels_far_from_each_other() -> None:
    pixels = np.array([0, 1, 70_000, 200_000, 265_535, 265_536])
    cells = np.array([3, 3, 4, 29, 0, 1], np.uint16)
    shares = np.array([1, 0.5, 0.25, 1, 1, 1], np.float32)
    frame = np.arange(265_537, dtype=np.int32)
    found, true = (form(frame, pixels, cells, shares) for form in (summed, plainly))
    np.testing.assert_allclose(found, true, rtol=1e-12)
