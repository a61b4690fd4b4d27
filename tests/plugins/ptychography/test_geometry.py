import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell_ptychography.geometry import (
    Sampling,
    beam_positions,
    far_field_pixel,
    near_field_pixel,
    object_extent,
)

lengths = st.floats(-1e-3, 1e-3, allow_nan=False)


@settings(deadline=None)
@given(
    places=st.lists(st.tuples(lengths, lengths), min_size=1, max_size=30),
    pixel=st.tuples(st.floats(1e-9, 1e-5), st.floats(1e-9, 1e-5)),
    margin=st.integers(0, 10),
)
def test_metres_survive_the_way_to_pixels_and_back(places, pixel, margin):
    positions = np.array(places)
    sampling = Sampling.of(positions, pixel, (32, 48), margin)
    corners = sampling.to_pixels(positions)
    # float32 corners: half an ulp of the largest.
    tolerance = np.asarray(pixel) * np.spacing(np.abs(corners).max(axis=0))
    assert np.all(np.abs(sampling.to_metres(corners) - positions) <= tolerance + 1e-18)
    assert corners.min() >= margin - 1e-3
    reach = corners.max(axis=0) + np.array([32, 48])
    assert np.all(reach <= np.asarray(sampling.shape) + 0.01 * (1 + np.spacing(corners.max())))


def test_the_centre_of_the_probe_is_where_the_beam_is():
    positions = np.array([[0.0, 0.0], [3e-6, -2e-6]])
    sampling = Sampling.of(positions, (1e-7, 2e-7), (16, 20))
    rows, columns = sampling.axes()
    for place, corner in zip(positions, sampling.to_pixels(positions), strict=True):
        centre = np.round(corner).astype(int) + np.array([8, 10])
        assert rows[centre[0]] == pytest.approx(place[0], abs=1e-12)
        assert columns[centre[1]] == pytest.approx(place[1], abs=1e-12)


def test_a_sample_moved_right_is_hit_further_left():
    assert beam_positions([[1e-6, -2e-6]]).tolist() == [[-1e-6, 2e-6]]


def test_pixels_of_both_regimes():
    assert far_field_pixel(1e-10, 2.0, (50e-6, 100e-6), (128, 64)) == pytest.approx(
        (3.125e-8, 3.125e-8)
    )
    assert near_field_pixel((55e-6, 55e-6), 11.0) == pytest.approx((5e-6, 5e-6))


def test_the_object_holds_every_frame():
    shape, corners = object_extent([[-3.5, 10.0], [4.25, 12.0]], (8, 6), margin=2)
    assert corners.tolist() == [[2.0, 2.0], [9.75, 4.0]]
    assert shape == (20, 12)
