"""Least squares against scipy's, with walls and parameters that do not move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from lightwell_numerics.levenberg_marquardt import levenberg_marquardt

X = np.linspace(0.0, 4.0, 40)


def decay(p: jax.Array) -> jax.Array:
    return p[0] * jnp.exp(-p[1] * X) + p[2]


@pytest.mark.parametrize("seed", range(2))
def test_values_and_covariance_are_those_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    with jax.enable_x64(True):
        truth = jnp.array([random.uniform(1, 5), random.uniform(0.5, 2), random.uniform(-1, 1)])
        measured = np.asarray(decay(truth)) + 0.05 * random.normal(size=len(X))
        fit = levenberg_marquardt(
            lambda p: (decay(p) - measured) / 0.05,
            jnp.ones(3),
            lower=jnp.full(3, -50.0),
            upper=jnp.full(3, 50.0),
        )

        def plain(x: object, *p: float) -> object:
            return np.asarray(decay(jnp.array(p)))

        values, covariance = optimize.curve_fit(
            plain, X, measured, np.ones(3), np.full(len(X), 0.05), absolute_sigma=True
        )
    assert bool(fit.converged)
    np.testing.assert_allclose(fit.values, values, rtol=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-2)


def test_walls_hold_and_do_not_hold_back_the_others() -> None:
    with jax.enable_x64(True):
        fit = levenberg_marquardt(
            lambda p: jnp.array([p[0] + 3.0, 10.0 * (p[1] - p[0] - 2.0)]),
            jnp.ones(2),
            lower=jnp.zeros(2),
            upper=jnp.full(2, 9.0),
        )
    assert fit.values.tolist() == pytest.approx([0.0, 2.0], abs=1e-6)


def test_parameters_that_are_not_free_or_not_seen_say_so() -> None:
    with jax.enable_x64(True):
        fit = levenberg_marquardt(
            lambda p: p[:1] - 2.0,
            jnp.array([1.0, 7.0, 8.0]),
            lower=jnp.zeros(3),
            upper=jnp.full(3, 9.0),
            free=jnp.array([True, False, True]),
        )
    values, covariance = np.asarray(fit.values), np.asarray(fit.covariance)
    assert values.tolist() == [2.0, 7.0, 8.0]
    assert np.isnan(covariance[1, 1])
    assert np.isinf(covariance[2, 2])
