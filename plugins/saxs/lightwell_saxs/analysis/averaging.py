"""Alike measurements averaged, the others found out."""

import jax
import jax.numpy as jnp

from lightwell import Array, Fold, State, fold_step
from lightwell.errors import ParameterError
from lightwell_saxs.kernels.likeness import longest_run, suspicious_run
from lightwell_saxs.profiles import AverageProfile, Profiles

__all__ = ["average_alike"]


class MeanState(State):
    """Sums over the curves so far, the first of them, and what was said of each."""

    first: Array
    total: Array
    variance: Array
    count: Array
    q: Array
    resolution: Array
    used: Array
    runs: Array
    place: Array


@fold_step(over={"frame"})
def average_alike(
    like: Profiles, *, significance: float = 0.01, keep_all: bool = False
) -> Fold[MeanState, Profiles, AverageProfile]:
    """The mean of the curves that are like the first one by the CorMap test.

    significance : of the test, divided by the number of curves that are tested; keep_all : also
    those that fail it. The sigma of the mean is that of the curves over their number.
    """
    if not 0 < significance < 1:
        raise ParameterError(f"significance = {significance}, it has to be between 0 and 1")
    frames, points = like.intensity.shape
    limit = suspicious_run(points, significance / max(frames - 1, 1))

    def init() -> MeanState:
        row, column = jnp.zeros(points), jnp.zeros(frames)
        return MeanState(row, row, row, row, row, row, column, column, jnp.zeros((), jnp.int32))

    def update(state: MeanState, tile: Profiles) -> MeanState:
        curves, sigma = jnp.asarray(tile.intensity), jnp.asarray(tile.sigma)
        first = jnp.where(state.place == 0, curves[0], state.first)
        runs = jax.vmap(longest_run)(curves - first).astype(jnp.float32)
        # The first one does not differ from itself, so it has a run through all its points.
        number = state.place + jnp.arange(len(curves))
        used = (runs < limit) | (number == 0) | keep_all
        seen = used[:, None] & jnp.isfinite(curves)
        return MeanState(
            first,
            state.total + jnp.sum(jnp.where(seen, curves, 0.0), axis=0),
            state.variance + jnp.sum(jnp.where(seen, sigma**2, 0.0), axis=0),
            state.count + jnp.sum(seen, axis=0),
            jnp.asarray(tile.q),
            jnp.asarray(tile.resolution),
            jax.lax.dynamic_update_slice(state.used, used.astype(jnp.float32), (state.place,)),
            jax.lax.dynamic_update_slice(state.runs, runs, (state.place,)),
            state.place + len(curves),
        )

    def finish(state: MeanState) -> AverageProfile:
        some = state.count > 0
        count = jnp.where(some, state.count, 1.0)
        return AverageProfile(
            jnp.where(some, state.total / count, jnp.nan),
            jnp.where(some, jnp.sqrt(state.variance) / count, jnp.nan),
            state.q,
            state.resolution,
            state.used,
            state.runs,
        )

    return Fold(init, update, finish)
