"""LSQ-ML: maximum likelihood with a step length for every frame, of object and probe jointly."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.constraints import Constraint, constrained
from lightwell_ptychography.engines.epochs import metrics_of, one_epoch
from lightwell_ptychography.exit_waves import (
    Illuminated,
    backpropagate,
    illuminate,
    inner,
    intensity,
    modulus_correction,
)
from lightwell_ptychography.likelihood import Likelihood, judge
from lightwell_ptychography.ordering import cached_frames, chunk_order
from lightwell_ptychography.probe_modes import orthogonalised
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.windows import add_windows, cut_windows

__all__ = ["LSQMLOptions", "State", "absorb", "close_epoch", "finish", "init", "update"]

_TINY = 1e-30


@dataclasses.dataclass(frozen=True)
class LSQMLOptions:
    """How LSQ-ML runs; hashable, since a compiled program belongs to it.

    propagator   : from the object to the detector
    likelihood   : "amplitude" or "poisson"
    group        : frames that share one update of object and probe
    damping      : share of the largest divisor added to each, where little light fell
    object_step  : factor on the step length of the object
    probe_step   : factor on the step length of the probe
    probe_from   : first epoch, from 0, in which the probe is updated
    momentum     : share of the last update of a group that goes on in the next
    constraints  : applied after every epoch
    chunk        : frames worked on at once; None: as many as stay in the processor's cache
    subpixel     : move the probe by fractions of a pixel; without, positions are rounded
    seed         : of the order of the frames
    """

    propagator: FarField | NearField = dataclasses.field(default_factory=FarField)
    likelihood: Likelihood = "amplitude"
    group: int = 40
    damping: float = 0.1
    object_step: float = 1.0
    probe_step: float = 1.0
    probe_from: int = 1
    momentum: float = 0.0
    constraints: tuple[Constraint, ...] = ()
    chunk: int | None = None
    subpixel: bool = True
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """What LSQ-ML carries from frame to frame; it holds no frames.

    object_drive, probe_drive : the last updates, for the momentum
    residual, power           : float32, sums over the present epoch for its Fourier error
    """

    object: Array
    probe: Array
    positions: Array
    object_drive: Array
    probe_drive: Array
    residual: Array
    power: Array


class _Directions(NamedTuple):
    """Common directions of a group, and what divides them: (1, y, x) and (mode, y, x)."""

    object: Array
    object_weight: Array
    probe: Array
    probe_weight: Array


def init(patterns: Patterns | None, guess: Reconstruction, options: LSQMLOptions) -> State:
    """State that begins at a guess. Raises ValueError for an object of several slices."""
    del patterns, options
    if guess.object.shape[0] != 1:
        raise ValueError(
            f"the object has {guess.object.shape[0]} slices: LSQ-ML takes one; "
            "rPIE and the gradient algorithms take several"
        )
    return State(
        jnp.array(guess.object, jnp.complex64),
        jnp.array(guess.probe, jnp.complex64),
        jnp.array(guess.positions, jnp.float32),
        jnp.zeros(guess.object.shape, jnp.complex64),
        jnp.zeros(guess.probe.shape, jnp.complex64),
        jnp.zeros((), jnp.float32),
        jnp.zeros((), jnp.float32),
    )


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def absorb(
    state: State, patterns: Patterns, indices: Array, iteration: Array | int, options: LSQMLOptions
) -> State:
    """Let a tile of frames improve object and probe.

    patterns : of the tile alone; its positions are not looked at, the state's are
    indices  : (frame,) int32, of these frames in the whole data set
    """
    chunk = options.chunk or cached_frames(state.probe.shape)
    per_group = max(1, round(options.group / chunk))
    size = chunk * per_group
    order, weights = chunk_order(patterns.count, size, options.seed, iteration, indices[0])
    order = order.reshape(-1, per_group, chunk)
    weights = weights.reshape(-1, per_group, chunk)

    def group(state: State, xs: tuple[Array, Array]) -> tuple[State, None]:
        return _group(state, patterns, indices, *xs, iteration, options), None

    return lax.scan(group, state, (order, weights))[0]


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def close_epoch(
    state: State, iteration: Array | int, options: LSQMLOptions
) -> tuple[State, dict[str, Array]]:
    """End an epoch after its last tile: constraints, modes at right angles, metrics."""
    del iteration
    metrics = metrics_of(state.residual, state.power, state.object, state.probe)
    found = constrained(finish(state), options.constraints)
    begun = dataclasses.replace(
        state,
        object=found.object,
        probe=orthogonalised(found.probe),
        residual=jnp.zeros((), jnp.float32),
        power=jnp.zeros((), jnp.float32),
    )
    return begun, metrics


def update(
    state: State, patterns: Patterns, iteration: Array | int, options: LSQMLOptions
) -> tuple[State, dict[str, Array]]:
    """One epoch: every frame once."""
    return one_epoch(absorb, close_epoch, state, patterns, iteration, options)


def finish(state: State) -> Reconstruction:
    """The reconstruction a state stands for."""
    return Reconstruction(state.object, state.probe, state.positions)


def _group(
    state: State,
    patterns: Patterns,
    indices: Array,
    order: Array,
    weights: Array,
    iteration: Array | int,
    options: LSQMLOptions,
) -> State:
    """Object and probe after one group: directions first, then how far along them.

    order, weights : (chunk, frame)
    """

    def look(
        carry: tuple[_Directions, Array, Array], xs: tuple[Array, Array]
    ) -> tuple[tuple[_Directions, Array, Array], Array]:
        members, weight = xs
        sums, residual, power = carry
        measured, alive = amplitudes(patterns.frames[members], patterns.mask, patterns.unit)
        seen = _seen(state, indices[members], options)
        spectrum = options.propagator.spectrum(seen.exit, seen.ramps)
        modelled = intensity(spectrum) * (1 / options.propagator.gain(measured.shape) ** 2)
        judged = judge(modelled, measured, alive * weight[:, None, None], options.likelihood)
        correction = modulus_correction(judged.ratio, spectrum, options.propagator, seen.ramps)
        sums = _added(sums, seen, correction, weight)
        return (sums, residual + judged.residual.sum(), power + judged.power.sum()), correction

    begun = _no_directions(state), state.residual, state.power
    (sums, residual, power), corrections = lax.scan(look, begun, (order, weights))
    state = dataclasses.replace(state, residual=residual, power=power)
    toward = _preconditioned(sums, options.damping)

    def measure(carry: Array, xs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        members, weight, correction = xs
        steps = _frame_steps(state, toward, indices[members], correction, options)
        # A frame counts as much as it has to be corrected.
        importance = weight * (correction.real**2 + correction.imag**2).sum((1, 2, 3))
        return carry + jnp.append((importance[:, None] * steps).sum(0), importance.sum()), None

    total, _ = lax.scan(measure, jnp.zeros(3, jnp.float32), (order, weights, corrections))
    steps = jnp.clip(total[:2] / (total[2] + _TINY), 0.0, 2.0)
    return _stepped(state, toward, steps, iteration, options)


def _seen(state: State, members: Array, options: LSQMLOptions) -> Illuminated:
    positions = state.positions[members]
    return illuminate(state.object, state.probe, positions, subpixel=options.subpixel)


def _no_directions(state: State) -> _Directions:
    return _Directions(
        jnp.zeros_like(state.object),
        jnp.zeros(state.object.shape, jnp.float32),
        jnp.zeros_like(state.probe),
        jnp.zeros(state.probe.shape[-2:], jnp.float32),
    )


def _added(sums: _Directions, seen: Illuminated, correction: Array, weight: Array) -> _Directions:
    asked, probe_asked = backpropagate(seen, correction)
    weight = weight[:, None, None]
    return _Directions(
        add_windows(sums.object, seen.corners, asked[0]),
        add_windows(sums.object_weight, seen.corners, weight * intensity(seen.waves[0])),
        sums.probe + probe_asked,
        sums.probe_weight + (weight * intensity(seen.patches[0])).sum(axis=0),
    )


def _preconditioned(sums: _Directions, damping: float) -> _Directions:
    object_weight = sums.object_weight + damping * sums.object_weight.max() + _TINY
    probe_weight = sums.probe_weight + damping * sums.probe_weight.max() + _TINY
    return sums._replace(object=sums.object / object_weight, probe=sums.probe / probe_weight)


def _frame_steps(
    state: State, toward: _Directions, members: Array, correction: Array, options: LSQMLOptions
) -> Array:
    """Step lengths (frame, 2), of object and probe, that explain each correction best.

    The least squares of χ = a·P ΔO + b·O ΔP over one frame: two equations.
    """
    seen = _seen(state, members, options)
    frame = (int(state.probe.shape[-2]), int(state.probe.shape[-1]))
    by_object = seen.waves[0] * cut_windows(toward.object[0], seen.corners, frame)[:, None]
    moved = toward.probe[None]
    if seen.ramps is not None:
        moved = jnp.fft.ifft2(jnp.fft.fft2(toward.probe)[None] * seen.ramps)
    by_probe = seen.patches[0] * moved
    aa, bb = inner(by_object, by_object), inner(by_probe, by_probe)
    ab = inner(by_object, by_probe)
    a, b = inner(by_object, correction), inner(by_probe, correction)
    # Damped, so that two directions that look alike share the step and do not fight.
    unit = jnp.maximum(jnp.maximum(aa.max(), bb.max()), _TINY)
    aa, bb, ab, a, b = 1.1 * aa / unit + 1e-9, 1.1 * bb / unit + 1e-9, ab / unit, a / unit, b / unit
    determinant = aa * bb - ab**2
    return jnp.stack([(a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant], axis=1)


def _stepped(
    state: State, toward: _Directions, steps: Array, iteration: Array | int, options: LSQMLOptions
) -> State:
    on = (jnp.asarray(iteration) >= options.probe_from).astype(jnp.float32)
    object_drive = options.momentum * state.object_drive
    object_drive += options.object_step * steps[0] * toward.object
    probe_drive = options.momentum * state.probe_drive
    probe_drive += options.probe_step * steps[1] * on * toward.probe
    return dataclasses.replace(
        state,
        object=state.object + object_drive,
        probe=state.probe + probe_drive,
        object_drive=object_drive,
        probe_drive=probe_drive,
    )
