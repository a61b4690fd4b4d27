import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell_ptychography.exit_waves import intensity
from lightwell_ptychography.probe_modes import mode_powers, orthogonalised


def mixed(modes, seed, scale=1.0):
    random = np.random.default_rng(seed)
    shape = (modes, 12, 10)
    waves = random.standard_normal(shape) + 1j * random.standard_normal(shape)
    return jnp.asarray(scale * waves, jnp.complex64)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 5), st.integers(0, 1000), st.sampled_from([1e-4, 1.0, 1e5]))
def test_modes_are_at_right_angles_and_the_patterns_stay(modes, seed, scale):
    probe = mixed(modes, seed, scale)
    straight = orthogonalised(probe)
    flat = np.asarray(straight, np.complex128).reshape(modes, -1)
    overlaps = flat @ flat.conj().T
    assert np.abs(overlaps - np.diag(np.diag(overlaps))).max() < 1e-3 * overlaps[0, 0].real
    powers = np.asarray(mode_powers(straight))
    assert np.all(np.diff(powers) <= 1e-6)
    before = intensity(jnp.fft.fft2(probe)[None])
    after = intensity(jnp.fft.fft2(straight)[None])
    np.testing.assert_allclose(after, before, rtol=1e-2, atol=1e-4 * float(before.max()))


def test_no_light_and_equal_modes_make_no_nan():
    assert np.isfinite(orthogonalised(jnp.zeros((3, 8, 8), jnp.complex64))).all()
    same = jnp.repeat(mixed(1, 0), 3, axis=0)
    assert np.isfinite(orthogonalised(same)).all()
    assert mode_powers(jnp.zeros((2, 4, 4), jnp.complex64)).tolist() == [0, 0]


def test_modes_that_stand_at_right_angles_are_left_as_they_are():
    probe = orthogonalised(mixed(3, 1))
    np.testing.assert_allclose(orthogonalised(probe), probe, atol=2e-4)
