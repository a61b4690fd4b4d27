"""Thousands of curves fitted at once, against the particles they were made of."""

from typing import Any

import jax
import numpy as np
import pytest

from lightwell.errors import ParameterError
from lightwell_saxs.analysis.fitting import fit_particles
from lightwell_saxs.kernels.particles import PARAMETERS, Particles, intensity
from lightwell_saxs.profiles import Profiles
from lightwell_saxs.recipes import fit

Q = np.linspace(0.05, 3.0, 60)


def simulated(model: Particles, seed: int, count: int, **values: Any) -> Profiles:
    """Noisy curves; a value is one for all or one per curve."""
    table = np.zeros((count, len(PARAMETERS)))
    for name, value in {"scale": 0.01, "background": 0.02, "contrast": 5.0, **values}.items():
        table[:, PARAMETERS.index(name)] = value
    with jax.enable_x64(True):
        exact = np.asarray(jax.jit(jax.vmap(lambda v: intensity(model, Q, v)))(table))
    sigma = 0.02 * exact + 0.003
    noise = np.random.default_rng(seed).normal(size=exact.shape)
    return Profiles.taken(Q, exact + noise * sigma, sigma)


@pytest.mark.slow
def test_ten_thousand_curves_in_one_call_have_honest_sigmas() -> None:
    radius = np.random.default_rng(2).uniform(2.0, 12.0, 10_000)
    curves = simulated(Particles(), 3, len(radius), radius=radius)
    table = fit_particles(curves, contrast=5.0)
    assert table.radius.shape == (10_000,)
    assert (table.converged == 1).all()
    pull = (np.asarray(table.radius) - radius) / np.asarray(table.radius_sigma)
    # Standard error of a standard deviation from 10 000 draws is 0.007.
    assert pull.std() == pytest.approx(1.0, abs=0.04)
    assert abs(pull.mean()) < 0.04
    assert np.abs(pull).max() < 6
    assert np.mean(table.chi_squared) == pytest.approx(1.0, abs=0.02)


def test_dense_polydisperse_spheres_are_found_again() -> None:
    model = Particles(distribution="schulz", structure="hard_spheres")
    truth = {"radius": np.array([4.0, 6.0, 8.0]), "polydispersity": 0.15, "volume_fraction": 0.2}
    curves = simulated(model, 4, 3, **truth)
    table = fit_particles(curves, distribution="schulz", structure="hard_spheres", contrast=5.0)
    for name, value in truth.items():
        error = np.asarray(getattr(table, name)) - value
        assert (np.abs(error) < 5 * np.asarray(getattr(table, f"{name}_sigma"))).all(), name
    assert np.isnan(table.length).all()
    covariance = np.asarray(table.covariance)[0]
    place = PARAMETERS.index("radius")
    assert covariance[place, place] == pytest.approx(float(table.radius_sigma[0]) ** 2)


def test_gaps_do_not_count_and_curves_without_errors_get_theirs_from_the_residuals() -> None:
    curves = simulated(Particles(), 5, 2, radius=5.0)
    intensity_with_gap = np.array(curves.intensity)
    intensity_with_gap[0, 10:20] = np.nan
    without = Profiles.taken(Q, intensity_with_gap)
    table = fit_particles(without, contrast=5.0)
    assert table.points.tolist() == [50.0, 60.0]
    np.testing.assert_allclose(table.radius, 5.0, rtol=0.02)
    assert (np.asarray(table.radius_sigma) > 0).all()


def test_what_is_fixed_stays() -> None:
    curves = simulated(Particles(), 6, 1, radius=5.0)
    table = fit_particles(curves, contrast=5.0, background=0.0, fixed=("background",))
    assert table.background.tolist() == [0.0]
    assert np.isnan(table.background_sigma).all()
    with pytest.raises(ParameterError, match="sphere has no parameter 'size'"):
        fit_particles(curves, fixed=("size",))
    with pytest.raises(ParameterError, match="are needed"):
        fit_particles(curves, q_min=2.99)


def test_the_recipe_is_called_saxs_fit() -> None:
    assert fit.name == "saxs.fit"
    assert list(fit.inputs()) == ["data"]
