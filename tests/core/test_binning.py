"""Binning averages what it reads, reads no more than that, and keeps places where they are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.binning import BinnedArray, binned_entry, binned_place, full_place
from lightwell.model import Detector, Entry, Instrument
from lightwell.stacks import ArrayInMemory

CUT = st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(1, 3)).map(lambda c: slice(*c))


@settings(deadline=None, max_examples=60)
@given(
    factors=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)),
    cuts=st.lists(CUT, max_size=3).map(tuple),
    kind=st.sampled_from(["uint16", "float32", "int8"]),
)
def test_any_part_is_that_part_of_the_binned_whole(
    factors: tuple[int, ...], cuts: tuple[slice, ...], kind: str
) -> None:
    values = (np.random.default_rng(0).random((9, 11, 7)) * 100).astype(kind)
    binned = BinnedArray.along(ArrayInMemory(values), "zyx", dict(zip("zyx", factors, strict=True)))
    cropped = values[tuple(slice(n // f * f) for n, f in zip(values.shape, factors, strict=True))]
    shape = [n for each, f in zip(cropped.shape, factors, strict=True) for n in (each // f, f)]
    whole = cropped.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float64)
    found = binned.read(cuts)
    np.testing.assert_array_equal(found, whole.astype(binned.dtype)[cuts])
    assert found.dtype == binned.dtype


def test_members_of_the_first_axis_come_in_any_order() -> None:
    values = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)
    binned = BinnedArray(ArrayInMemory(values), (1, 3, 2))
    np.testing.assert_array_equal(binned.read((np.array([4, 0]),)), binned.read()[[4, 0]])


def test_an_array_without_binned_axes_stays_what_it_is() -> None:
    array = ArrayInMemory(np.zeros((4, 2)))
    assert BinnedArray.along(array, ("angle", "x"), {"row": 2}) is array
    assert BinnedArray.along(array, ("angle", "x"), {"x": 1}) is array


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_a_place_is_where_the_mean_of_the_coordinates_says(factor: int) -> None:
    pixels = np.arange(24.0)
    centres: Any = BinnedArray(ArrayInMemory(pixels), (factor,)).read()
    for index, place in enumerate(centres):
        assert binned_place(float(place), factor) == index
        assert full_place(index, factor) == place


def test_the_entry_of_larger_pixels() -> None:
    detector = Detector(x_pixel_size=6.5e-6, y_pixel_size=7e-6, beam_center_x=100.5)
    entry = Entry(instrument=Instrument(detector=detector))
    binned = binned_entry(entry, 2)
    assert binned.lookup("canonical.pixel_size") == 13e-6
    assert binned.lookup("instrument.detector.y_pixel_size") == 14e-6
    assert binned.lookup("instrument.detector.beam_center_x") == 50.0
    assert binned_entry(entry, 1) is entry
    assert binned_entry(Entry(), 4) == Entry()
