"""Difference map and RAAR: iterations on the exit waves of all frames together."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.constraints import Constraint, constrained
from lightwell_ptychography.engines.epochs import metrics_of
from lightwell_ptychography.exit_waves import Illuminated, backpropagate, illuminate, intensity
from lightwell_ptychography.likelihood import judge
from lightwell_ptychography.ordering import cached_frames
from lightwell_ptychography.probe_modes import orthogonalised
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.windows import add_windows

__all__ = [
    "DifferenceMapOptions",
    "State",
    "exit_wave_bytes",
    "finish",
    "init",
    "update",
]

_TINY = 1e-30
# The Fourier error of an object costs a transform of its own: one chunk in so many, in turns.
_WATCHED = 8


@dataclasses.dataclass(frozen=True)
class DifferenceMapOptions:
    """How the iteration runs; hashable, since a compiled program belongs to it.

    propagator    : from the object to the detector
    beta          : relaxation, 0 to 1: 1 is the difference map, below it RAAR
    regularity    : share of the mean divisor added where little light fell
    overlap_steps : times object and probe are made to agree with the exit waves, per iteration
    probe_from    : first iteration, from 0, in which the probe is updated
    memory        : iterations over which the result is averaged, since single ones wander
    constraints   : applied after every iteration
    chunk         : frames worked on at once; None: as many as stay in the processor's cache
    subpixel      : move the probe by fractions of a pixel; without, positions are rounded
    seed          : nothing is random here; all algorithms have one
    """

    propagator: FarField | NearField = dataclasses.field(default_factory=FarField)
    beta: float = 1.0
    regularity: float = 1e-3
    overlap_steps: int = 1
    probe_from: int = 1
    memory: int = 10
    constraints: tuple[Constraint, ...] = ()
    chunk: int | None = None
    subpixel: bool = True
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """Exit waves and what they were last explained by.

    waves        : (chunk, frame, mode, y, x) complex64, filled up to whole chunks
    object, probe: of the last iteration
    mean_object, mean_probe : averaged over the last iterations, global phase taken out
    """

    waves: Array
    object: Array
    probe: Array
    positions: Array
    mean_object: Array
    mean_probe: Array


class _Chunk(NamedTuple):
    """Which frames a chunk holds, where they are, which only fill it; is its error looked at."""

    members: Array
    positions: Array
    weights: Array
    watched: Array


def exit_wave_bytes(frames: int, modes: int, frame_shape: tuple[int, int]) -> int:
    """Memory that the exit waves of a data set take, in bytes.

    >>> exit_wave_bytes(10_000, 1, (256, 256))
    5242880000
    """
    return 8 * frames * modes * frame_shape[0] * frame_shape[1]


def init(patterns: Patterns, guess: Reconstruction, options: DifferenceMapOptions) -> State:
    """Exit waves of the guess. Raises ValueError for an object of several slices."""
    if guess.object.shape[0] != 1:
        raise ValueError(
            f"the object has {guess.object.shape[0]} slices: a difference map takes one; "
            "rPIE and the gradient algorithms take several"
        )
    positions = jnp.array(guess.positions, jnp.float32)
    chunks = _chunks(patterns.count, positions, guess.probe.shape, 0, options)
    object_ = jnp.array(guess.object, jnp.complex64)
    probe = jnp.array(guess.probe, jnp.complex64)

    @jax.jit
    def waves() -> Array:
        def one(carry: None, chunk: _Chunk) -> tuple[None, Array]:
            seen = illuminate(object_, probe, chunk.positions, subpixel=options.subpixel)
            return carry, seen.exit

        return lax.scan(one, None, chunks)[1]

    return State(waves(), object_, probe, positions, jnp.zeros_like(object_), jnp.zeros_like(probe))


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def update(
    state: State, patterns: Patterns, iteration: Array | int, options: DifferenceMapOptions
) -> tuple[State, dict[str, Array]]:
    """One iteration on all frames.

    Object and probe are updated in turns, each from the exit waves and the other's newest value:
    both from one stale pair diverges. The Fourier error is that of object and probe before the
    iteration, on every eighth chunk of frames, in turns.
    """
    chunks = _chunks(patterns.count, state.positions, state.probe.shape, iteration, options)
    waves, object_, residual, power = _sweep(state, patterns, chunks, options)
    probe = state.probe
    for n in range(options.overlap_steps):
        if n:
            object_ = _object_of(waves, probe, object_, chunks, options)
        newest = _probe_of(waves, object_, probe, chunks, options)
        probe = jnp.where(jnp.asarray(iteration) >= options.probe_from, newest, probe)
    found = constrained(Reconstruction(object_, probe, state.positions), options.constraints)
    state = dataclasses.replace(state, waves=waves, object=found.object, probe=found.probe)
    metrics = metrics_of(residual, power, object_, probe)
    return _averaged(state, iteration, options.memory), metrics


def finish(state: State) -> Reconstruction:
    """The reconstruction, averaged over the last iterations."""
    started = jnp.abs(state.mean_probe).max() > 0
    object_ = jnp.where(started, state.mean_object, state.object)
    probe = jnp.where(started, state.mean_probe, state.probe)
    return Reconstruction(object_, orthogonalised(probe), state.positions)


def _chunks(
    frames: int,
    positions: Array,
    probe_shape: tuple[int, ...],
    iteration: Array | int,
    options: DifferenceMapOptions,
) -> _Chunk:
    size = options.chunk or cached_frames(probe_shape)
    count = -(-frames // size)
    place = jnp.arange(count * size)
    members = jnp.minimum(place, frames - 1).astype(jnp.int32).reshape(count, size)
    weights = (place < frames).astype(jnp.float32).reshape(count, size)
    every = min(_WATCHED, count)
    watched = jnp.arange(count) % every == jnp.asarray(iteration) % every
    return _Chunk(members, positions[members], weights, watched)


def _sweep(
    state: State, patterns: Patterns, chunks: _Chunk, options: DifferenceMapOptions
) -> tuple[Array, Array, Array, Array]:
    """New exit waves, and the object that explains them under the present probe.

    The waves are input and output of one scan, so that they are written where they were read: as
    a carry they would be copied for every chunk.
    """
    gain = options.propagator.gain(state.probe.shape)
    zero = jnp.zeros((), jnp.float32)
    carry = (
        jnp.zeros_like(state.object),
        jnp.zeros(state.object.shape, jnp.float32),
        zero,
        zero,
    )

    def one(
        carry: tuple[Array, Array, Array, Array], xs: tuple[_Chunk, Array]
    ) -> tuple[tuple[Array, Array, Array, Array], Array]:
        numerator, weight, residual, power = carry
        chunk, waves = xs
        measured, alive = amplitudes(patterns.frames[chunk.members], patterns.mask, patterns.unit)
        seen = illuminate(state.object, state.probe, chunk.positions, subpixel=options.subpixel)
        spectrum = options.propagator.spectrum(2 * seen.exit - waves, seen.ramps)
        judged = judge(intensity(spectrum) * (1 / gain**2), measured, alive)
        corrected = options.propagator.exit_wave(spectrum * (judged.ratio[:, None] + 1), seen.ramps)
        waves = options.beta * (waves + corrected - seen.exit) + (1 - options.beta) * seen.exit
        weights = chunk.weights[:, None, None]
        asked = weights * (seen.waves[0].conj() * waves).sum(axis=1)
        numerator = add_windows(numerator, seen.corners, asked)
        weight = add_windows(weight, seen.corners, weights * intensity(seen.waves[0]))
        error = lax.cond(
            chunk.watched,
            lambda: _error(seen, measured, alive, chunk.weights, options),
            lambda: (zero, zero),
        )
        residual, power = residual + error[0], power + error[1]
        return (numerator, weight, residual, power), waves

    carry, waves = lax.scan(one, carry, (chunks, state.waves))
    numerator, weight, residual, power = carry
    return waves, _divided(numerator, weight, state.object, options), residual, power


def _error(
    seen: Illuminated, measured: Array, alive: Array, weights: Array, options: DifferenceMapOptions
) -> tuple[Array, Array]:
    """Residual and power of a chunk."""
    modelled = intensity(options.propagator.forward(seen.exit, seen.ramps))
    judged = judge(modelled, measured, alive)
    return (weights * judged.residual).sum(), (weights * judged.power).sum()


def _object_of(
    waves: Array, probe: Array, previous: Array, chunks: _Chunk, options: DifferenceMapOptions
) -> Array:
    """The object (1, y, x) that explains exit waves best under a probe."""

    def one(
        carry: tuple[Array, Array], xs: tuple[_Chunk, Array]
    ) -> tuple[tuple[Array, Array], None]:
        numerator, weight = carry
        chunk, psi = xs
        seen = illuminate(previous, probe, chunk.positions, subpixel=options.subpixel)
        weights = chunk.weights[:, None, None]
        asked = weights * (seen.waves[0].conj() * psi).sum(axis=1)
        numerator = add_windows(numerator, seen.corners, asked)
        weight = add_windows(weight, seen.corners, weights * intensity(seen.waves[0]))
        return (numerator, weight), None

    begun = jnp.zeros_like(previous), jnp.zeros(previous.shape, jnp.float32)
    (numerator, weight), _ = lax.scan(one, begun, (chunks, waves))
    return _divided(numerator, weight, previous, options)


def _probe_of(
    waves: Array, object_: Array, previous: Array, chunks: _Chunk, options: DifferenceMapOptions
) -> Array:
    """The probe (mode, y, x) that explains exit waves best under an object."""

    def one(
        carry: tuple[Array, Array], xs: tuple[_Chunk, Array]
    ) -> tuple[tuple[Array, Array], None]:
        numerator, weight = carry
        chunk, psi = xs
        seen = illuminate(object_, previous, chunk.positions, subpixel=options.subpixel)
        weights = chunk.weights[:, None, None]
        _, asked = backpropagate(seen, weights[:, None] * psi)
        numerator = numerator + asked
        return (numerator, weight + (weights * intensity(seen.patches[0])).sum(axis=0)), None

    begun = jnp.zeros_like(previous), jnp.zeros(previous.shape[-2:], jnp.float32)
    (numerator, weight), _ = lax.scan(one, begun, (chunks, waves))
    return _divided(numerator, weight, previous, options)


def _divided(
    numerator: Array, weight: Array, previous: Array, options: DifferenceMapOptions
) -> Array:
    """Quotient, held to the previous value where the weight is small."""
    hold = options.regularity * weight.max() + _TINY
    return (numerator + hold * previous) / (weight + hold)


def _averaged(state: State, iteration: Array | int, memory: int) -> State:
    """The mean over the last iterations, a global phase and the object's scale taken out."""
    number = jnp.asarray(iteration).astype(jnp.float32) + 1
    share = 1 / jnp.minimum(number, float(memory))
    overlap = jnp.vdot(state.object, state.mean_object)
    size = jnp.abs(overlap)
    turn = jnp.where(size > 0, overlap / (size + _TINY), 1.0).astype(jnp.complex64)
    mean_object = state.mean_object + share * (turn * state.object - state.mean_object)
    mean_probe = state.mean_probe + share * (turn.conj() * state.probe - state.mean_probe)
    return dataclasses.replace(state, mean_object=mean_object, mean_probe=mean_probe)
