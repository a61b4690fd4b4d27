"""What every algorithm promises."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.engines import adam, difference_map, lbfgs, lsqml, raar, rpie
from lightwell_ptychography.problem import Patterns

# Iterations, and the object error reached in them: the photons allow 0.02. Small chunks compile
# faster.
ENGINES = {
    "rpie": (rpie, rpie.RPIEOptions(chunk=4), 30, 0.045),
    "rpie Poisson": (rpie, rpie.RPIEOptions(chunk=4, likelihood="poisson"), 30, 0.045),
    "lsqml": (lsqml, lsqml.LSQMLOptions(chunk=4, momentum=0.5, group=16), 30, 0.045),
    "difference map": (difference_map, difference_map.DifferenceMapOptions(chunk=4), 40, 0.11),
    "raar": (raar, raar.RAAROptions(chunk=4), 60, 0.07),
    "adam": (adam, adam.AdamOptions(chunk=4), 40, 0.055),
    "lbfgs": (lbfgs, lbfgs.LBFGSOptions(chunk=4), 50, 0.045),
}


@pytest.fixture(params=ENGINES)
def engine(request):
    return ENGINES[request.param]


def ran(engine, options, patterns, guess, iterations, state=None, first=0):
    state = engine.init(patterns, guess, options) if state is None else state
    errors = []
    for iteration in range(first, iterations):
        state, metrics = engine.update(state, patterns, iteration, options)
        errors.append(float(metrics["fourier_error"]))
    return state, errors


def test_the_object_is_found(engine, scan_of):
    module, options, iterations, bound = engine
    scan = scan_of()
    state, errors = ran(module, options, scan.patterns, scan.near_guess(), iterations)
    assert scan.error(module.finish(state)) < bound
    assert errors[-1] < errors[0]


def test_a_run_in_two_parts_ends_with_the_same_bits(engine, scan_of):
    module, options, _, _ = engine
    scan = scan_of()
    whole, _ = ran(module, options, scan.patterns, scan.near_guess(), 4)
    half, _ = ran(module, options, scan.patterns, scan.near_guess(), 2)
    # As from a checkpoint: through the memory of the host.
    kept = jax.tree.map(lambda leaf: jnp.array(np.asarray(leaf)), half)
    resumed, _ = ran(module, options, scan.patterns, None, 4, kept, first=2)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_guess_is_left_alone(engine, scan_of):
    module, options, _, _ = engine
    scan = scan_of()
    guess = scan.near_guess()
    before = jax.tree.map(lambda leaf: np.array(leaf), guess)
    ran(module, options, scan.patterns, guess, 1)
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(guess), strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))


def test_dead_pixels_and_dark_frames_do_no_harm(engine, scan_of):
    module, options, iterations, bound = engine
    scan = scan_of(dead=60)
    frames = np.array(scan.patterns.frames, np.float32)
    frames[:, ~np.asarray(scan.patterns.mask)] = 1e6
    frames[[3, 40]] = 0
    frames[7, 5, 6] = np.nan
    frames[8, 0, 1] = -3
    patterns = dataclasses.replace(scan.patterns, frames=jnp.asarray(frames))
    state, errors = ran(module, options, patterns, scan.near_guess(), iterations)
    assert np.isfinite(errors).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    assert scan.error(module.finish(state)) < 1.3 * bound


def test_roots_of_counts_are_as_good_as_counts(scan_of):
    scan = scan_of()
    roots = Patterns(
        jnp.sqrt(scan.patterns.frames), scan.patterns.mask, scan.patterns.positions, "amplitude"
    )
    options = rpie.RPIEOptions(chunk=4)
    counts, _ = ran(rpie, options, scan.patterns, scan.near_guess(), 2)
    same, _ = ran(rpie, options, roots, scan.near_guess(), 2)
    np.testing.assert_allclose(counts.object, same.object, atol=2e-3)


@pytest.mark.parametrize("engine", [difference_map, lsqml])
def test_thick_objects_are_refused_where_they_cannot_be_taken(engine, scan_of):
    scan = scan_of()
    guess = scan.near_guess()
    thick = dataclasses.replace(guess, object=jnp.repeat(guess.object, 2, axis=0))
    options = lsqml.LSQMLOptions()
    if engine is difference_map:
        options = difference_map.DifferenceMapOptions()
    with pytest.raises(ValueError, match="2 slices"):
        engine.init(scan.patterns, thick, options)
