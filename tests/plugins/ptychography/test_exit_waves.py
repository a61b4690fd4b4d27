"""Corrections of hand-written steps against the gradient that is right by construction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.exit_waves import (
    backpropagate,
    illuminate,
    intensity,
    modulus_correction,
    position_steps,
)
from lightwell_ptychography.likelihood import judge, loss
from lightwell_ptychography.objective import Model, in_chunks, value_and_gradient
from lightwell_ptychography.problem import Patterns, Reconstruction
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.windows import add_windows, cut_windows, shift_ramps, split_positions

SIDE = 16


def problem(modes, slices, propagator, seed=0):
    random = np.random.default_rng(seed)

    def wave(*shape):
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    envelope = np.outer(*[np.hanning(SIDE)] * 2)
    found = Reconstruction(
        jnp.asarray(1 + 0.2 * wave(slices, 28, 30), jnp.complex64),
        jnp.asarray(20 * envelope * wave(modes, SIDE, SIDE), jnp.complex64),
        jnp.asarray(random.uniform(0.6, 11.4, (7, 2)), jnp.float32),
    )
    frames = jnp.asarray(random.poisson(200, (7, SIDE, SIDE)), jnp.float32)
    mask = jnp.asarray(random.random((SIDE, SIDE)) > 0.1)
    between = NearField(1e-10, 1e-5, (1e-8, 1e-8)) if slices > 1 else None
    return found, Patterns(frames, mask, found.positions), Model(propagator, between)


CASES = [
    (1, 1, FarField()),
    (3, 1, FarField()),
    (2, 3, FarField()),
    (2, 1, NearField(1e-10, 1e-3, (1e-7, 1e-7))),
]


@pytest.mark.parametrize(("modes", "slices", "propagator"), CASES)
@pytest.mark.parametrize("likelihood", ["amplitude", "poisson"])
def test_what_frames_ask_for_is_half_the_steepest_descent(modes, slices, propagator, likelihood):
    found, patterns, model = problem(modes, slices, propagator)
    seen = illuminate(
        found.object, found.probe, found.positions, subpixel=True, between=model.between
    )
    spectrum = propagator.spectrum(seen.exit)
    counts = intensity(spectrum) / propagator.gain((SIDE, SIDE)) ** 2
    measured = jnp.sqrt(patterns.frames)
    # Poisson's bound on single pixels is no part of its gradient.
    tame = counts * 7 > patterns.frames if likelihood == "poisson" else counts > 0
    alive = (patterns.mask & tame).astype(jnp.float32)
    judged = judge(counts, measured, alive, likelihood)
    correction = modulus_correction(judged.ratio, spectrum, propagator)
    asked, probe_asked = backpropagate(seen, correction, model.between)
    objects = jnp.zeros_like(found.object)
    for n in range(slices):
        objects = add_windows(objects, seen.corners, asked[n], n)

    def value(object_, probe):
        waves = illuminate(
            object_, probe, found.positions, subpixel=True, between=model.between
        ).exit
        return loss(intensity(propagator.forward(waves)), measured, alive, likelihood)

    by_object, by_probe = jax.grad(value, (0, 1))(found.object, found.probe)
    # Of Poisson's loss, whose curvature is twice that of the amplitudes over counts: a quarter.
    share = -0.5 if likelihood == "amplitude" else -0.25
    scale = float(jnp.abs(by_object).max())
    np.testing.assert_allclose(objects, share * by_object.conj(), atol=2e-4 * scale, rtol=1e-3)
    scale = float(jnp.abs(by_probe).max())
    np.testing.assert_allclose(probe_asked, share * by_probe.conj(), atol=2e-4 * scale, rtol=1e-3)


def test_chunks_do_not_change_the_gradient():
    found, patterns, model = problem(2, 1, FarField())
    one = value_and_gradient(found, patterns, model, *in_chunks(7, (2, SIDE, SIDE), 7))
    two = value_and_gradient(found, patterns, model, *in_chunks(7, (2, SIDE, SIDE), 3))
    assert float(two.loss) == pytest.approx(float(one.loss), rel=1e-5)
    for first, second in zip(
        jax.tree.leaves(one.gradient), jax.tree.leaves(two.gradient), strict=True
    ):
        scale = float(jnp.abs(first).max())
        np.testing.assert_allclose(first, second, atol=1e-4 * scale)


def test_the_gradient_goes_the_way_the_loss_grows():
    found, patterns, model = problem(2, 2, FarField())
    order = in_chunks(7, (2, SIDE, SIDE))
    valued = value_and_gradient(found, patterns, model, *order)
    for name in ("object", "probe", "positions"):
        slope = getattr(valued.gradient, name)
        size = 1e-3 / float(jnp.abs(slope).max())
        ends = []
        for sign in (1, -1):
            moved = getattr(found, name) + sign * size * slope
            there = Reconstruction(
                **{f: getattr(found, f) for f in ("object", "probe", "positions")} | {name: moved}
            )
            ends.append(float(value_and_gradient(there, patterns, model, *order).loss))
        expected = 2 * size * float((jnp.abs(slope) ** 2).sum())
        assert ends[0] - ends[1] == pytest.approx(expected, rel=0.05, abs=0.15)


def test_positions_are_drawn_to_where_the_frames_were_taken():
    y, x = np.indices((48, 48))
    object_ = jnp.asarray(np.exp(0.5j * np.sin(0.5 * y + 0.2 * x) * np.cos(0.4 * x)))[None]
    object_ = object_.astype(jnp.complex64)
    window = np.outer(*[np.hanning(24)] * 2)
    probe = jnp.asarray(window, jnp.complex64)[None]
    told = jnp.asarray([[10.0, 12.0], [5.0, 7.0], [20.0, 3.0]])
    true = told + jnp.asarray([[0.3, -0.4], [-0.2, 0.1], [0.0, 0.45]])
    there = illuminate(object_, probe, true, subpixel=True).exit
    seen = illuminate(object_, probe, told, subpixel=True)
    # Seen from its own grid, a probe moved by a fraction lights an object moved the other way.
    ramps = shift_ramps(told - true, (24, 24))[:, None]
    steps = position_steps(seen, jnp.fft.ifft2(jnp.fft.fft2(there) * ramps) - seen.exit)
    np.testing.assert_allclose(steps, true - told, atol=0.06)


def test_windows_are_cut_and_added_back_where_they_were():
    random = np.random.default_rng(0)
    image = jnp.asarray(random.standard_normal((20, 22)), jnp.float32)
    corners = jnp.asarray([[0, 0], [3, 5], [3, 5], [12, 14]], jnp.int32)
    windows = jnp.asarray(random.standard_normal((4, 8, 8)), jnp.float32)
    expected = np.zeros((20, 22))
    for (row, column), window in zip(np.asarray(corners), np.asarray(windows), strict=True):
        expected[row : row + 8, column : column + 8] += window
    added = add_windows(jnp.zeros((2, 20, 22), jnp.float32), corners, windows, 1)
    np.testing.assert_allclose(added[1], expected, atol=1e-6)
    assert not added[0].any()
    cut = cut_windows(image, corners, (8, 8))
    assert float((cut * windows).sum()) == pytest.approx(float((image * added[1]).sum()), rel=1e-4)


def test_positions_outside_the_object_are_moved_to_its_edge():
    positions = jnp.asarray([[-3.0, 2.2], [50.0, 7.6]])
    corners, shifts = split_positions(positions, (20, 20), (8, 8))
    assert corners.tolist() == [[0, 2], [12, 8]]
    np.testing.assert_allclose(shifts, [[0, 0.2], [0, -0.4]], atol=1e-6)


@pytest.mark.parametrize("side", [8, 9])
def test_whole_pixels_of_a_ramp_roll_an_image(side):
    image = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    ramp = shift_ramps(jnp.asarray([[2.0, -3.0]]), (side, side))[0]
    moved = jnp.fft.ifft2(jnp.fft.fft2(image) * ramp)
    np.testing.assert_allclose(moved, np.roll(image, (2, -3), (0, 1)), atol=1e-5)
