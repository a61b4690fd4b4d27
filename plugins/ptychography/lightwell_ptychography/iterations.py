"""An algorithm as an iteration of the engine: tile by tile, or on all frames at once."""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from lightwell import Array, Iteration, TiledIteration
from lightwell_ptychography.ordering import tile_order
from lightwell_ptychography.products import Diffraction, ObjectAndProbe
from lightwell_ptychography.running import (
    Experiment,
    Running,
    Start,
    Survey,
    blank_survey,
    guessed,
    result,
    surveyed,
)
from lightwell_ptychography.stopping import patience

__all__ = ["Run", "on_all", "on_tiles"]


class Run(NamedTuple):
    """What every algorithm is told beside its options.

    settled : first iteration that is done as all later ones are, see `patience`.
    """

    like: Diffraction
    experiment: Experiment
    iterations: int
    modes: int = 1
    slices: int = 1
    start: Start = "data"
    tolerance: float = 0.0
    seed: int = 0
    positions_from: int | None = None
    settled: int = 0

    def guess(self, mean: Array) -> Any:
        """What it begins with."""
        return guessed(
            self.experiment,
            self.like,
            mean,
            modes=self.modes,
            slices=self.slices,
            start=self.start,
            seed=self.seed,
            positions_from=self.positions_from,
        )

    def begun(self, inner: Any, guess: Any) -> Running:
        """Its state before the first iteration."""
        return Running.begun(inner, self.iterations, jnp.array(guess.positions))


def on_tiles(
    algorithm: Any, options: Any, run: Run
) -> TiledIteration[Any, Diffraction, ObjectAndProbe]:
    """An algorithm with `absorb` and `close_epoch`, whose state holds no frames."""
    experiment = run.experiment

    def survey(state: Survey, tile: Diffraction, first: Array) -> Survey:
        del first
        return surveyed(state, experiment.patterns(tile))

    def start(found: Survey) -> Running:
        guess = run.guess(found.mean)
        return run.begun(algorithm.init(None, guess, options), guess)

    def update(state: Running, tile: Diffraction, i: Array, first: Array) -> Running:
        indices = first + jnp.arange(tile.frames.shape[0], dtype=jnp.int32)
        inner = algorithm.absorb(state.inner, experiment.patterns(tile), indices, i, options)
        return dataclasses.replace(state, inner=inner)

    def close(state: Running, i: Array) -> tuple[Running, dict[str, Array]]:
        inner, metrics = algorithm.close_epoch(state.inner, i, options)
        return state.after(inner, i, metrics), metrics

    return TiledIteration(
        lambda _: blank_survey(experiment),
        update,
        close,
        lambda state: result(experiment, algorithm.finish(state.inner), state),
        survey=survey,
        start=start,
        stop=patience(run.tolerance, run.settled),
        order=lambda tiles, i: [int(n) for n in tile_order(tiles, run.seed, i)],
    )


def on_all(
    algorithm: Any, options: Any, run: Run
) -> Iteration[Running, Diffraction, ObjectAndProbe]:
    """An algorithm that works on all frames together."""
    experiment = run.experiment

    def init(data: Diffraction) -> Running:
        patterns = experiment.patterns(data)
        guess = run.guess(surveyed(blank_survey(experiment), patterns).mean)
        return run.begun(algorithm.init(patterns, guess, options), guess)

    def update(state: Running, data: Diffraction, i: Array) -> tuple[Running, dict[str, Array]]:
        inner, metrics = algorithm.update(state.inner, experiment.patterns(data), i, options)
        return state.after(inner, i, metrics), metrics

    return Iteration(
        init,
        update,
        lambda state: result(experiment, algorithm.finish(state.inner), state),
        stop=patience(run.tolerance),
    )
