"""Previews: every product has a picture, and what is in it stands where it belongs."""

from typing import Any

import numpy as np
import pytest

from lightwell_saxs.analysis.fitting import fit_particles
from lightwell_saxs.analysis.model_free import find_distances, fit_guinier, kratky
from lightwell_saxs.grazing_steps import cut_line, map_grazing
from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.plots import curve_plot, fit_plot
from lightwell_saxs.previews import PREVIEWS
from lightwell_saxs.products import Frames
from lightwell_saxs.profiles import AbsoluteProfiles, AverageProfile, Profiles, ReducedProfiles
from lightwell_saxs.steps import cut_ring, integrate, integrate_angles, integrate_cake

SHAPE = (90, 100)
GEOMETRY = Geometry(0.2, 0.008, 0.009, 0, 0, 0, 172e-6, 172e-6, 1e-10)
DRAW = {preview.of: preview.draw for preview in PREVIEWS}


def frames() -> Frames:
    q = pixel_positions(GEOMETRY, SHAPE).radial
    counts = np.random.default_rng(1).poisson(300 * np.exp(-(q**2)) + 5)
    return Frames.taken(counts.astype(np.int32), GEOMETRY)


def profiles(kind: type[Profiles] = Profiles) -> Profiles:
    """A Guinier curve of Rg 3 nm in a sphere's disguise, with one percent of noise."""
    q = np.linspace(0.05, 2.5, 160)
    x = q * 3.873
    curve = 100 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 + 1e-3
    sigma = 0.01 * curve + 1e-3
    noisy = curve + np.random.default_rng(2).normal(size=q.size) * sigma
    return kind.of(intensity=noisy[None], sigma=sigma[None], q=q, resolution=np.full(160, np.nan))


def mean() -> AverageProfile:
    one = profiles()
    rows = {"intensity": one.intensity[0], "sigma": one.sigma[0], "q": one.q}
    return AverageProfile.of(
        **rows, resolution=one.resolution, used=np.ones(1), longest_run=np.ones(1)
    )


def made() -> list[Any]:
    band: Any = {"q_min": 1.0, "q_max": 2.0}
    line: Any = {"along": "q_z", "across_min": 0.0, "across_max": 1.0}
    return [
        frames(),
        integrate(frames(), bins=40),
        integrate_angles(frames(), bins=40),
        integrate_cake(frames(), bins=20, azimuth_bins=12),
        cut_ring(frames(), azimuth_bins=24, **band),
        map_grazing(frames(), incidence=0.2, bins_xy=30, bins_z=30),
        cut_line(frames(), bins=20, **line),
        profiles(),
        profiles(ReducedProfiles),
        profiles(AbsoluteProfiles),
        mean(),
        fit_guinier(profiles()),
        fit_particles(profiles()),
        find_distances(profiles(), largest_distance=10.0),
        kratky(profiles()),
    ]


def test_every_product_has_a_picture(require: Any) -> None:
    require("numba")
    products = made()
    assert {type(product) for product in products} == set(DRAW)
    for product in products:
        picture = DRAW[type(product)](product)
        assert picture.ndim == 2
        assert np.isfinite(picture).all()
        assert len(np.unique(picture)) > 3, type(product).__name__


def test_rings_are_drawn_where_their_q_is() -> None:
    product = frames()
    q = pixel_positions(GEOMETRY, SHAPE).radial
    picture = DRAW[Frames](product)
    lit = picture == picture.max()
    near = np.abs(q - 2.0) < 0.02
    assert lit[near].mean() > 0.25
    assert lit[np.abs(q - 1.75) < 0.02].mean() < 0.1


def test_a_line_through_points_leaves_them_near_zero_below() -> None:
    x = np.linspace(0, 1, 30)
    y = np.exp(-x)
    good = fit_plot(x, y, 0.01 * y, y, "x")
    bad = fit_plot(x, y, 0.01 * y, y * 1.05, "x")
    lower = slice(440, 550)
    rows = [np.flatnonzero((part[lower, 95:875] == 0).sum(axis=1)) for part in (good, bad)]
    # In the middle without a misfit, five sigmas below it with one.
    assert np.ptp(rows[0][1:-1]) <= 6
    assert np.ptp(rows[1][1:-1]) > 30


@pytest.mark.parametrize("logarithmic", [True, False])
def test_curves_without_points_say_so(logarithmic: bool) -> None:
    empty = np.full(5, np.nan)
    for picture in (
        curve_plot(np.arange(5), empty, empty, "q", logarithmic=logarithmic),
        fit_plot(np.arange(5), empty, empty, empty, "q", logarithmic=logarithmic),
    ):
        assert picture.shape == (600, 900)
        assert (picture == 0).sum() < 2000


def test_a_failed_guinier_line_is_a_picture_too() -> None:
    q = np.linspace(0.1, 2, 60)
    rising = Profiles.taken(q, np.exp(q), 0.01 * np.exp(q))
    table = fit_guinier(rising, last_point=40)
    assert np.isnan(float(table.rg[0]))
    assert DRAW[type(table)](table).shape == (600, 900)


def test_a_curve_without_sigma_is_drawn() -> None:
    q = np.linspace(0.1, 2, 60)
    bare = Profiles.taken(q, np.exp(-q))
    assert (DRAW[Profiles](bare) == 0).sum() > 500
