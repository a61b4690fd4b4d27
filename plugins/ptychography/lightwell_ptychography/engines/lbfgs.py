"""L-BFGS on the likelihood of all frames at once, through automatic derivatives."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.objective import Model, in_chunks, value_and_gradient
from lightwell_ptychography.probe_modes import orthogonalised
from lightwell_ptychography.problem import Patterns, Reconstruction, fourier_error

__all__ = ["LBFGSOptions", "State", "finish", "init", "update"]

_TINY = 1e-30
_SUFFICIENT = 1e-4


@dataclasses.dataclass(frozen=True)
class LBFGSOptions:
    """How L-BFGS runs; hashable, since a compiled program belongs to it.

    model  : the physics, see `lightwell_ptychography.objective`
    memory : pairs of steps and slopes that make the curvature
    trials : shorter and shorter steps tried before the curvature is forgotten
    devices: among which the frames are shared out
    chunk  : frames worked on at once; None: as many as stay in the processor's cache
    seed   : nothing is random here; all algorithms have one
    """

    model: Model = dataclasses.field(default_factory=Model)
    memory: int = 8
    trials: int = 8
    devices: int = 1
    chunk: int | None = None
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """Where the search is, the slope there, and the pairs that make the curvature.

    slope        : (unknown,) complex64, of object and probe scaled to like sizes
    steps, bends : (memory, unknown) complex64, differences of places and of slopes, latest last
    loss, error  : float32, at the place, the error being Fourier's
    unit         : float32, the probe over its scaled form
    """

    found: Reconstruction
    slope: Array
    steps: Array
    bends: Array
    loss: Array
    error: Array
    unit: Array


def init(patterns: Patterns, guess: Reconstruction, options: LBFGSOptions) -> State:
    """State that begins at a guess, whose slope is still to be found."""
    del patterns
    found = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), guess)
    size = guess.object.size + guess.probe.size
    return State(
        found,
        jnp.zeros(size, jnp.complex64),
        jnp.zeros((options.memory, size), jnp.complex64),
        jnp.zeros((options.memory, size), jnp.complex64),
        jnp.array(jnp.inf, jnp.float32),
        jnp.array(jnp.inf, jnp.float32),
        jnp.sqrt((jnp.abs(guess.probe) ** 2).mean()) + _TINY,
    )


class _There(NamedTuple):
    """A place, and what the frames say of it: slope, loss, Fourier error."""

    place: Array
    slope: Array
    loss: Array
    error: Array


class _Trial(NamedTuple):
    """A place along the direction: how many were tried before it, how far it is, what is there."""

    number: Array
    length: Array
    there: _There


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def update(
    state: State, patterns: Patterns, iteration: Array | int, options: LBFGSOptions
) -> tuple[State, dict[str, Array]]:
    """One step along the quasi-Newton direction, as long as the loss falls enough.

    Loss and Fourier error are those after the step.
    """
    del iteration
    order, weights = in_chunks(patterns.count, state.found.probe.shape, options.chunk)

    def look(place: Array) -> _There:
        found = _unpacked(place, state)
        valued = value_and_gradient(
            found, patterns, options.model, order, weights, devices=options.devices
        )
        slope = _packed(valued.gradient.object, valued.gradient.probe * state.unit**2, state.unit)
        return _There(place, slope, valued.loss, fourier_error(valued.residual, valued.power))

    place = _packed(state.found.object, state.found.probe, state.unit)
    # The first slope of a run; later ones are those of the step before.
    here = lax.cond(
        jnp.isfinite(state.loss),
        lambda: _There(place, state.slope, state.loss, state.error),
        lambda: look(place),
    )
    state = _taken(state, here, *_searched(state, here, look, options.trials))
    return state, {"fourier_error": state.error, "loss": state.loss}


def finish(state: State) -> Reconstruction:
    """The reconstruction a state stands for, its modes at right angles."""
    return dataclasses.replace(state.found, probe=orthogonalised(state.found.probe))


def _searched(
    state: State, here: _There, look: Callable[[Array], _There], trials: int
) -> tuple[_There, Array]:
    """The first of shorter and shorter steps at which the loss falls enough, and if any does."""
    direction = -_curved(here.slope, state)
    descent = _dot(direction, here.slope)
    uphill = descent >= 0
    direction = jnp.where(uphill, -here.slope, direction)
    descent = jnp.where(uphill, -_dot(here.slope, here.slope), descent)
    # Without a curvature the unit of length is unknown: a tenth of the object's own.
    known = (jnp.abs(state.bends[-1]).max() > 0) & ~uphill
    first = jnp.where(known, 1.0, 0.1 / (jnp.abs(direction).max() + _TINY))

    def enough(trial: _Trial) -> Array:
        return trial.there.loss <= here.loss + _SUFFICIENT * trial.length * descent

    def shorter(trial: _Trial) -> _Trial:
        length = jnp.where(trial.number > 0, 0.3 * trial.length, trial.length)
        return _Trial(trial.number + 1, length, look(here.place + length * direction))

    begun = _Trial(jnp.int32(0), first, here._replace(loss=jnp.array(jnp.inf, jnp.float32)))
    last = lax.while_loop(lambda trial: (trial.number < trials) & ~enough(trial), shorter, begun)
    return last.there, enough(last)


def _taken(state: State, here: _There, there: _There, accepted: Array) -> State:
    """The state after a step, or, where no length helped, without its curvature."""
    step, bend = there.place - here.place, there.slope - here.slope
    curved = _dot(step, bend) > 1e-10 * _dot(bend, bend)
    steps = jnp.where(curved, jnp.concatenate([state.steps[1:], step[None]]), state.steps)
    bends = jnp.where(curved, jnp.concatenate([state.bends[1:], bend[None]]), state.bends)
    now = jax.tree.map(functools.partial(jnp.where, accepted), there, here)
    return dataclasses.replace(
        state,
        found=_unpacked(now.place, state),
        slope=now.slope,
        loss=now.loss,
        error=now.error,
        steps=jnp.where(accepted, steps, 0),
        bends=jnp.where(accepted, bends, 0),
    )


def _curved(slope: Array, state: State) -> Array:
    """Inverse curvature times slope, by the two loops over the pairs.

    Source: J. Nocedal and S. Wright, Numerical Optimization, algorithm 7.4.
    """
    pairs = state.steps.shape[0]
    sizes = jax.vmap(_dot)(state.steps, state.bends)
    inverse = jnp.where(sizes > 0, 1 / jnp.where(sizes > 0, sizes, 1), 0)
    shares = []
    for n in reversed(range(pairs)):
        share = inverse[n] * _dot(state.steps[n], slope)
        slope = slope - share * state.bends[n]
        shares.append(share)
    bend = _dot(state.bends[-1], state.bends[-1])
    slope = slope * jnp.where(bend > 0, sizes[-1] / jnp.where(bend > 0, bend, 1), 1)
    for n, share in zip(range(pairs), reversed(shares), strict=True):
        slope = slope + state.steps[n] * (share - inverse[n] * _dot(state.bends[n], slope))
    return slope


def _dot(first: Array, second: Array) -> Array:
    return (first.real * second.real + first.imag * second.imag).sum()


def _packed(object_: Array, probe: Array, unit: Array) -> Array:
    return jnp.concatenate([object_.ravel(), (probe / unit).ravel()])


def _unpacked(place: Array, state: State) -> Reconstruction:
    shape, probe_shape = state.found.object.shape, state.found.probe.shape
    size = state.found.object.size
    return dataclasses.replace(
        state.found,
        object=place[:size].reshape(shape),
        probe=(place[size:] * state.unit).reshape(probe_shape),
    )
