"""Flat-field correction: drift, dead pixels, bad counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell_tomography.kernels.flatfield import flat_weights, minus_log, normalise

FRAMES = np.arange(11)


def _drifting_scan() -> tuple[jax.Array, jax.Array, jax.Array]:
    """Beam rising from 1000 to 1500 counts over eleven views, a sample that lets half through."""
    beam = 1000.0 + 50.0 * FRAMES
    frames = np.ones((11, 2, 3)) * (0.5 * beam)[:, None, None] + 100.0
    flats = np.ones((4, 2, 3)) * np.array([1000.0, 1000.0, 1500.0, 1500.0])[:, None, None] + 100.0
    darks = np.full((2, 2, 3), 100.0)
    return jnp.float32(frames), jnp.float32(flats), jnp.float32(darks)


def test_linear_drift_between_two_groups_is_followed_exactly() -> None:
    frames, flats, darks = _drifting_scan()
    followed = normalise(frames, flats, darks, flat_weights(FRAMES, [0, 0, 10, 10]), 1e-3)
    np.testing.assert_allclose(followed, 0.5, rtol=1e-6)
    averaged = normalise(frames, flats, darks, flat_weights(FRAMES, [0, 0, 0, 0]), 1e-3)
    assert abs(float(averaged[0, 0, 0]) - 0.5) > 0.05


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_weights_are_shares_of_neighbouring_groups(positions: list[int]) -> None:
    frames = np.arange(-3.0, 45.0)
    weights = flat_weights(frames, positions)
    np.testing.assert_allclose(weights.average.sum(axis=1), 1.0, rtol=1e-6)
    # The positions themselves are interpolated: inside they come back, outside they are held.
    groups = weights.average @ np.asarray(positions, np.float64)
    share = weights.upper_weight
    found = (1.0 - share) * groups[weights.lower] + share * groups[weights.upper]
    np.testing.assert_allclose(found, np.clip(frames, min(positions), max(positions)), atol=1e-4)


def test_dead_pixels_get_the_floor_and_bad_counts_stay_bad() -> None:
    frames, flats, darks = _drifting_scan()
    flats = flats.at[:, 0, 0].set(100.0).at[2, 0, 1].set(np.nan)
    frames = frames.at[3, 1, 1].set(np.nan).at[4, 1, 2].set(0.0)
    weights = flat_weights(FRAMES, [0, 0, 10, 10])
    transmission = np.asarray(normalise(frames, flats, darks, weights, 0.01))
    assert (transmission[:, 0, 0] == np.float32(0.01)).all()
    assert np.isnan(transmission[1:, 0, 1]).all()
    assert transmission[0, 0, 1] == 0.5
    assert np.isnan(transmission[3, 1, 1])
    assert np.isnan(transmission).sum() == 11
    assert transmission[4, 1, 2] == np.float32(0.01)


def test_integers_jit_and_gradient() -> None:
    frames, flats, darks = _drifting_scan()
    weights = flat_weights(FRAMES, [0, 0, 10, 10])
    run = jax.jit(lambda f: minus_log(normalise(f, flats, darks, weights, 1e-3)))
    np.testing.assert_allclose(run(frames.astype(np.uint16)), np.log(2.0), rtol=1e-5)
    flats = flats.at[:, 0, 0].set(100.0)
    run = jax.jit(lambda f: minus_log(normalise(f, flats, darks, weights, 1e-3)))
    slope = jax.grad(lambda f: run(f).sum())(frames)
    assert bool(jnp.isfinite(slope).all())


def test_missing_flats_and_darks_are_refused() -> None:
    frames, flats, darks = _drifting_scan()
    with pytest.raises(ValueError, match="single flat"):
        flat_weights(FRAMES, [])
    with pytest.raises(ValueError, match="finite"):
        flat_weights(FRAMES, [np.nan])
    with pytest.raises(ValueError, match="single dark"):
        normalise(frames, flats, darks[:0], flat_weights(FRAMES, [0, 0, 0, 0]), 1e-3)
