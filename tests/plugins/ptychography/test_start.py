import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.engines import rpie
from lightwell_ptychography.problem import Patterns
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.start import (
    central_frames,
    defocused,
    first_guess,
    mean_pattern,
    probe_from_mean,
)


def test_the_mean_leaves_out_dark_frames_and_dead_pixels():
    frames = np.full((130, 8, 8), 3.0, np.float32)
    frames[::2] = 0
    frames[1, 2, 2] = np.nan
    mask = np.ones((8, 8), bool)
    mask[0, 0] = False
    mean = mean_pattern(Patterns(jnp.asarray(frames), jnp.asarray(mask), jnp.zeros((130, 2))))
    assert mean[0, 0] == 0
    assert float(mean[4, 4]) == pytest.approx(3)


@pytest.mark.parametrize("propagator", [FarField(), NearField(1e-10, 0.1, (1e-6, 1e-6))])
def test_the_probe_of_a_mean_pattern_diffracts_to_it(propagator):
    y, x = np.indices((32, 32)) - 16
    mean = np.exp(-(y**2 + x**2) / 50).astype(np.float32) * 1e4
    probe = probe_from_mean(jnp.asarray(np.fft.ifftshift(mean)), propagator)
    seen = np.abs(np.asarray(propagator.forward(probe[0]))) ** 2
    np.testing.assert_allclose(seen, np.fft.ifftshift(mean), rtol=1e-3, atol=1)


def test_side_modes_are_at_right_angles_and_share_the_power():
    mean = jnp.asarray(np.fft.ifftshift(np.outer(*[np.hanning(32)] * 2)), jnp.float32)
    probe = np.asarray(defocused(probe_from_mean(mean, FarField(), 5), 30.0)).reshape(5, -1)
    overlaps = probe @ probe.conj().T
    assert np.abs(overlaps - np.diag(np.diag(overlaps))).max() < 1e-3 * overlaps[0, 0].real
    assert np.trace(overlaps).real == pytest.approx(float(mean.sum()), rel=1e-3)
    assert np.all(np.diff(np.diag(overlaps).real) < 0)


def test_frames_in_the_middle_are_chosen():
    positions = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), -1).reshape(-1, 2)
    chosen = central_frames(positions, 4)
    assert set(map(tuple, positions[chosen])) == {(4, 4), (4, 5), (5, 4), (5, 5)}


def test_a_far_field_scan_is_reconstructed_from_nothing_but_its_data(scan_of):
    scan = scan_of()
    guess = first_guess(scan.patterns, scan.propagator)
    options = rpie.RPIEOptions(chunk=4)
    state = rpie.init(None, guess, options)
    for epoch in range(40):
        state, _ = rpie.update(state, scan.patterns, epoch, options)
    assert scan.error(rpie.finish(state)) < 0.045


def test_a_near_field_scan_is_reconstructed_and_the_far_propagator_does_not_fit(scan_of):
    # So bright that the model, not the noise of counting, decides what is left of the frames.
    scan = scan_of(field="near", step=0.15, photons=1e7)
    errors = {}
    for name, propagator in (("near", scan.propagator), ("far", FarField())):
        options = rpie.RPIEOptions(propagator=propagator, chunk=4)
        guess = first_guess(scan.patterns, propagator)
        state = rpie.init(None, guess, options)
        for epoch in range(40):
            state, metrics = rpie.update(state, scan.patterns, epoch, options)
        errors[name] = float(metrics["fourier_error"])
        if name == "near":
            assert scan.error(rpie.finish(state)) < 0.1
    assert errors["far"] > 2 * errors["near"]


def test_guesses_hold_every_frame(scan_of):
    patterns = dataclasses.replace(
        scan_of().patterns, positions=scan_of().patterns.positions - 40.5
    )
    guess = first_guess(patterns, NearField(1e-10, 0.1, (1e-6, 1e-6)), modes=2, slices=3)
    assert guess.probe.shape == (2, 48, 48)
    assert guess.object.shape[0] == 3
    reach = np.asarray(guess.positions).max(axis=0) + 48
    assert np.all(reach <= guess.object.shape[1:])
    assert np.asarray(guess.positions).min() >= 0
