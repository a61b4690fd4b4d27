"""What is shared out among devices; on a machine with one, two are made of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from virtual_devices import run_on_devices

from lightwell.errors import ParameterError
from lightwell_ptychography.objective import Model, in_chunks, value_and_gradient
from lightwell_ptychography.problem import Patterns, Reconstruction


def problem():
    random = np.random.default_rng(0)
    wave = random.standard_normal((2, 8, 8)) + 1j * random.standard_normal((2, 8, 8))
    positions = jnp.asarray(random.uniform(0, 4, (11, 2)), jnp.float32)
    found = Reconstruction(
        jnp.ones((1, 12, 12), jnp.complex64), jnp.asarray(9 * wave, jnp.complex64), positions
    )
    frames = jnp.asarray(random.poisson(100, (11, 8, 8)), jnp.float32)
    return found, Patterns(frames, jnp.ones((8, 8), bool), positions)


def compare():
    found, patterns = problem()
    order = in_chunks(11, (2, 8, 8), 4)
    one = value_and_gradient(found, patterns, Model(), *order)
    two = value_and_gradient(found, patterns, Model(), *order, devices=2)
    for alone, shared in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        scale = float(jnp.abs(alone).max())
        np.testing.assert_allclose(alone, shared, rtol=1e-4, atol=1e-5 * scale)


def test_two_devices_find_the_loss_and_gradient_of_one():
    run_on_devices(__file__, 2)


def test_more_devices_than_there_are_is_an_error():
    found, patterns = problem()
    order = in_chunks(11, (2, 8, 8))
    with pytest.raises(ParameterError, match="1000 devices are asked for"):
        value_and_gradient(found, patterns, Model(), *order, devices=1000)


if __name__ == "__main__":
    compare()
