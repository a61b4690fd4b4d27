"""Shares of pixels: nothing lost, nothing twice, exact areas, across ±π and at the beam."""

import math
from typing import Any

import numpy as np
import pytest

from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.kernels.splitting import Axis, Splitting, build_operator, full_range

SHAPE = (60, 50)
GEOMETRY = Geometry(0.1, 0.0052, 0.0047, 0.01, -0.02, 0.2, 172e-6, 172e-6, 1e-10)
PLACES = pixel_positions(GEOMETRY, SHAPE)
EVERY = np.ones(SHAPE, np.bool_)
WIDE = Axis(0.0, 1.01 * full_range(PLACES, EVERY)[1], 40)
ROUND = Axis(-math.pi, math.pi, 36)


def totals(operator: Any) -> Any:
    shares = operator.coefficients.astype(np.float64)
    return np.bincount(operator.pixels, shares, operator.pixel_count)


@pytest.mark.parametrize("splitting", ["none", "full", "levelled"])
@pytest.mark.parametrize("azimuthal", [None, ROUND])
def test_every_pixel_is_shared_out_whole(splitting: Splitting, azimuthal: Axis | None) -> None:
    operator = build_operator(PLACES, EVERY, WIDE, azimuthal, splitting=splitting)
    found = totals(operator)
    # Levelled edges are not exact where the beam's pixel winds round.
    if splitting == "levelled":
        found = np.delete(found, np.argmin(PLACES.radial))
    np.testing.assert_allclose(found, 1.0, atol=1e-5)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_masked_pixels_have_no_share(splitting: Splitting) -> None:
    valid = np.random.default_rng(0).random(SHAPE) > 0.3
    operator = build_operator(PLACES, valid, WIDE, splitting=splitting)
    assert not np.any(totals(operator)[~valid.reshape(-1)])


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_a_cake_summed_over_azimuth_is_the_curve(splitting: Splitting) -> None:
    image = np.random.default_rng(1).random(SHAPE)
    curve = build_operator(PLACES, EVERY, WIDE, splitting=splitting).sums(image)
    cake = build_operator(PLACES, EVERY, WIDE, ROUND, splitting=splitting).sums(image)
    # The rectangle round the beam's pixel is wider than a whole turn: that part is lost.
    start = 3 if splitting == "bbox" else 0
    summed = cake.reshape(36, 40).sum(axis=0)
    np.testing.assert_allclose(summed[start:], curve[start:], rtol=1e-5)


def test_full_shares_are_those_of_many_random_points() -> None:
    """Points of the quadrilateral in (radial, azimuthal) space, one pixel far from the beam."""
    pixel = (5, 44)
    axis, around = Axis(0.0, WIDE.last, 300), Axis(-math.pi, math.pi, 720)
    valid = np.zeros(SHAPE, np.bool_)
    valid[pixel] = True
    operator = build_operator(PLACES, valid, axis, around, splitting="full")
    u, v = np.random.default_rng(2).random((2, 400000))
    corners = [c[pixel] for c in (PLACES.radial_corners, PLACES.azimuth_corners)]
    # Bilinear: even in area to the small change of its Jacobian, which the weight takes.
    r, chi = (
        (1 - u) * (1 - v) * c[0] + (1 - u) * v * c[3] + u * (1 - v) * c[1] + u * v * c[2]
        for c in corners
    )
    (ra, rb, rc, rd), (ca, cb, cc, cd) = corners
    dr = ((1 - v) * (rb - ra) + v * (rc - rd), (1 - u) * (rd - ra) + u * (rc - rb))
    dc = ((1 - v) * (cb - ca) + v * (cc - cd), (1 - u) * (cd - ca) + u * (cc - cb))
    weight = np.abs(dr[0] * dc[1] - dr[1] * dc[0])
    cell = np.floor(around.coordinate(chi)).astype(int) * 300
    cell = cell + np.floor(axis.coordinate(r)).astype(int)
    expected = np.bincount(cell, weight / weight.sum(), operator.bins)
    found = np.zeros(operator.bins)
    owner = np.repeat(np.arange(operator.bins), np.diff(operator.pointer))
    found[owner] = operator.coefficients
    assert (found > 0.01).sum() >= 4
    np.testing.assert_allclose(found, expected, atol=4e-3)


def test_a_pixel_across_pi_is_on_both_sides() -> None:
    spread = np.ptp(PLACES.azimuth_corners, axis=-1) > math.pi
    away = PLACES.radial_corners.min(axis=-1) > WIDE.width
    assert (spread & away).any()
    operator = build_operator(PLACES, spread & away, WIDE, ROUND, splitting="full")
    rows = operator.sums(np.ones(SHAPE)).reshape(36, 40).sum(axis=1)
    assert rows[0] > 0
    assert rows[-1] > 0
    # One close to the beam is wide.
    assert not rows[3:-3].any()


def test_a_sector_may_go_across_pi() -> None:
    low, high = math.radians(170), math.radians(-170)
    operator = build_operator(PLACES, EVERY, WIDE, splitting="none", sector=(low, high))
    inside = np.unique(operator.pixels)
    assert np.all(np.abs(PLACES.azimuth.reshape(-1)[inside]) >= low)
    assert len(inside) == (np.abs(PLACES.azimuth) >= low).sum()
