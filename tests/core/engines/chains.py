"""Small recipes, one for each kind of step, for the engine to run."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lightwell import (
    Array,
    Dims,
    Estimate,
    Fold,
    Input,
    Iteration,
    Product,
    State,
    TiledIteration,
    Unit,
    estimate_step,
    fold_step,
    iterate_step,
    map_step,
)


class Scan(Product):
    """Projections with a gain for every column."""

    frames: Annotated[Array, Dims("angle", "row", "x", unit="counts")]
    gain: Annotated[Array, Dims("row", "x")]
    angles: Annotated[Array, Dims("angle", unit="degree")]


class Sinograms(Product):
    """Normalised lines."""

    line: Annotated[Array, Dims("angle", "row", "x")]
    angles: Annotated[Array, Dims("angle", unit="degree")]


class Volume(Product):
    """Slices."""

    data: Annotated[Array, Dims("row", "y", "x")]


class Labels(Product):
    """Which voxels are above the threshold."""

    label: Annotated[Array, Dims("row", "y", "x")]


class Background(Product):
    """The mean line of all angles."""

    mean: Annotated[Array, Dims("row", "x")]


@map_step(over={"angle", "row"}, tile={"row": 4})
def normalise(scan: Scan, *, floor: float = 1e-3) -> Sinograms:
    """Divide by the gain."""
    return Sinograms(jnp.maximum(scan.frames / scan.gain, floor), scan.angles)


@map_step(over={"row"}, halo={"row": 2})
def soften(sinos: Sinograms, *, weight: Annotated[float, Unit("pixel")] = 0.2) -> Sinograms:
    """Mix every row with its two neighbours on either side."""
    line = sinos.line
    rows = line.shape[1]
    index = jnp.arange(rows)
    mixed = sum(
        line[:, jnp.clip(index + shift, 0, rows - 1), :] * (weight / abs(shift))
        for shift in (-2, -1, 1, 2)
    )
    return Sinograms(line + mixed, sinos.angles)


class BackPlan(NamedTuple):
    """Tables of the projection: cosine of every angle, and the number of pixels."""

    cos: np.ndarray
    width: int


def back_plan(like: Sinograms, *, kind: str) -> BackPlan:
    """Tables from the angles alone."""
    angles = np.deg2rad(np.asarray(like.angles, np.float64))
    cos = np.cos(angles) if kind == "cosine" else np.ones_like(angles)
    return BackPlan(cos.astype(np.float32), like.line.shape[2])


@map_step(over={"row"}, plan=back_plan)
def project(
    sinos: Sinograms,
    plan: BackPlan,
    *,
    axis: Annotated[float, Unit("pixel")],
    kind: Literal["flat", "cosine"] = "cosine",
) -> Volume:
    """An outer product with an FFT in it: anything whose bits depend on threads and tiles."""
    spectrum = jnp.fft.rfft(sinos.line, axis=2)
    shifted = jnp.fft.irfft(spectrum * jnp.exp(-0.01j * axis), n=plan.width, axis=2)
    weighted = jnp.einsum("a,arx->rx", plan.cos, shifted)
    return Volume(weighted[:, :, None] * jnp.ones((1, 1, plan.width)) / weighted.shape[1])


@estimate_step(sample={"row": 3})
def find_axis(
    sinos: Sinograms, *, search: Annotated[float, Unit("pixel")] = 20.0
) -> Estimate[float]:
    """The centre of mass of a few lines."""
    line = np.asarray(sinos.line, np.float64).mean(axis=(0, 1))
    centre = float((line * np.arange(line.size)).sum() / line.sum())
    return Estimate(min(centre, search * 100), 0.1)


@fold_step(over={"row"})
def half_height(like: Volume, *, share: float = 0.5) -> Fold[Array, Volume, Estimate[float]]:
    """A share of the highest value."""
    return Fold(
        init=lambda: jnp.zeros(()),
        update=lambda state, tile: jnp.maximum(state, tile.data.max()),
        finish=lambda state: Estimate(float(state) * share),
    )


@map_step(over={"row", "y", "x"})
def segment(volume: Volume, *, threshold: float) -> Labels:
    """Mark what is above the threshold."""
    return Labels((volume.data > threshold).astype(jnp.uint8))


class MeanState(State):
    """Sum of lines and their number."""

    total: Array
    number: Array


@fold_step(over={"angle"})
def average(like: Sinograms) -> Fold[MeanState, Sinograms, Background]:
    """The mean over all angles."""
    shape = like.line.shape[1:]
    return Fold(
        init=lambda: MeanState(jnp.zeros(shape), jnp.zeros(())),
        update=lambda s, tile: MeanState(
            s.total + tile.line.sum(axis=0), s.number + tile.line.shape[0]
        ),
        finish=lambda s: Background(s.total / s.number),
    )


@map_step(over={"angle", "row"})
def subtract(sinos: Sinograms, background: Background, *, scale: float = 1.0) -> Sinograms:
    """Remove a background line."""
    return Sinograms(sinos.line - scale * background.mean, sinos.angles)


class RelaxState(State):
    """The field so far."""

    field: Array


@iterate_step(checkpoint=3)
def relax(
    like: Volume, *, iterations: int = 20, seed: int = 0
) -> Iteration[RelaxState, Volume, Volume]:
    """Blend towards the data in random proportions."""

    def init(data: Volume) -> RelaxState:
        return RelaxState(jnp.zeros_like(data.data))

    def update(state: RelaxState, data: Volume, i: Array) -> tuple[RelaxState, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.key(seed), i)
        share = jax.random.uniform(key, data.data.shape) * 0.3
        field = state.field + share * (data.data - state.field)
        return RelaxState(field), {"error": jnp.abs(field - data.data).mean()}

    return Iteration(init, update, lambda state: Volume(state.field))


class Mixture(Product):
    """Mean slices, and which of them every slice is nearest to."""

    mean: Annotated[Array, Dims("kind", "y", "x")]
    kind: Annotated[Array, Dims("row")]


class MixtureState(State):
    """Means so far, sums of this pass, and the kind of every slice."""

    mean: Array
    total: Array
    number: Array
    kind: Array
    distance: Array


@iterate_step(checkpoint=4, over="row", tile="rows")
def cluster(
    like: Volume, *, iterations: int = 15, kinds: int = 3, rows: int = 4, tolerance: float = 0.0
) -> TiledIteration[MixtureState, Volume, Mixture]:
    """Slices in kinds, their means moved a random way towards the slices that are nearest."""
    count, *shape = like.data.shape

    def init(data: Volume) -> MixtureState:
        blank = jnp.zeros((kinds, *shape))
        return MixtureState(blank, blank, jnp.zeros(kinds), jnp.zeros(count, int), jnp.zeros(()))

    def survey(state: MixtureState, tile: Volume, first: Array) -> MixtureState:
        mean = state.mean.at[0].add(jnp.sum(tile.data, axis=0) / count)
        return dataclasses.replace(state, mean=mean)

    def start(state: MixtureState) -> MixtureState:
        shifts = jnp.linspace(0.9, 1.1, kinds)[:, None, None]
        return dataclasses.replace(state, mean=state.mean[0] * shifts)

    def update(state: MixtureState, tile: Volume, i: Array, first: Array) -> MixtureState:
        away = jnp.sum((tile.data[:, None] - state.mean) ** 2, axis=(2, 3))
        nearest = jnp.argmin(away, axis=1)
        member = jax.nn.one_hot(nearest, kinds)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), i), first)
        weight = jax.random.uniform(key, nearest.shape)[:, None] * member
        return MixtureState(
            state.mean,
            state.total + jnp.einsum("rk,ryx->kyx", weight, tile.data),
            state.number + weight.sum(axis=0),
            jax.lax.dynamic_update_slice(state.kind, nearest, (first,)),
            state.distance + away.min(axis=1).sum(),
        )

    def close(state: MixtureState, i: Array) -> tuple[MixtureState, dict[str, Array]]:
        weight = state.number[:, None, None]
        mean = jnp.where(weight > 0, state.total / jnp.maximum(weight, 1e-9), state.mean)
        after = MixtureState(
            mean, state.total * 0, state.number * 0, state.kind, jnp.zeros_like(state.distance)
        )
        return after, {"distance": state.distance}

    def stop(metrics: Mapping[str, Sequence[float]]) -> str | None:
        steady = len(metrics["distance"]) > 3 and tolerance > 0
        return "the distance is small enough" if steady else None

    return TiledIteration(
        init,
        update,
        close,
        lambda state: Mixture(state.mean, state.kind),
        survey=survey,
        start=start,
        stop=stop,
        order=lambda tiles, i: [(tile + i) % tiles for tile in range(tiles)],
    )


volume = (
    Input("data", Scan) | normalise | find_axis.into("axis") | soften | project.bind(kind="cosine")
).named("test.volume")

labels = (volume | half_height.into("threshold") | segment).named("test.labels")

cleaned = (
    Input("data", Scan) | normalise | subtract.using(Input("dark", Sinograms) | average)
).named("test.cleaned")

relaxed = (volume | relax).named("test.relaxed")

clustered = (Input("data", Volume) | cluster).named("test.clustered")
