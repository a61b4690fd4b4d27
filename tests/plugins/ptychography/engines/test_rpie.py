import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.engines import rpie
from lightwell_ptychography.ordering import chunk_order, tile_order
from lightwell_ptychography.probe_modes import mode_powers
from lightwell_ptychography.problem import Patterns, Reconstruction


def options_of(**given):
    """Small chunks: less to compile."""
    return rpie.RPIEOptions(chunk=4, **given)


def ran(options, scan, guess, epochs):
    state = rpie.init(None, guess, options)
    metrics = {}
    for epoch in range(epochs):
        state, metrics = rpie.update(state, scan.patterns, epoch, options)
    return rpie.finish(state), float(metrics["fourier_error"])


def tiled(options, scan, guess, epochs, size):
    state = rpie.init(None, guess, options)
    frames = np.asarray(scan.patterns.frames)
    for epoch in range(epochs):
        for tile in np.asarray(tile_order(-(-len(frames) // size), options.seed, epoch)):
            part = slice(tile * size, tile * size + size)
            patterns = Patterns(
                jnp.asarray(frames[part]),
                scan.patterns.mask,
                scan.patterns.positions[part],
            )
            indices = jnp.arange(tile * size, tile * size + patterns.count, dtype=jnp.int32)
            state = rpie.absorb(state, patterns, indices, epoch, options)
        state, _ = rpie.close_epoch(state, epoch, options)
    return rpie.finish(state)


def test_tiles_fed_one_by_one_are_as_good_as_all_frames_at_once(scan_of):
    scan = scan_of()
    found = tiled(options_of(), scan, scan.near_guess(), 30, 16)
    assert scan.error(found) < 0.045


def test_tiles_in_one_part_of_the_object_each_stay_stable(scan_of):
    scan = scan_of(count=196, step=0.04)
    options = options_of()
    early = tiled(options, scan, scan.near_guess(), 35, 28)
    late = tiled(options, scan, scan.near_guess(), 110, 28)
    # Where momentum goes on from tile to tile: 0.066 in place of 0.028.
    assert scan.error(late) < 1.05 * scan.error(early)


def test_one_tile_of_all_frames_is_an_epoch_bit_by_bit(scan_of):
    scan = scan_of()
    options = options_of()
    whole, _ = ran(options, scan, scan.near_guess(), 2)
    tile = tiled(options, scan, scan.near_guess(), 2, scan.patterns.count)
    np.testing.assert_array_equal(whole.object, tile.object)


def test_the_state_holds_no_frames(scan_of):
    scan = scan_of()
    options = options_of(background=True, fluctuation=True)
    state = rpie.init(None, scan.near_guess(), options)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    guess = scan.near_guess()
    # Estimates and their last updates, two maps of a frame's size, some numbers for every frame.
    maps, per_frame = guess.probe.nbytes, 32 * scan.patterns.count
    assert held < 2 * (guess.object.nbytes + guess.probe.nbytes) + maps + per_frame


def test_every_frame_comes_once_in_an_order_of_seed_and_iteration():
    order, weights = chunk_order(23, 5, 1, 7)
    assert sorted(np.asarray(order)[np.asarray(weights) > 0]) == list(range(23))
    again, _ = chunk_order(23, 5, 1, 7)
    later, _ = chunk_order(23, 5, 1, 8)
    elsewhere, _ = chunk_order(23, 5, 1, 7, 23)
    assert np.array_equal(order, again)
    assert not np.array_equal(order, later)
    assert not np.array_equal(order, elsewhere)


def test_positions_are_found_again(scan_of):
    scan = scan_of(count=100, position_error=1.0)
    options = options_of(positions_from=3)
    found, _ = ran(options, scan, scan.near_guess(), 60)

    def away(positions):
        off = np.asarray(positions) - scan.lit
        return np.median(np.linalg.norm(off - off.mean(axis=0), axis=1))

    assert away(scan.patterns.positions) > 0.7
    assert away(found.positions) < 0.15
    assert scan.error(found) < 0.06


def test_modes_of_a_partly_coherent_beam_are_told_apart(scan_of):
    scan = scan_of(modes=2, count=100, photons=1e7)
    start = scan.near_guess()
    both = dataclasses.replace(start, probe=start.probe * jnp.asarray([[[1.0]], [[0.6]]]))
    found, error = ran(options_of(), scan, both, 50)
    one = dataclasses.replace(start, probe=start.probe[:1])
    _, single = ran(options_of(), scan, one, 50)
    assert scan.error(found) < 0.02
    assert error < 0.75 * single
    # On its way from 0.92 and 0.08 to 0.8 and 0.2.
    assert np.asarray(mode_powers(found.probe)) == pytest.approx([0.8, 0.2], abs=0.1)


def test_the_beam_of_every_frame_is_estimated(scan_of):
    scan = scan_of(fluctuation=0.1)
    options = options_of(fluctuation=True)
    found, error = ran(options, scan, scan.near_guess(), 40)
    _, blind = ran(options_of(), scan, scan.near_guess(), 40)
    truth = scan.beam / scan.beam.mean()
    # A slow change over the scan is the object's as well as the beam's.
    assert np.std(np.asarray(found.intensity) / truth) < 0.04
    assert error < 0.8 * blind
    assert scan.error(found) < 0.05


def test_counts_that_are_in_every_frame_are_estimated(scan_of):
    scan = scan_of(background=10.0)
    options = options_of(background=True)
    found, error = ran(options, scan, scan.near_guess(), 60)
    _, blind = ran(options_of(), scan, scan.near_guess(), 60)
    assert np.median(found.background) == pytest.approx(10, rel=0.2)
    assert error < 0.8 * blind
    assert scan.error(found) < 0.08


def test_two_slices_are_told_apart(scan_of):
    scan = scan_of(slices=2, count=100, spacing=1e-3, photons=1e7)
    options = options_of(between=scan.between)
    start = scan.near_guess()
    found, error = ran(options, scan, start, 60)
    thin = dataclasses.replace(start, object=start.object[:1])
    _, single = ran(options_of(), scan, thin, 60)
    assert error < 0.6 * single
    middle = np.s_[30:60, 30:60]
    for n in range(2):
        own = np.angle(np.asarray(found.object[n])[middle])
        likeness = [
            np.corrcoef(own.ravel(), np.angle(layer[middle]).ravel())[0, 1] for layer in scan.object
        ]
        assert likeness[n] > max(0.8, 0.5 + likeness[1 - n])


def test_a_run_that_diverges_is_seen_in_its_error(scan_of):
    scan = scan_of()
    options = options_of(object_step=50.0, probe_step=50.0, alpha=0.0)
    _, error = ran(options, scan, scan.near_guess(), 8)
    assert not error < 1


def test_an_object_without_light_stays_as_it_was(scan_of):
    scan = scan_of()
    dark = dataclasses.replace(scan.patterns, frames=jnp.zeros_like(scan.patterns.frames))
    guess = scan.near_guess()
    state = rpie.init(None, guess, options_of())
    state, metrics = rpie.update(state, dark, 1, options_of())
    np.testing.assert_array_equal(state.object, guess.object)
    assert float(metrics["fourier_error"]) == 0
    assert isinstance(rpie.finish(state), Reconstruction)
