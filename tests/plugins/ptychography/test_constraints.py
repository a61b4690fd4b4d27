import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.constraints import (
    CentredProbe,
    ModulusRange,
    ProbePower,
    ProbeSupport,
    PurePhase,
    SmoothObject,
    constrained,
)
from lightwell_ptychography.engines import rpie
from lightwell_ptychography.objective import Model, modelled_counts
from lightwell_ptychography.problem import Reconstruction


def drawn(seed=0):
    random = np.random.default_rng(seed)

    def wave(*shape):
        return jnp.asarray(
            random.standard_normal(shape) + 1j * random.standard_normal(shape), jnp.complex64
        )

    y, x = np.indices((32, 32)) - 16
    near_middle = jnp.asarray(np.exp(-(y**2 + x**2) / 18), jnp.float32)
    positions = jnp.asarray(random.integers(4, 12, (6, 2)), jnp.float32)
    return Reconstruction(wave(2, 48, 48), wave(3, 32, 32) * near_middle, positions)


CONSTRAINTS = [
    CentredProbe(),
    ModulusRange(0.2, 1.1),
    ProbePower(1e4),
    ProbeSupport(0.3),
    PurePhase(),
    SmoothObject(),
]


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_every_constraint_compiles_keeps_types_and_bears_zeros(constraint):
    found = drawn()
    dark = dataclasses.replace(found, object=0 * found.object, probe=0 * found.probe)
    for given in (found, dark):
        kept = jax.jit(constraint)(given)
        for one, other in zip(jax.tree.leaves(given), jax.tree.leaves(kept), strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            assert np.isfinite(other).all()


@pytest.mark.parametrize(
    "constraint", [CentredProbe(), ModulusRange(0.2, 1.1), ProbePower(1e4), ProbeSupport(0.3)]
)
def test_what_obeys_already_stays(constraint):
    once = constraint(drawn())
    twice = constraint(once)
    np.testing.assert_allclose(once.object, twice.object, rtol=1e-4)
    np.testing.assert_allclose(once.probe, twice.probe, rtol=1e-4)


def test_the_modulus_is_kept_in_its_range_and_the_phase_stays():
    found = drawn()
    kept = ModulusRange(0.2, 1.1)(found).object
    modulus = np.abs(kept)
    assert modulus.min() > 0.2 - 1e-5
    assert modulus.max() < 1.1 + 1e-5
    np.testing.assert_allclose(np.angle(kept), np.angle(found.object), atol=1e-4)
    np.testing.assert_allclose(np.abs(PurePhase()(found).object), 1, rtol=1e-5)


@pytest.mark.parametrize("constraint", [CentredProbe(), ProbePower(500.0)])
def test_ambiguities_are_settled_without_a_change_of_the_patterns(constraint):
    found = drawn()
    moved = dataclasses.replace(
        found,
        probe=jnp.roll(found.probe, (3, -4), (1, 2)),
        object=jnp.roll(found.object, (3, -4), (1, 2)),
    )
    settled = constraint(moved)
    model, members = Model(between=None, subpixel=False), jnp.arange(6)
    single = [dataclasses.replace(f, object=f.object[:1]) for f in (moved, settled)]
    before, after = (modelled_counts(f, members, model) for f in single)
    np.testing.assert_allclose(before, after, rtol=1e-3, atol=2e-3 * float(before.max()))


def test_the_probe_ends_in_the_middle():
    found = drawn()
    moved = dataclasses.replace(found, probe=jnp.roll(found.probe, (13, -9), (1, 2)))
    power = (np.abs(CentredProbe()(moved).probe) ** 2).sum(axis=0)
    centre = [(np.arange(32) * power.sum(axis=1 - axis)).sum() / power.sum() for axis in (0, 1)]
    assert np.abs(np.array(centre) - 16).max() < 1
    power = float((np.abs(ProbePower(500.0)(found).probe) ** 2).sum())
    assert power == pytest.approx(500, rel=1e-4)


def test_noise_of_single_pixels_is_damped():
    found = drawn()
    rough = np.var(np.diff(np.asarray(found.object), axis=-1))
    smooth = np.var(np.diff(np.asarray(SmoothObject(0.5)(found).object), axis=-1))
    assert smooth < 0.6 * rough


def test_constraints_compose_and_algorithms_obey_them(scan_of):
    scan = scan_of()
    rules = (ModulusRange(0.0, 1.0), ProbeSupport(0.4))
    options = rpie.RPIEOptions(constraints=rules, chunk=4)
    state = rpie.init(None, scan.near_guess(), options)
    for epoch in range(2):
        state, _ = rpie.update(state, scan.patterns, epoch, options)
    found = rpie.finish(state)
    assert float(jnp.abs(found.object).max()) < 1 + 1e-5
    assert float(jnp.abs(found.probe[0, 0, 0])) == 0
    obeyed = constrained(found, rules)
    np.testing.assert_allclose(obeyed.object, found.object, atol=1e-5)
