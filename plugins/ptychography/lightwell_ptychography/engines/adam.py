"""Adam on the likelihood itself, through automatic derivatives: slow, and right by construction."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import Array, lax

from lightwell_ptychography.constraints import Constraint, constrained
from lightwell_ptychography.engines.epochs import metrics_of, one_epoch
from lightwell_ptychography.objective import Model, value_and_gradient
from lightwell_ptychography.ordering import cached_frames, chunk_order
from lightwell_ptychography.probe_modes import orthogonalised
from lightwell_ptychography.problem import Patterns, Reconstruction

__all__ = ["AdamOptions", "State", "absorb", "close_epoch", "finish", "init", "update"]

_TINY = 1e-30


@dataclasses.dataclass(frozen=True)
class AdamOptions:
    """How Adam runs; hashable, since a compiled program belongs to it.

    model         : the physics, see `lightwell_ptychography.objective`
    object_rate   : length of a step of the object
    probe_rate    : length of a step of the probe, over the root of its mean intensity at the start
    position_rate : length of a step of a position, pixels; 0 leaves positions alone
    background    : estimate the counts that are in every frame, from the guess on
    fluctuation   : estimate the intensity of every frame
    decay         : share by which rates fall over an epoch
    first_memory, second_memory : Adam's β1 and β2
    group         : frames that share a step
    constraints   : applied after every epoch
    devices       : among which the frames of a group are shared out
    chunk         : frames worked on at once; None: as many as stay in the processor's cache
    seed          : of the order of the frames
    """

    model: Model = dataclasses.field(default_factory=Model)
    object_rate: float = 0.03
    probe_rate: float = 0.05
    position_rate: float = 0.0
    background: bool = False
    fluctuation: bool = False
    decay: float = 0.03
    first_memory: float = 0.9
    second_memory: float = 0.99
    group: int = 16
    constraints: tuple[Constraint, ...] = ()
    devices: int = 1
    chunk: int | None = None
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """The estimates, Adam's two moments of each, and sums for the Fourier error.

    unit  : float32, root of the mean intensity of the probe at the start
    steps : float32, taken so far
    """

    found: Reconstruction
    mean: Reconstruction
    square: Reconstruction
    unit: Array
    steps: Array
    residual: Array
    power: Array


def init(patterns: Patterns | None, guess: Reconstruction, options: AdamOptions) -> State:
    """State that begins at a guess; patterns are not looked at."""
    del patterns
    found = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), guess)
    power = jnp.abs(guess.probe) ** 2
    if options.background and found.background is None:
        level = jnp.full(guess.probe.shape[-2:], 1e-3 * power.mean(axis=(-2, -1)).sum())
        found = dataclasses.replace(found, background=level.astype(jnp.float32))
    if options.fluctuation and found.intensity is None:
        beam = jnp.ones(guess.positions.shape[0], jnp.float32)
        found = dataclasses.replace(found, intensity=beam)
    return State(
        found,
        jax.tree.map(jnp.zeros_like, found),
        jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), found),
        jnp.sqrt(power.mean()) + _TINY,
        jnp.zeros((), jnp.float32),
        jnp.zeros((), jnp.float32),
        jnp.zeros((), jnp.float32),
    )


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def absorb(
    state: State, patterns: Patterns, indices: Array, iteration: Array | int, options: AdamOptions
) -> State:
    """Let a tile of frames improve the estimates.

    patterns : of the tile alone; its positions are not looked at, the state's are
    indices  : (frame,) int32, of these frames in the whole data set
    """
    chunk = options.chunk or cached_frames(state.found.probe.shape)
    per_group = max(1, round(options.group / chunk))
    order, weights = chunk_order(
        patterns.count, chunk * per_group, options.seed, iteration, indices[0]
    )
    shape = (-1, per_group, chunk)

    def group(state: State, xs: tuple[Array, Array]) -> tuple[State, None]:
        valued = value_and_gradient(
            state.found, patterns, options.model, *xs, indices, devices=options.devices
        )
        stepped = _stepped(state, valued.gradient, iteration, options)
        return dataclasses.replace(
            stepped,
            residual=state.residual + valued.residual,
            power=state.power + valued.power,
        ), None

    return lax.scan(group, state, (order.reshape(shape), weights.reshape(shape)))[0]


@functools.partial(jax.jit, static_argnames="options", donate_argnames="state")
def close_epoch(
    state: State, iteration: Array | int, options: AdamOptions
) -> tuple[State, dict[str, Array]]:
    """End an epoch after its last tile: constraints and metrics."""
    del iteration
    found = constrained(state.found, options.constraints)
    metrics = metrics_of(state.residual, state.power, found.object, found.probe)
    begun = dataclasses.replace(
        state,
        found=found,
        residual=jnp.zeros((), jnp.float32),
        power=jnp.zeros((), jnp.float32),
    )
    return begun, metrics


def update(
    state: State, patterns: Patterns, iteration: Array | int, options: AdamOptions
) -> tuple[State, dict[str, Array]]:
    """One epoch: every frame once."""
    return one_epoch(absorb, close_epoch, state, patterns, iteration, options)


def finish(state: State) -> Reconstruction:
    """The reconstruction a state stands for, its modes at right angles."""
    return dataclasses.replace(state.found, probe=orthogonalised(state.found.probe))


def _stepped(
    state: State, slope: Reconstruction, iteration: Array | int, options: AdamOptions
) -> State:
    """One step of Adam; where there is no gradient, nothing moves."""
    one, two = options.first_memory, options.second_memory
    steps = state.steps + 1
    fade = jnp.exp(-options.decay * jnp.asarray(iteration).astype(jnp.float32))
    mean = jax.tree.map(lambda m, g: one * m + (1 - one) * g, state.mean, slope)
    square = jax.tree.map(
        lambda v, g: two * v + (1 - two) * (g * g.conj()).real, state.square, slope
    )

    def move(value: Array, m: Array, v: Array, rate: Array | float) -> Array:
        step = m / (1 - one**steps) / (jnp.sqrt(v / (1 - two**steps)) + 1e-12)
        return value - (rate * fade * step).astype(value.dtype)

    old = state.found
    moved = {
        "object": move(old.object, mean.object, square.object, options.object_rate),
        "probe": move(old.probe, mean.probe, square.probe, options.probe_rate * state.unit),
    }
    if options.position_rate:
        moved["positions"] = move(
            old.positions, mean.positions, square.positions, options.position_rate
        )
    if options.background and mean.background is not None and square.background is not None:
        assert old.background is not None, "made by init"  # noqa: S101
        rate = 0.02 * old.background.mean()
        level = move(old.background, mean.background, square.background, rate)
        moved["background"] = jnp.maximum(level, 0)
    if options.fluctuation and mean.intensity is not None and square.intensity is not None:
        assert old.intensity is not None, "made by init"  # noqa: S101
        beam = jnp.maximum(move(old.intensity, mean.intensity, square.intensity, 0.01), 0.01)
        moved["intensity"] = beam / beam.mean()
    found = dataclasses.replace(old, **moved)
    return dataclasses.replace(state, found=found, mean=mean, square=square, steps=steps)
