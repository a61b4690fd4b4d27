import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.propagators import FarField, NearField

PROPAGATORS = [
    FarField(),
    NearField(1e-10, 1.12, (55e-6, 55e-6)),
    NearField(1e-10, 0.01, (5e-8, 7e-8), paraxial=True),
    # Half of its spectrum is evanescent.
    NearField(1e-6, 1e-5, (4e-7, 4e-7)),
]


def waves(seed=0, shape=(3, 24, 32)):
    random = np.random.default_rng(seed)
    value = random.standard_normal(shape) + 1j * random.standard_normal(shape)
    return value.astype(np.complex64)


@pytest.mark.parametrize("propagator", PROPAGATORS)
def test_backward_is_the_inverse_and_the_adjoint_of_forward(propagator):
    x, y = jnp.asarray(waves(0)), jnp.asarray(waves(1))
    forward = propagator.forward(x)
    np.testing.assert_allclose(propagator.backward(forward), x, atol=2e-5)
    np.testing.assert_allclose(
        jnp.vdot(y, forward), jnp.vdot(propagator.backward(y), x), rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(jnp.linalg.norm(forward), jnp.linalg.norm(x), rtol=1e-5)


@pytest.mark.parametrize("propagator", PROPAGATORS)
def test_the_unscaled_pair_differs_by_the_gain_alone(propagator):
    x = jnp.asarray(waves())
    spectrum = propagator.spectrum(x)
    np.testing.assert_allclose(
        spectrum, propagator.gain(x.shape) * propagator.forward(x), rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(propagator.exit_wave(spectrum), x, atol=2e-5)


def test_a_gaussian_beam_spreads_as_the_textbook_says():
    wavelength, waist, distance, pixel = 1e-9, 2e-6, 0.02, 1e-7
    y, x = (np.indices((256, 256)) - 128) * pixel
    beam = np.exp(-(y**2 + x**2) / waist**2).astype(np.complex64)
    for paraxial in (False, True):
        later = NearField(wavelength, distance, (pixel, pixel), paraxial).forward(jnp.asarray(beam))
        power = np.abs(np.asarray(later)) ** 2
        width = 2 * np.sqrt((power * y**2).sum() / power.sum())
        rayleigh = np.pi * waist**2 / wavelength
        assert width == pytest.approx(waist * np.sqrt(1 + (distance / rayleigh) ** 2), rel=1e-3)


def test_a_near_pattern_is_upright_and_a_far_one_begins_at_zero_frequency():
    image = np.zeros((32, 32), np.complex64)
    image[5, 9] = 1
    near = NearField(1e-10, 1e-6, (1e-6, 1e-6)).forward(jnp.asarray(image))
    assert np.unravel_index(np.abs(np.asarray(near)).argmax(), (32, 32)) == (5, 9)
    far = FarField().forward(jnp.ones((32, 32), jnp.complex64))
    assert np.unravel_index(np.abs(np.asarray(far)).argmax(), (32, 32)) == (0, 0)
