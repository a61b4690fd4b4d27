"""Difference map and RAAR: iterations on the exit waves of all frames together."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.constraints import Constraint, constrained
from lightwell_ptychography.devices import shared_out
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
    devices       : among which frames and their waves are shared out
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
    devices: int = 1
    chunk: int | None = None
    subpixel: bool = True
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """Exit waves and what they were last explained by.

    waves        : (chunk, frame, mode, y, x) complex64, filled up to whole chunks, and to as many
                   for every device
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


class _Sums(NamedTuple):
    """What exit waves ask of object or probe, (slice or mode, y, x), and its weight, (1, y, x)."""

    asked: Array
    weight: Array


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
            object_ = _explaining(_of_object, object_, (waves, chunks), (object_, probe), options)
        newest = _explaining(_of_probe, probe, (waves, chunks), (object_, probe), options)
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
    filled = -(-frames // size)
    count = filled + -filled % options.devices
    place = jnp.arange(count * size)
    members = jnp.minimum(place, frames - 1).astype(jnp.int32).reshape(count, size)
    weights = (place < frames).astype(jnp.float32).reshape(count, size)
    every = min(_WATCHED, filled)
    watched = jnp.arange(count) % every == jnp.asarray(iteration) % every
    return _Chunk(members, positions[members], weights, watched)


def _sweep(
    state: State, patterns: Patterns, chunks: _Chunk, options: DifferenceMapOptions
) -> tuple[Array, Array, Array, Array]:
    """New exit waves, the object that explains them under the present probe, parts of the error.

    The waves are input and output of one scan, so that they are written where they were read: as
    a carry they would be copied for every chunk.
    """

    def work(
        whole: tuple[Array, Array, Patterns], parts: tuple[_Chunk, Array]
    ) -> tuple[tuple[_Sums, Array, Array], Array]:
        object_, probe, patterns = whole

        def one(
            carry: tuple[_Sums, Array, Array], xs: tuple[_Chunk, Array]
        ) -> tuple[tuple[_Sums, Array, Array], Array]:
            sums, residual, power = carry
            chunk, waves = xs
            measured, alive = amplitudes(
                patterns.frames[chunk.members], patterns.mask, patterns.unit
            )
            seen = illuminate(object_, probe, chunk.positions, subpixel=options.subpixel)
            waves = _mapped(seen, waves, measured, alive, options)
            error = lax.cond(
                chunk.watched,
                lambda: _error(seen, measured, alive, chunk.weights, options),
                lambda: (zero, zero),
            )
            sums = _of_object(sums, seen, waves, chunk.weights)
            return (sums, residual + error[0], power + error[1]), waves

        return lax.scan(one, (_no_sums(object_), zero, zero), parts)

    zero = jnp.zeros((), jnp.float32)
    whole = state.object, state.probe, patterns
    carry, waves = shared_out(options.devices, work, whole, (chunks, state.waves))
    return waves, _divided(carry[0], state.object, options), *carry[1:]


def _mapped(
    seen: Illuminated, waves: Array, measured: Array, alive: Array, options: DifferenceMapOptions
) -> Array:
    """The waves of a chunk after one iteration: reflected at the overlap, then at the moduli."""
    gain = options.propagator.gain(measured.shape)
    spectrum = options.propagator.spectrum(2 * seen.exit - waves, seen.ramps)
    judged = judge(intensity(spectrum) * (1 / gain**2), measured, alive)
    corrected = options.propagator.exit_wave(spectrum * (judged.ratio[:, None] + 1), seen.ramps)
    return options.beta * (waves + corrected - seen.exit) + (1 - options.beta) * seen.exit


def _error(
    seen: Illuminated, measured: Array, alive: Array, weights: Array, options: DifferenceMapOptions
) -> tuple[Array, Array]:
    """Residual and power of a chunk."""
    modelled = intensity(options.propagator.forward(seen.exit, seen.ramps))
    judged = judge(modelled, measured, alive)
    return (weights * judged.residual).sum(), (weights * judged.power).sum()


def _explaining(
    asked: Callable[[_Sums, Illuminated, Array, Array], _Sums],
    previous: Array,
    kept: tuple[Array, _Chunk],
    present: tuple[Array, Array],
    options: DifferenceMapOptions,
) -> Array:
    """The object or the probe that explains exit waves best, the other being as it is.

    asked : `_of_object` or `_of_probe`; previous : which of the two is sought, as it is;
    kept : waves and chunks; present : object and probe.
    """

    def work(whole: tuple[Array, Array], parts: tuple[Array, _Chunk]) -> tuple[_Sums, tuple[()]]:
        def one(sums: _Sums, xs: tuple[Array, _Chunk]) -> tuple[_Sums, None]:
            waves, chunk = xs
            seen = illuminate(*whole, chunk.positions, subpixel=options.subpixel)
            return asked(sums, seen, waves, chunk.weights), None

        return lax.scan(one, _no_sums(previous), parts)[0], ()

    sums, _ = shared_out(options.devices, work, present, kept)
    return _divided(sums, previous, options)


def _no_sums(sought: Array) -> _Sums:
    # Not zeros_like, which would lie on the devices as what it is like does.
    weight = jnp.zeros((1, *sought.shape[-2:]), jnp.float32)
    return _Sums(jnp.zeros(sought.shape, jnp.complex64), weight)


def _of_object(sums: _Sums, seen: Illuminated, waves: Array, weights: Array) -> _Sums:
    """Sums with what the waves of a chunk ask of the object."""
    weights = weights[:, None, None]
    asked = weights * (seen.waves[0].conj() * waves).sum(axis=1)
    lit = weights * intensity(seen.waves[0])
    return _Sums(
        add_windows(sums.asked, seen.corners, asked), add_windows(sums.weight, seen.corners, lit)
    )


def _of_probe(sums: _Sums, seen: Illuminated, waves: Array, weights: Array) -> _Sums:
    """Sums with what the waves of a chunk ask of the probe."""
    _, asked = backpropagate(seen, weights[:, None, None, None] * waves)
    weight = (weights[:, None, None] * intensity(seen.patches[0])).sum(axis=0)
    return _Sums(sums.asked + asked, sums.weight + weight)


def _divided(sums: _Sums, previous: Array, options: DifferenceMapOptions) -> Array:
    """Quotient, held to the previous value where the weight is small."""
    hold = options.regularity * sums.weight.max() + _TINY
    return (sums.asked + hold * previous) / (sums.weight + hold)


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
