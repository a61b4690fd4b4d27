"""Guinier, Porod, Kratky and p(r): published values of a protein, and spheres of known size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from lightwell.errors import ParameterError
from lightwell_saxs.analysis.model_free import (
    find_distances,
    fit_guinier,
    fit_porod_tail,
    kratky,
)
from lightwell_saxs.profiles import Profiles

RADIUS = 5.0
RG = RADIUS * 0.6**0.5
Q = np.linspace(0.02, 3.0, 200)


def spheres(count: int, seed: int, *, errors: bool = True) -> Profiles:
    amplitude = 3 * special.spherical_jn(1, Q * RADIUS) / (Q * RADIUS)
    sigma = 0.01 * amplitude**2 + 1e-5
    noise = np.random.default_rng(seed).normal(size=(count, len(Q)))
    return Profiles.taken(Q, amplitude**2 + noise * sigma, [sigma] * count if errors else None)


@pytest.fixture
def glucose_isomerase(shared_data: Path) -> Profiles:
    """The curve published with RAW, in 1/nm."""
    lines = (shared_data / "saxs_waxs/raw_biosaxs/glucose_isomerase.dat").read_text().splitlines()
    rows = [line.split() for line in lines if line[:1].isdigit()]
    q, intensity, sigma = np.array(rows, float).T
    return Profiles.taken(q * 10, intensity, sigma)


def test_published_guinier_values_come_out_on_the_same_points(glucose_isomerase: Profiles) -> None:
    # RAW's own tests: points 0 to 42 give Rg 33.29883 ± 0.3225 Å, I(0) 0.0609925.
    found = fit_guinier(glucose_isomerase, first_point=0, last_point=42)
    assert float(found.rg[0]) * 10 == pytest.approx(33.29883, abs=0.1 * 0.3225)
    assert float(found.rg_sigma[0]) * 10 == pytest.approx(0.3225, rel=1e-3)
    assert float(found.i0[0]) == pytest.approx(0.0609925, abs=0.1 * float(found.i0_sigma[0]))
    assert found.verdict.tolist() == [2.0]
    # And its range found by itself, points 8 to 50: Rg 33.89358, I(0) 0.0615817.
    found = fit_guinier(glucose_isomerase, first_point=8, last_point=50)
    assert float(found.rg[0]) * 10 == pytest.approx(33.89358, abs=0.1 * 0.24)
    assert float(found.i0[0]) == pytest.approx(0.0615817, abs=0.1 * float(found.i0_sigma[0]))


def test_the_range_found_is_the_one_kept_in_the_file(glucose_isomerase: Profiles) -> None:
    # Its header: nStart 0, nEnd 49, Rg 33.607769 ± 0.230138, I(0) 0.0612246.
    found = fit_guinier(glucose_isomerase)
    assert (found.first.tolist(), found.last.tolist()) == ([0.0], [49.0])
    assert float(found.rg[0]) * 10 == pytest.approx(33.607769, abs=0.023)
    assert float(found.i0[0]) == pytest.approx(0.0612246, abs=3e-5)
    assert 0 < float(found.rg_spread[0]) < 0.2


def test_published_distances_come_out(glucose_isomerase: Profiles) -> None:
    # GNOM's Rg in the header: 33.52 Å, BIFT's 33.23; their largest distances 101 and 104.5 Å.
    found = find_distances(glucose_isomerase)
    assert float(found.rg[0]) * 10 == pytest.approx(33.4, abs=0.6)
    assert float(found.i0[0]) == pytest.approx(0.0612, rel=0.01)
    assert 85 < float(found.largest[0]) * 10 < 115
    assert float(found.chi_squared[0]) < 1.4


def test_sigmas_of_a_thousand_guinier_lines_are_honest() -> None:
    found = fit_guinier(spheres(1000, 1), last_point=20)
    # A line through a curve that is none is a little low; its truth is the line without noise.
    truth = float(fit_guinier(spheres(1, 2, errors=True), last_point=20).rg[0])
    pull = (np.asarray(found.rg) - np.mean(found.rg)) / np.asarray(found.rg_sigma)
    assert pull.std() == pytest.approx(1.0, abs=0.1)
    assert truth == pytest.approx(RG, rel=0.05)
    assert found.rg.shape == (1000,)


def test_rising_curves_fail_and_bent_ones_are_doubtful() -> None:
    rising = np.exp(0.1 * Q**2)
    bent = np.exp(-2.0 * Q)
    curves = np.stack([rising, bent])
    found = fit_guinier(Profiles.taken(Q, curves, 0.001 * curves), last_point=40)
    assert found.verdict.tolist() == [0.0, 1.0]
    assert np.isnan(found.rg[0])


def test_ranges_that_are_none_are_refused() -> None:
    curves = spheres(1, 3)
    with pytest.raises(ParameterError, match="not as both"):
        fit_guinier(curves, q_max=1.0, last_point=20)
    with pytest.raises(ParameterError, match="make no range"):
        fit_guinier(curves, first_point=30, last_point=20)


def test_porod_and_invariant_of_a_smooth_two_phase_curve() -> None:
    # Debye, Anderson and Brumberger 1957: I = I0/(1 + q²a²)², exact in every limit.
    a, i0 = 2.0, 100.0
    q = np.geomspace(0.01, 20.0, 600)
    curve = i0 / (1 + (q * a) ** 2) ** 2 + 0.01
    found = fit_porod_tail(Profiles.taken(q, curve, 0.01 * curve), tail_min=6.0)
    assert float(found.background[0]) == pytest.approx(0.01, rel=0.05)
    assert float(found.constant[0]) == pytest.approx(i0 / a**4, rel=0.05)
    assert float(found.invariant[0]) == pytest.approx(np.pi * i0 / (4 * a**3), rel=0.02)


def test_a_globule_has_its_kratky_maximum_where_it_belongs() -> None:
    found = kratky(spheres(1, 4))
    x, y = np.asarray(found.q_rg[0]), np.asarray(found.kratky[0])
    peak = int(np.argmax(y))
    assert x[peak] == pytest.approx(3**0.5, abs=0.15)
    assert y[peak] == pytest.approx(1.104, abs=0.05)


def test_distances_of_a_sphere_are_known() -> None:
    found = find_distances(spheres(2, 5))
    np.testing.assert_allclose(found.rg, RG, rtol=2e-3)
    np.testing.assert_allclose(found.largest, 2 * RADIUS, rtol=0.02)
    r = np.asarray(found.r[0])
    x = np.clip(r / (2 * RADIUS), 0, 1)
    exact: Any = r**2 * (1 - 1.5 * x + 0.5 * x**3)
    exact /= 4 * np.pi * np.sum(exact) * (r[1] - r[0])
    assert np.abs(np.asarray(found.p[0]) - exact).max() < 0.02 * exact.max()


def test_distances_of_many_spheres_are_right_on_the_mean_and_their_sigmas_honest() -> None:
    found = find_distances(spheres(40, 6))
    for name, truth in (("rg", RG), ("i0", 1.0)):
        values, sigma = (np.asarray(getattr(found, one)) for one in (name, f"{name}_sigma"))
        pull = (values - truth) / sigma
        assert abs(pull.mean()) < 3 / np.sqrt(40) + 0.1, name
        assert 0.6 < pull.std() < 1.4, name
    assert np.asarray(found.largest).mean() == pytest.approx(2 * RADIUS, rel=0.01)
    given = find_distances(spheres(2, 6), largest_distance=2 * RADIUS)
    assert np.asarray(given.largest_sigma).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(given.rg, RG, rtol=2e-3)
