"""rPIE: groups of frames share one object update, normalised pixel by pixel."""

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
    intensity,
    modulus_correction,
    position_steps,
)
from lightwell_ptychography.likelihood import Likelihood, judge
from lightwell_ptychography.ordering import cached_frames, chunk_order
from lightwell_ptychography.probe_modes import orthogonalised
from lightwell_ptychography.problem import Patterns, Reconstruction, amplitudes
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.scan_stretch import (
    Judged,
    Whole,
    no_votes,
    stretched,
    voted,
    without_stretch,
)
from lightwell_ptychography.windows import add_windows

__all__ = ["RPIEOptions", "State", "absorb", "close_epoch", "finish", "init", "update"]

_TINY = 1e-30
# Of a pixel; a frame that asks for more in one epoch is led by noise.
_LONGEST_STEP = 0.5
# Epochs that object and probe need to follow a stretch, and frames that are enough to tell it.
_STRETCH_EVERY, _STRETCH_FRAMES = 6, 200


@dataclasses.dataclass(frozen=True)
class RPIEOptions:
    """How rPIE runs; hashable, since a compiled program belongs to it.

    propagator     : from the object to the detector
    between        : from slice to slice of a thick object, None for a thin one
    likelihood     : "amplitude" or "poisson"
    alpha          : regularisation, 0 to 1: how far divisors of dim pixels are raised to that of
                     the brightest pixel of one frame
    object_step    : factor on the update of the object
    probe_step     : factor on the update of the probe
    momentum       : share of a group's update that goes on in the next
    probe_from     : first epoch, from 0, in which the probe is updated
    positions_from : first epoch in which positions are refined, None for never
    position_step  : factor on the update of positions
    stretch_from   : first epoch in which the scan may be stretched and turned as a whole, see
                     `lightwell_ptychography.scan_stretch`, if the object is thin; None for never
    background     : estimate the counts that are in every frame
    fluctuation    : estimate the intensity of every frame
    constraints    : applied after every epoch, see `lightwell_ptychography.constraints`
    chunk          : frames worked on at once; None: as many as stay in the processor's cache, and
                     no more than the first groups have
    groups         : (first epoch, frames that share an update) in rising order: small groups start
                     fast, large ones end with less noise
    subpixel       : move the probe by fractions of a pixel; without, positions are rounded
    seed           : of the order of the frames
    """

    propagator: FarField | NearField = dataclasses.field(default_factory=FarField)
    between: NearField | None = None
    likelihood: Likelihood = "amplitude"
    alpha: float = 0.3
    object_step: float = 1.0
    probe_step: float = 1.0
    momentum: float = 0.5
    probe_from: int = 1
    positions_from: int | None = None
    position_step: float = 1.0
    stretch_from: int | None = None
    background: bool = False
    fluctuation: bool = False
    constraints: tuple[Constraint, ...] = ()
    chunk: int | None = None
    groups: tuple[tuple[int, int], ...] = ((0, 4), (16, 40), (30, 100), (44, 400))
    subpixel: bool = True
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """What rPIE carries from frame to frame; it holds no frames.

    told            : (frame, 2) float32, positions of the guess, stretched as all frames ask, which
                      refined ones are held to
    object_drive, probe_drive : the last updates, for the momentum
    excess          : (y, x) float32, measured over modelled counts, summed over the present epoch
    votes           : (10, 11) float32, for a stretch of the scan, summed over the present epoch
    frames          : float32, frames of the present epoch that told something
    residual, power : float32, sums over the present epoch for its Fourier error
    """

    object: Array
    probe: Array
    positions: Array
    told: Array
    object_drive: Array
    probe_drive: Array
    background: Array | None
    intensity: Array | None
    excess: Array | None
    votes: Array | None
    frames: Array
    residual: Array
    power: Array


class _Sums(NamedTuple):
    """Numerators and denominators of one group: (slice, y, x) and (mode, y, x) or (y, x)."""

    object: Array
    object_weight: Array
    probe: Array
    probe_weight: Array


class _Part(NamedTuple):
    """The frames of one chunk: which they are, and what was measured."""

    members: Array
    weights: Array
    measured: Array
    alive: Array


def init(patterns: Patterns | None, guess: Reconstruction, options: RPIEOptions) -> State:
    """State that begins at a guess; patterns are not looked at."""
    del patterns
    background, beam = guess.background, guess.intensity
    if options.background and background is None:
        # A multiplicative estimate cannot leave zero.
        level = 1e-3 * (jnp.abs(guess.probe) ** 2).mean(axis=(-2, -1)).sum()
        background = jnp.full(guess.probe.shape[-2:], level, jnp.float32)
    if options.fluctuation and beam is None:
        beam = jnp.ones(guess.positions.shape[0], jnp.float32)
    # Copies: the state is donated from epoch to epoch, and the guess is the caller's.
    return State(
        jnp.array(guess.object, jnp.complex64),
        jnp.array(guess.probe, jnp.complex64),
        jnp.array(guess.positions, jnp.float32),
        jnp.array(guess.positions, jnp.float32),
        jnp.zeros(guess.object.shape, jnp.complex64),
        jnp.zeros(guess.probe.shape, jnp.complex64),
        None if background is None else jnp.array(background, jnp.float32),
        None if beam is None else jnp.array(beam, jnp.float32),
        jnp.zeros(guess.probe.shape[-2:], jnp.float32) if options.background else None,
        no_votes() if _stretches(options) and guess.object.shape[0] == 1 else None,
        jnp.zeros((), jnp.float32),
        jnp.zeros((), jnp.float32),
        jnp.zeros((), jnp.float32),
    )


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def absorb(
    state: State, patterns: Patterns, indices: Array, iteration: Array | int, options: RPIEOptions
) -> State:
    """Let a tile of frames improve object and probe.

    patterns : of the tile alone; its positions are not looked at, the state's are
    indices  : (frame,) int32, of these frames in the whole data set
    """
    chunk = options.chunk or min(cached_frames(state.probe.shape), options.groups[0][1])
    order, weights = chunk_order(patterns.count, chunk, options.seed, iteration, indices[0])
    shared = _group_chunks(options.groups, chunk, iteration)
    chunks = order.shape[0]
    if patterns.count < state.positions.shape[0]:
        # A tile lies in one part of the object: what the last one set going would go on there
        # while no frame looks, twice as far as any asked for.
        state = dataclasses.replace(state, object_drive=jnp.zeros_like(state.object_drive))

    def group(n: Array, state: State) -> State:
        def one(m: Array, carry: tuple[State, _Sums]) -> tuple[State, _Sums]:
            measured = amplitudes(patterns.frames[order[m]], patterns.mask, patterns.unit)
            part = _Part(indices[order[m]], weights[m], *measured)
            return _chunk(*carry, part, iteration, options)

        first = n * shared
        state, sums = lax.fori_loop(
            first, jnp.minimum(first + shared, chunks), one, (state, _no_sums(state))
        )
        return _apply(state, sums, iteration, options)

    absorbed: State = lax.fori_loop(0, -(-chunks // shared), group, state)
    return absorbed


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def close_epoch(
    state: State, iteration: Array | int, options: RPIEOptions
) -> tuple[State, dict[str, Array]]:
    """End an epoch after its last tile: constraints, modes at right angles, metrics.

    The Fourier error is that of the frames as they came, each before its own update; it is not
    finite once the run has diverged.
    """
    metrics = metrics_of(state.residual, state.power, state.object, state.probe)
    state = _background_estimated(state)
    if options.positions_from is not None:
        held = without_stretch(state.positions, state.told)
        state = dataclasses.replace(state, positions=held)
        state = _stretched(state, iteration, options)
    if state.intensity is not None:
        state = dataclasses.replace(state, intensity=state.intensity / state.intensity.mean())
    found = constrained(finish(state), options.constraints)
    # Modes and constraints change what the last updates were made for.
    goes_on = 0.0 if options.constraints or state.probe.shape[0] > 1 else 1.0
    begun = dataclasses.replace(
        state,
        object_drive=goes_on * state.object_drive,
        probe_drive=goes_on * state.probe_drive,
        object=found.object,
        probe=orthogonalised(found.probe),
        positions=found.positions,
        frames=jnp.zeros((), jnp.float32),
        residual=jnp.zeros((), jnp.float32),
        power=jnp.zeros((), jnp.float32),
    )
    return begun, metrics


def update(
    state: State, patterns: Patterns, iteration: Array | int, options: RPIEOptions
) -> tuple[State, dict[str, Array]]:
    """One epoch: every frame once."""
    return one_epoch(absorb, close_epoch, state, patterns, iteration, options)


def finish(state: State) -> Reconstruction:
    """The reconstruction a state stands for."""
    return Reconstruction(
        state.object, state.probe, state.positions, state.background, state.intensity
    )


def _group_chunks(groups: tuple[tuple[int, int], ...], chunk: int, iteration: Array | int) -> Array:
    """Chunks that share an update in this epoch: a traced number, for one compiled program."""
    chunks: Array = jnp.int32(1)
    for first, frames in groups:
        chunks = jnp.where(jnp.asarray(iteration) >= first, max(1, round(frames / chunk)), chunks)
    return chunks


def _no_sums(state: State) -> _Sums:
    return _Sums(
        jnp.zeros_like(state.object),
        jnp.zeros(state.object.shape, jnp.float32),
        jnp.zeros_like(state.probe),
        jnp.zeros(state.probe.shape[-2:], jnp.float32),
    )


def _chunk(
    state: State, sums: _Sums, part: _Part, iteration: Array | int, options: RPIEOptions
) -> tuple[State, _Sums]:
    """Add what one chunk asks for to the sums of its group."""
    seen = illuminate(
        state.object,
        state.probe,
        state.positions[part.members],
        subpixel=options.subpixel,
        between=options.between,
    )
    spectrum = options.propagator.spectrum(seen.exit, seen.ramps)
    modelled = intensity(spectrum) * (1 / options.propagator.gain(part.measured.shape) ** 2)
    measured, whole = part.measured, modelled
    if state.intensity is not None:
        # In units of the mean beam, so that the probe is one for all frames.
        measured = measured * lax.rsqrt(state.intensity[part.members] + _TINY)[:, None, None]
    if state.background is not None:
        whole = modelled + state.background
    judged = judge(whole, measured, part.alive * part.weights[:, None, None], options.likelihood)
    correction = modulus_correction(judged.ratio, spectrum, options.propagator, seen.ramps)
    asked, probe_asked = backpropagate(seen, correction, options.between)
    state = dataclasses.replace(
        state,
        frames=state.frames + (part.weights * (judged.power > 0)).sum(),
        residual=state.residual + judged.residual.sum(),
        power=state.power + judged.power.sum(),
    )
    state = _besides(state, part, measured, whole, iteration, options)
    if options.positions_from is not None:
        judged_as = Judged(spectrum, whole, measured**2, part.alive * part.weights[:, None, None])
        state = _counted(state, part.members, seen, judged_as, iteration, options)
        steps = position_steps(seen, correction) * part.weights[:, None]
        state = _moved(state, part.members, steps, iteration, options)
    return state, _added(sums, seen, asked, probe_asked, part.weights)


def _added(
    sums: _Sums, seen: Illuminated, asked: list[Array], probe_asked: Array, weights: Array
) -> _Sums:
    """Sums of a group with one chunk more."""
    weights = weights[:, None, None]
    objects, lit = sums.object, sums.object_weight
    for n, (wave, wanted) in enumerate(zip(seen.waves, asked, strict=True)):
        objects = add_windows(objects, seen.corners, wanted, n)
        lit = add_windows(lit, seen.corners, weights * intensity(wave), n)
    return _Sums(
        objects,
        lit,
        sums.probe + probe_asked,
        sums.probe_weight + (weights * intensity(seen.patches[0])).sum(axis=0),
    )


def _besides(
    state: State,
    part: _Part,
    measured: Array,
    modelled: Array,
    iteration: Array | int,
    options: RPIEOptions,
) -> State:
    """Background and intensities, as this chunk sees them."""
    weight = part.alive * part.weights[:, None, None]
    if options.background and state.excess is not None:
        # Pixels that are dead say nothing: quotient 1.
        quotient = jnp.where(weight > 0, measured**2 / (modelled + _TINY), 1.0)
        told = part.weights * (weight.sum(axis=(-2, -1)) > 0)
        excess = (told[:, None, None] * jnp.minimum(quotient, 10.0)).sum(axis=0)
        state = dataclasses.replace(state, excess=state.excess + excess)
    if options.fluctuation and state.intensity is not None:
        seen = (weight * measured**2).sum(axis=(-2, -1))
        expected = (weight * modelled).sum(axis=(-2, -1))
        # A frame that is dark in data or model keeps what it has.
        factor = jnp.where((seen > 0) & (expected > 0), seen / (expected + _TINY), 1.0)
        late = jnp.asarray(iteration) >= options.probe_from + 1
        factor = jnp.where(late, jnp.clip(factor, 0.5, 2.0), 1.0)
        state = dataclasses.replace(
            state, intensity=state.intensity.at[part.members].multiply(factor**part.weights)
        )
    return state


def _background_estimated(state: State) -> State:
    """Background after an epoch: one step of expectation maximisation (Richardson, Lucy)."""
    if state.background is None or state.excess is None:
        return state
    mean = state.excess / jnp.maximum(state.frames, 1.0)
    mean = jnp.where(state.frames > 0, mean, 1.0)
    return dataclasses.replace(
        state, background=state.background * mean, excess=jnp.zeros_like(state.excess)
    )


def _moved(
    state: State, members: Array, steps: Array, iteration: Array | int, options: RPIEOptions
) -> State:
    """Positions after the steps of a chunk : (frame, 2) pixels, kept inside the object."""
    on = jnp.asarray(iteration) >= (options.positions_from or 0)
    steps = jnp.clip(options.position_step * steps, -_LONGEST_STEP, _LONGEST_STEP)
    moved = state.positions.at[members].add(jnp.where(on, steps, 0.0))
    return dataclasses.replace(state, positions=_inside(moved, state))


def _stretches(options: RPIEOptions) -> bool:
    return options.positions_from is not None and options.stretch_from is not None


def _stretch_is_due(iteration: Array | int, options: RPIEOptions) -> Array:
    since = jnp.asarray(iteration) - (options.stretch_from or 0)
    return (since >= 0) & (since % _STRETCH_EVERY == 0)


def _counted(
    state: State,
    members: Array,
    seen: Illuminated,
    judged: Judged,
    iteration: Array | int,
    options: RPIEOptions,
) -> State:
    """Votes for a stretch with those of a chunk, if it is one of those that are asked."""
    if state.votes is None:
        return state
    every = max(1, state.positions.shape[0] // _STRETCH_FRAMES)
    asked = _stretch_is_due(iteration, options) & ((members[0] + iteration) % every == 0)
    votes = lax.cond(
        asked,
        lambda: voted(seen, state.positions[members], judged, options.propagator),
        no_votes,
    )
    return dataclasses.replace(state, votes=state.votes + votes)


def _stretched(state: State, iteration: Array | int, options: RPIEOptions) -> State:
    """The scan, with object and probe, stretched as the frames of the epoch asked, where due."""
    if state.votes is None:
        return state
    whole = Whole(state.object, state.probe, state.positions, state.told)
    votes, due = state.votes, _stretch_is_due(iteration, options)
    whole = lax.cond(due, lambda: stretched(whole, votes), lambda: whole)
    still = jnp.where(due, 0.0, 1.0)
    return dataclasses.replace(
        state,
        object=whole.object,
        probe=whole.probe,
        positions=_inside(whole.positions, state),
        told=whole.told,
        # The last updates were made for what has moved.
        object_drive=still * state.object_drive,
        probe_drive=still * state.probe_drive,
        votes=no_votes(),
    )


def _inside(positions: Array, state: State) -> Array:
    """Positions (frame, 2) whose frames lie on the object."""
    last = jnp.array(state.object.shape[-2:]) - jnp.array(state.probe.shape[-2:])
    return jnp.clip(positions, 0.0, last.astype(jnp.float32))


def _apply(state: State, sums: _Sums, iteration: Array | int, options: RPIEOptions) -> State:
    """Object and probe after one group."""
    brightest = intensity(state.probe[None]).max()
    weight = sums.object_weight
    # Never less than the weight, which would overshoot where many frames overlap.
    divisor = weight + options.alpha * jnp.maximum(brightest - weight, 0) + _TINY
    probe_divisor = sums.probe_weight + options.alpha * sums.probe_weight.max() + _TINY
    # Every slice is asked for the whole correction.
    share = options.object_step / state.object.shape[0]
    step = jnp.where(jnp.asarray(iteration) >= options.probe_from, options.probe_step, 0.0)
    object_drive = options.momentum * state.object_drive + share * sums.object / divisor
    probe_drive = options.momentum * state.probe_drive
    probe_drive += step.astype(jnp.float32) * sums.probe / probe_divisor
    return dataclasses.replace(
        state,
        object=state.object + object_drive,
        probe=state.probe + probe_drive,
        object_drive=object_drive,
        probe_drive=probe_drive,
    )
