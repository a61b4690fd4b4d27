"""Stripe removal by sorting, in both its forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from lightwell_tomography.kernels.stripes import median_along, remove_stripes, remove_stripes_host
from lightwell_tomography.phantoms import project, shepp_logan


def _sinograms() -> NDArray[np.float32]:
    return project(shepp_logan(2, attenuation=0.02), np.linspace(0.0, 180.0, 91), 128, 60.0)


@pytest.mark.parametrize("window", [3, 9, 21])
def test_both_forms_give_the_same_values(window: int) -> None:
    random = np.random.default_rng(window)
    noisy = random.normal(size=(40, 3, 33)).astype(np.float32)
    noisy[::5] = 0.0
    noisy[1::5] = -0.0
    traced = jax.jit(remove_stripes, static_argnums=1)(noisy, window)
    np.testing.assert_array_equal(traced, remove_stripes_host(noisy, window))


def test_running_median_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    np.testing.assert_array_equal(
        median_along(jnp.asarray(values), 11, 1), median_filter(values, (1, 11), mode="reflect")
    )


def test_a_stripe_goes_and_the_rest_stays() -> None:
    clean = _sinograms()
    striped = clean.copy()
    striped[:, :, 50:52] += 0.1
    repaired = remove_stripes_host(striped, 11)
    assert np.abs(repaired - clean)[:, :, 50:52].mean() < 0.15 * 0.1
    assert np.abs(repaired - clean).mean() < 0.01 * clean.mean()


def test_smooth_sinograms_are_nearly_unchanged() -> None:
    angle, x = np.deg2rad(np.arange(0.0, 180.0, 2.0))[:, None, None], np.arange(128.0)
    smooth = np.exp(-np.square((x - 64.0 - 10.0 * np.cos(angle)) / 25.0)).astype(np.float32)
    # What the filter shaves off is the very top of the peak and nothing else.
    change = np.abs(remove_stripes_host(smooth, 5) - smooth)
    assert change.max() < 0.04
    assert change.mean() < 0.005


def test_gradient_follows_the_selected_values() -> None:
    noisy = np.random.default_rng(3).normal(size=(12, 1, 15)).astype(np.float32)
    slope = jax.grad(lambda s: remove_stripes(s, 5).sum())(jnp.asarray(noisy))
    assert float(slope.sum()) == pytest.approx(noisy.size)


@pytest.mark.parametrize("window", [4, 1, 9])
def test_windows_that_do_not_fit_are_refused(window: int) -> None:
    for form in (remove_stripes, remove_stripes_host):
        with pytest.raises(ValueError, match="window"):
            form(jnp.zeros((5, 1, 8)), window)
