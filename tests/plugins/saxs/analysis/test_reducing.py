"""Averages, subtraction, absolute scale and merging: errors against the spread of simulations."""

import itertools
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jax.numpy as jnp
import numpy as np
import pytest

from lightwell.errors import InputError, ParameterError
from lightwell_saxs.analysis.averaging import average_alike
from lightwell_saxs.analysis.reducing import merge, scale_to_standard, subtract_background
from lightwell_saxs.kernels.likeness import longest_run, run_probability
from lightwell_saxs.profiles import AverageProfile, Profiles

Q = np.linspace(0.1, 3.0, 120)
CURVE = 50 * np.exp(-((Q * 1.5) ** 2) / 3) + 1.0


def noisy(count: int, seed: int, curve: Any = CURVE, sigma: float = 0.2) -> Profiles:
    noise = np.random.default_rng(seed).normal(size=(count, len(Q)))
    return Profiles.taken(Q, curve + sigma * noise, np.full((count, len(Q)), sigma))


@pytest.mark.parametrize("points", [1, 2, 5, 9])
def test_probabilities_of_runs_are_those_of_all_sequences(points: int) -> None:
    runs = [
        max(len(list(group)) for _, group in itertools.groupby(signs))
        for signs in itertools.product((0, 1), repeat=points)
    ]
    for run in range(1, points + 2):
        share = np.mean([found >= run for found in runs])
        assert run_probability(points, run) == pytest.approx(share)


def test_the_longest_run_passes_over_gaps() -> None:
    difference = [1, 2, np.nan, 3, -1, -1, 4, np.nan, np.nan, 5]
    assert int(longest_run(jnp.array(difference))) == 3
    assert int(longest_run(jnp.array([np.nan, -1.0, -2.0, 1.0]))) == 2


def test_curves_that_differ_are_left_out_and_the_error_is_that_of_the_mean() -> None:
    curves = noisy(20, 1)
    damaged = np.array(curves.intensity)
    damaged[7] *= 1.1
    found = average_alike(Profiles.taken(Q, damaged, curves.sigma))
    assert np.flatnonzero(np.asarray(found.used) == 0).tolist() == [7]
    np.testing.assert_allclose(found.sigma, 0.2 / 19**0.5, rtol=1e-5)
    pull = (np.asarray(found.intensity) - CURVE) / np.asarray(found.sigma)
    assert pull.std() == pytest.approx(1.0, abs=0.25)
    everything = average_alike(Profiles.taken(Q, damaged, curves.sigma), keep_all=True)
    assert np.asarray(everything.used).all()


def test_likeness_is_rejected_as_often_as_its_significance_says() -> None:
    curves = noisy(400, 2)
    found = average_alike(curves, significance=0.5)
    # Every curve shares the first one, so the rate for the whole set is not that of one pair.
    assert np.mean(np.asarray(found.used)) > 0.98


def test_subtraction_propagates_every_error() -> None:
    background = average_alike(noisy(1, 3, np.full(len(Q), 2.0), 0.1))
    given = {"transmission": 0.5, "background_transmission": 0.8, "thickness": 0.1, "factor": 3.0}
    found = subtract_background(noisy(1, 4), background, **given)
    expected = 3.0 / 0.1 * (CURVE / 0.5 - 2.0 / 0.8)
    sigma = 3.0 / 0.1 * np.hypot(0.2 / 0.5, 0.1 / 0.8)
    np.testing.assert_allclose(found.sigma[0], sigma, rtol=1e-4)
    assert np.std((np.asarray(found.intensity[0]) - expected) / sigma) == pytest.approx(1, abs=0.25)
    uncertain = subtract_background(
        noisy(1, 4), background, **given, transmission_sigma=0.05, factor_sigma=0.3
    )
    counted = np.asarray(noisy(1, 4).intensity[0])
    direct = np.asarray(found.intensity[0])
    relative = np.sqrt(
        (0.3 / 3.0 * direct) ** 2 + (3.0 / 0.1 * counted / 0.5 * 0.1) ** 2 + sigma**2
    )
    np.testing.assert_allclose(uncertain.sigma[0], relative, rtol=1e-4)
    with pytest.raises(ParameterError, match="transmission = 0"):
        subtract_background(noisy(1, 4), background, transmission=0.0)


def test_a_background_elsewhere_is_refused() -> None:
    elsewhere = AverageProfile.of(
        intensity=np.ones(3),
        sigma=np.ones(3),
        q=np.array([10.0, 11.0, 12.0]),
        resolution=np.ones(3),
        used=np.ones(1),
        longest_run=np.ones(1),
    )
    with pytest.raises(InputError, match="the background has no point"):
        subtract_background(noisy(1, 5), elsewhere)


def test_glassy_carbon_gives_the_factor_back(shared_data: Path) -> None:
    path = shared_data / "saxs_waxs/glassy_carbon/12_10_GlassyCarbon_C4_12keV.xml"
    space = "{cansas1d/1.0}"
    rows = [
        [float(point.findtext(f"{space}{name}", "nan")) for name in ("Q", "I", "Idev")]
        for point in ElementTree.parse(path).iter(f"{space}Idata")  # noqa: S314
    ]
    q, intensity, sigma = np.array(rows).T
    standard = average_alike(Profiles.taken(q * 10, intensity, sigma))
    seen = (q > 0.01) & (q < 0.15)
    noise = np.random.default_rng(6).normal(size=np.count_nonzero(seen))
    own = intensity[seen] / 250.0
    counted = Profiles.taken(q[seen] * 10, own * (1 + 0.01 * noise), 0.01 * own)
    found = scale_to_standard(counted, standard)
    ratio = np.asarray(found.intensity[0]) / np.asarray(counted.intensity[0])
    assert ratio.std() < 1e-5 * ratio.mean()
    assert ratio.mean() == pytest.approx(250.0, rel=0.01)


def test_ranges_are_merged_with_every_point() -> None:
    low, high = Q < 1.5, Q > 1.0
    whole = noisy(2, 7)
    near = Profiles.taken(Q[low], whole.intensity[:, low], whole.sigma[:, low], 0.01 * Q[low])
    far = Profiles.taken(Q[high], CURVE[high] / 40, np.full(high.sum(), 0.2 / 40), 0.05 * Q[high])
    found = merge(near, average_alike(far))
    assert found.intensity.shape == (2, low.sum() + high.sum())
    assert (np.diff(found.q) >= 0).all()
    pull = (np.asarray(found.intensity) - np.interp(found.q, Q, CURVE)) / np.asarray(found.sigma)
    assert np.abs(pull).max() < 5
    assert np.isfinite(found.resolution).all()
