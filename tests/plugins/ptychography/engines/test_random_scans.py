"""A campaign of random scans: whatever is measured, numbers stay numbers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.engines import difference_map, lbfgs, lsqml, raar, rpie
from lightwell_ptychography.objective import Model
from lightwell_ptychography.problem import Patterns, Reconstruction

SIDE, COUNT, CANVAS = 16, 36, 64
EVERYTHING = rpie.RPIEOptions(
    likelihood="poisson",
    background=True,
    fluctuation=True,
    positions_from=1,
    stretch_from=2,
    chunk=4,
)
# Mostly rPIE; every option set and number of modes is a compiled program.
ENGINES = [
    (rpie, rpie.RPIEOptions(chunk=4)),
    (rpie, EVERYTHING),
    (rpie, EVERYTHING),
    (lsqml, lsqml.LSQMLOptions(chunk=4)),
    (difference_map, difference_map.DifferenceMapOptions(chunk=4)),
    (raar, raar.RAAROptions(chunk=4)),
    (lbfgs, lbfgs.LBFGSOptions(chunk=4)),
    (lbfgs, lbfgs.LBFGSOptions(chunk=4, model=Model(likelihood="poisson"))),
]


def random_scan(random, modes):
    """Patterns and a guess of a scan whose every property but one is drawn."""
    overlap, diameter = random.uniform(0.4, 0.9), random.uniform(0.25, 0.6) * SIDE
    step = (1 - overlap) * diameter
    grid = np.stack(np.divmod(np.arange(COUNT), 6), -1) * step
    positions = grid + random.uniform(-0.3, 0.3, grid.shape) * step + 3
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    round_ = np.exp(-((np.hypot(y, x) / (0.5 * diameter)) ** 4))
    probe = np.stack([round_ * (y / SIDE) ** n for n in range(modes)]) + 0j
    photons = 10 ** random.uniform(0, 7)
    probe *= np.sqrt(photons / (np.abs(probe) ** 2).sum())
    phase = np.cumsum(random.standard_normal((CANVAS, CANVAS)), 0) * random.uniform(0, 0.3)
    object_ = random.uniform(0.3, 1.0, (CANVAS, CANVAS)) * np.exp(1j * phase)
    corners = np.round(positions).astype(int)
    waves = np.stack([object_[r : r + SIDE, c : c + SIDE] * probe for r, c in corners])
    counts = (np.abs(np.fft.fft2(waves, norm="ortho")) ** 2).sum(axis=1)
    frames = random.poisson(counts + random.choice([0.0, 0.1, 10.0])).astype(np.float32)
    mask = random.random((SIDE, SIDE)) > random.choice([0.0, 0.02, 0.3])
    frames[:, ~mask] = random.choice([0.0, 4e9, np.nan])
    frames[random.random(COUNT) < random.choice([0.0, 0.1, 0.5])] = 0
    if random.random() < 0.2:
        frames[random.integers(COUNT), 3, 3] = np.inf
    if random.random() < 0.5:
        positions += random.uniform(-2, 2, positions.shape)
    wrong = random.uniform(0.2, 3) * probe * np.exp(1j * random.uniform(0, 0.05) * (y**2 + x**2))
    guess = Reconstruction(
        jnp.ones((1, CANVAS, CANVAS), jnp.complex64),
        jnp.asarray(wrong, jnp.complex64),
        jnp.asarray(positions, jnp.float32),
    )
    return Patterns(jnp.asarray(frames), jnp.asarray(mask), guess.positions), guess


@pytest.mark.soak
def test_no_scan_makes_what_is_no_number(soak_share):
    for seed in range(max(len(ENGINES), round(200 * soak_share))):
        random = np.random.default_rng(seed)
        patterns, guess = random_scan(random, modes=1 + seed // 16 % 5)
        engine, options = ENGINES[seed % len(ENGINES)]
        state = engine.init(patterns, guess, options)
        for iteration in range(12):
            state, metrics = engine.update(state, patterns, iteration, options)
            assert np.isfinite(float(metrics["fourier_error"])), (seed, iteration)
        for leaf in jax.tree.leaves(state):
            assert np.isfinite(leaf).all(), (seed, engine.__name__)
        # The difference map wanders far where half of the frames are dark.
        if engine in (rpie, lsqml):
            assert metrics["fourier_error"] < 2, (seed, engine.__name__)


def test_a_frame_full_of_nothing_but_nan_is_left_out():
    patterns, guess = random_scan(np.random.default_rng(0), modes=1)
    frames = np.array(patterns.frames)
    frames[5] = np.nan
    broken = dataclasses.replace(patterns, frames=jnp.asarray(frames))
    state = rpie.init(None, guess, rpie.RPIEOptions())
    state, metrics = rpie.update(state, broken, 3, rpie.RPIEOptions())
    assert np.isfinite(float(metrics["fourier_error"]))
    assert np.isfinite(state.object).all()
