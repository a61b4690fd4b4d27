"""A scan stretched and sheared as a whole: what the frames say of it, and that it is found."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.engines import rpie
from lightwell_ptychography.exit_waves import illuminate, intensity
from lightwell_ptychography.problem import Reconstruction
from lightwell_ptychography.propagators import FarField
from lightwell_ptychography.scan_stretch import Judged, Whole, no_votes, stretched, voted

MATRIX = np.array([[0.012, 0.006], [-0.008, -0.009]])


def smooth(layers):
    """An object (slice, y, x) blurred by some pixels."""
    y, x = (np.fft.fftfreq(side) for side in layers.shape[-2:])
    damping = np.exp(-200 * (y[:, None] ** 2 + x[None, :] ** 2))
    return np.fft.ifft2(np.fft.fft2(layers) * damping)


def votes_of(scan, object_, probe, positions):
    """The normal equations of all frames."""
    far = FarField()
    positions = jnp.asarray(positions, jnp.float32)
    seen = illuminate(
        jnp.asarray(object_, jnp.complex64), jnp.asarray(probe, jnp.complex64), positions,
        subpixel=True,
    )  # fmt: skip
    spectrum = far.spectrum(seen.exit)
    modelled = intensity(spectrum) / far.gain(spectrum.shape) ** 2
    judged = Judged(spectrum, modelled, scan.patterns.frames, jnp.ones(modelled.shape))
    return np.asarray(voted(seen, positions, judged, far), np.float64)


def test_the_truth_is_not_asked_to_stretch(scan_of):
    scan = scan_of(count=100, photons=1e4)
    votes = votes_of(scan, scan.object, scan.probe, scan.lit)
    covariance = np.linalg.inv(votes[:, :10])
    asked = covariance @ votes[:, 10]
    # Half the difference of counts over the root of the expected ones has a spread of a half.
    pull = asked[:4] / np.sqrt(0.25 * np.diag(covariance)[:4])
    assert np.abs(pull).max() < 4
    # Photons are few: compared by their roots, the same frames ask for a stretch.
    assert np.median(scan.patterns.frames) < 3


def test_votes_are_the_slopes_of_what_is_moved(scan_of):
    """Counts of a frame change as the equations say when object, probe and scan are moved."""
    scan = scan_of(count=100)
    far, told = FarField(), jnp.asarray(scan.lit, jnp.float32)
    object_, probe = (jnp.asarray(a, jnp.complex64) for a in (smooth(scan.object), scan.probe))
    # Farther out all of a frame is moved, and what leaves it on one side does not come back.
    frame = int(np.argmin(np.linalg.norm(scan.lit - scan.lit.mean(axis=0), axis=1)))

    def counts(object_, probe, positions):
        seen = illuminate(object_, probe, positions[frame][None], subpixel=True)
        return np.asarray(intensity(far.forward(seen.exit)), np.float64)

    middle = dataclasses.replace(
        scan, patterns=dataclasses.replace(scan.patterns, frames=scan.patterns.frames[frame][None])
    )
    votes = votes_of(middle, object_, probe, scan.lit[frame][None])
    before = counts(object_, probe, told)
    for number, step in enumerate([2e-3] * 4 + [0.05] * 6):
        alone = np.eye(10, 11, dtype=np.float32)
        alone[number, 10] = step
        moved = stretched(Whole(object_, probe, told, told), jnp.asarray(alone))
        change = (counts(moved.object, moved.probe, moved.positions) - before) / 2
        expected = (change**2 / (before + 1)).sum() / step**2
        assert votes[number, number] == pytest.approx(expected, rel=0.1), number


def test_nobody_asked_changes_nothing(scan_of):
    scan = scan_of()
    guess = scan.near_guess()
    before = Whole(guess.object, guess.probe, guess.positions, guess.positions)
    after = stretched(before, no_votes())
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-5)
    np.testing.assert_allclose(after.object, before.object, atol=1e-5)
    np.testing.assert_allclose(after.probe, before.probe, atol=1e-4 * np.abs(before.probe).max())


def test_a_stretched_scan_is_found(scan_of):
    scan = scan_of(count=100)
    middle = scan.lit.mean(axis=0)
    told = scan.lit + (scan.lit - middle) @ MATRIX.T
    start = scan.near_guess()
    start = Reconstruction(start.object, start.probe, jnp.asarray(told, jnp.float32))
    held = rpie.RPIEOptions(chunk=4, positions_from=3, likelihood="poisson")
    free = dataclasses.replace(held, stretch_from=12)
    errors = {}
    for name, options in (("held", held), ("free", free)):
        state = rpie.init(None, start, options)
        for epoch in range(80):
            state, _ = rpie.update(state, scan.patterns, epoch, options)
        found = np.asarray(state.positions, np.float64)
        about = scan.lit - middle
        matrix = np.linalg.lstsq(about, found - found.mean(axis=0), rcond=None)[0].T - np.eye(2)
        errors[name] = np.abs(matrix).max(), scan.error(rpie.finish(state))
    assert errors["held"][0] > 0.01
    assert errors["free"][0] < 0.0025
    assert errors["free"][1] < 0.5 * errors["held"][1]
