"""Recipes that misbehave, or end in unusual products, for the engine to cope with."""

import os
import signal
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from chains import Scan, Sinograms, Volume, normalise

from lightwell import (
    Array,
    Dims,
    Estimate,
    Fold,
    Input,
    Iteration,
    Product,
    State,
    estimate_step,
    fold_step,
    iterate_step,
    map_step,
)


class Frames(Product):
    """Square frames."""

    image: Annotated[Array, Dims("frame", "y", "x")]


class Spectra(Product):
    """Lines over an axis that every tile computes anew."""

    intensity: Annotated[Array, Dims("row", "q")]
    q: Annotated[Array, Dims("q", unit="1/m")]


class Total(Product):
    """One number for the whole scan, and the number of rows."""

    total: Annotated[Array, Dims()]
    rows: Annotated[Array, Dims()]


class TotalState(State):
    """Sum and number of rows."""

    total: Array
    rows: Array


@map_step(over={"row"}, tile={"row": 4})
def spectra(sinos: Sinograms, *, bins: int = 8) -> Spectra:
    """Give an array without the tiled axis beside one with it."""
    line = sinos.line.mean(axis=0)[:, :bins]
    return Spectra(line, jnp.arange(bins) * 0.5)


@fold_step(over={"row"})
def total(like: Sinograms) -> Fold[TotalState, Sinograms, Total]:
    """Sum everything into products without axes."""
    return Fold(
        init=lambda: TotalState(jnp.zeros(()), jnp.zeros((), jnp.int32)),
        update=lambda s, tile: TotalState(s.total + tile.line.sum(), s.rows + tile.line.shape[1]),
        finish=lambda s: Total(s.total, s.rows),
    )


@map_step(over={"row"}, tile={"row": 4})
def broken(sinos: Sinograms) -> Volume:
    """Raise while it is compiled."""
    raise RuntimeError(f"no good: {sinos.line.shape[0]} angles")


@map_step(over={"row"}, tile={"row": 4})
def picky(sinos: Sinograms, *, least: int = 1000) -> Volume:
    """Refuse scans with few angles, as kernels refuse what they cannot work on."""
    raise ValueError(f"{sinos.line.shape[0]} angles are fewer than {least}")


@map_step(over={"row"}, tile={"row": 4})
def misshapen(sinos: Sinograms) -> Volume:
    """Multiply arrays that do not fit, which JAX says by a ValueError of its own."""
    return Volume(sinos.line * jnp.ones(3))


@map_step(over={"row"}, tile={"row": 4})
def zero_to_nan(sinos: Sinograms) -> Sinograms:
    """Divide by what may be zero."""
    return Sinograms(sinos.line / jnp.where(sinos.line > 0, 1.0, 0.0), sinos.angles)


@map_step(over={"row"}, tile={"row": 4})
def shorten(sinos: Sinograms) -> Sinograms:
    """Give fewer rows than it got, which no map step may."""
    return Sinograms(sinos.line[:, ::2], sinos.angles)


def deadly_plan(like: Sinograms, *, number: int) -> np.ndarray:
    """Kill the worker that makes the plan."""
    os.kill(os.getpid(), number)
    return np.zeros(like.line.shape[2], np.float32)


@map_step(over={"row"}, tile={"row": 4}, plan=deadly_plan)
def deadly(sinos: Sinograms, plan: np.ndarray, *, number: int = signal.SIGKILL) -> Sinograms:
    """Never come back from the plan."""
    return Sinograms(sinos.line + plan, sinos.angles)


def greedy_plan(like: Sinograms) -> np.ndarray:
    """Read what only the tile may read."""
    return np.asarray(like.line)


@map_step(over={"row"}, tile={"row": 4}, plan=greedy_plan)
def greedy(sinos: Sinograms, plan: np.ndarray) -> Sinograms:
    """Have a plan that reads the tiled array."""
    return sinos


def length_plan(like: Sinograms) -> np.ndarray:
    """Use the number of rows, which has to be that of the whole."""
    return np.asarray(like.line.shape[1], np.float32)


@map_step(over={"row"}, tile={"row": 4}, plan=length_plan)
def count_rows(sinos: Sinograms, plan: np.ndarray) -> Sinograms:
    """Add the number of rows to every value."""
    return Sinograms(sinos.line + plan, sinos.angles)


@estimate_step(sample={"row": 3})
def hopeless(sinos: Sinograms, *, mark: str = "") -> Estimate[float]:
    """Fail, and leave a mark that it was called at all."""
    if mark:
        with open(mark, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write("called\n")
    return Estimate(0.0, verdict="failed", reason="all lines are flat")


@estimate_step(sample={"row": 3})
def counted(sinos: Sinograms, *, mark: str = "") -> Estimate[float]:
    """Count in a file how often it is called."""
    if mark:
        with open(mark, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write("called\n")
    return Estimate(1.5, 0.25)


@fold_step(over={"row"})
def highest(like: Sinograms) -> Fold[Array, Sinograms, Estimate[float]]:
    """The highest value of all."""
    return Fold(
        init=lambda: jnp.zeros(()),
        update=lambda state, tile: jnp.maximum(state, tile.line.max()),
        finish=lambda state: Estimate(float(state)),
    )


@map_step(over={"row"})
def scale(sinos: Sinograms, *, factor: float) -> Sinograms:
    """Multiply by a number."""
    return Sinograms(sinos.line * factor, sinos.angles)


class WeakState(State):
    """A number that begins as Python's own, and a field."""

    step: Array
    field: Array


@iterate_step(checkpoint=2)
def weak(
    like: Volume, *, iterations: int = 6, stop_at: int = -1
) -> Iteration[WeakState, Volume, Volume]:
    """Carry a weakly typed number; give up at an iteration if asked to."""

    def update(state: WeakState, data: Volume, i: Array) -> tuple[WeakState, dict[str, Array]]:
        field = state.field + data.data.astype(jnp.float16) * state.step
        error = jnp.where(i == stop_at, jnp.nan, field.astype(jnp.float32).mean())
        return WeakState(state.step * 0.5, field), {"error": error}

    return Iteration(
        lambda data: WeakState(0.3, jnp.zeros(data.data.shape, jnp.float16)),  # type: ignore[arg-type]
        update,
        lambda state: Volume(state.field.astype(jnp.float32)),
    )


@map_step(over={"frame"}, tile={"frame": 1}, halo={"frame": 1})
def grind(frames: Frames, *, rounds: int = 6, share: float = 0.25) -> Frames:
    """Some milliseconds of FFTs and long sums, mixed with the neighbours."""
    image = frames.image
    count = image.shape[0]
    for _ in range(rounds):
        spectrum = jnp.fft.rfft2(image)
        image = jnp.fft.irfft2(spectrum * 0.99, s=image.shape[1:]) + 1e-3 * image.mean()
    before = image[jnp.clip(jnp.arange(count) - 1, 0, count - 1)]
    after = image[jnp.clip(jnp.arange(count) + 1, 0, count - 1)]
    return Frames(image + share * (before + after))


@fold_step(over={"frame"})
def brightest(like: Frames) -> Fold[Array, Frames, Estimate[float]]:
    """The highest value of all frames."""
    return Fold(
        init=lambda: jnp.zeros(()),
        update=lambda state, tile: jnp.maximum(state, tile.image.max()),
        finish=lambda state: Estimate(float(state)),
    )


@map_step(over={"frame"}, tile={"frame": 2})
def relative(frames: Frames, *, peak: float, rounds: int = 4) -> Frames:
    """Divide by the highest value, after some more work."""
    image = frames.image
    for _ in range(rounds):
        image = jnp.fft.irfft2(jnp.fft.rfft2(image), s=image.shape[1:])
    return Frames(image / peak)


@map_step(over={"frame"}, tile={"frame": 2})
def hungry(frames: Frames, *, gain: float = 2.0) -> Frames:
    """Simple arithmetic on large frames."""
    return Frames(jnp.sqrt(frames.image * gain))


@map_step(over={"frame"}, tile={"frame": 1}, host=True)
def scarce(frames: Frames, *, mark: str = "", times: int = 2, how: str = "python") -> Frames:
    """Be short of memory some times, as a file says, in one of the ways processes are."""
    if mark:
        with open(mark, "a+", encoding="utf-8") as file:  # noqa: PTH123
            file.seek(0)
            lines = len(file.readlines())
            file.write("called\n")
        # Not with the first tile: the slabs behind it are larger.
        if 3 <= lines < 3 + times:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "xla":
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
            if how == "loader":
                raise ImportError("memory.so: failed to map segment from shared object")
            raise MemoryError("Unable to allocate 1 TiB")
    return Frames.of(image=np.asarray(frames.image) * 2)


start = Input("data", Scan) | normalise

lines = (start | spectra).named("test.lines")
totals = (start | total).named("test.totals")
broke = (start | broken).named("test.broke")
picked = (start | picky).named("test.picked")
bent = (start | misshapen).named("test.bent")
nans = (start | zero_to_nan).named("test.nans")
shortened = (start | shorten).named("test.shortened")
dead = (start | deadly).named("test.dead")
read_too_much = (start | greedy).named("test.greedy")
row_counts = (start | count_rows).named("test.row_counts")
without_hope = (start | hopeless.into("factor") | scale).named("test.without_hope")
scaled = (start | counted.into("factor") | scale).named("test.scaled")
normed = (start | highest.into("factor") | scale).named("test.normed")
ground = (Input("data", Frames) | grind | brightest.into("peak") | relative).named("test.ground")
large = (Input("data", Frames) | hungry).named("test.large")
weakly = (Input("data", Volume) | weak).named("test.weakly")
scarcely = (Input("data", Frames) | scarce).named("test.scarcely")
