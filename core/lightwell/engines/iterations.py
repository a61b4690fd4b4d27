"""Iterations: on all data at once or tile by tile, going on from the last checkpoint.

A state is stored after so many iterations, or after a minute; which of the two it was changes no
bit of the result. Tiles follow from the step and its parameters alone; whether they stay in memory
or are read anew every time follows from the budget, and changes no bit either.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from lightwell.engines.blame import blaming
from lightwell.engines.checkpoints import load_checkpoint, save_checkpoint
from lightwell.engines.glimpses import Glimpsing, Looks
from lightwell.engines.guard import place_of_fault
from lightwell.engines.sources import Source, on_demand
from lightwell.engines.tables import on_device
from lightwell.engines.tiles import Section
from lightwell.errors import InputError
from lightwell.products import Product
from lightwell.steps.calls import (
    is_last,
    jitted_close,
    jitted_iteration,
    jitted_survey,
    jitted_tile,
    strong_types,
)

__all__ = ["Fault", "Found", "Iterating", "Keep"]

CHECKPOINT_S = 60.0
"""No more work than this is lost to a kill, an iteration under way aside."""

Found = tuple[Any, Mapping[str, Sequence[float]], "Fault"]
Arrays = tuple[Any, ...]
Keep = Literal["all", "none"]


@dataclasses.dataclass(frozen=True)
class Iterating:
    """One iterate step at work: its values, its data, where its state is kept, who is told.

    looks : where pictures show it while it runs; they change no bit of it.
    """

    step: Any
    values: Mapping[str, Any]
    source: Source
    checkpoint: Path
    say: Callable[..., None]
    looks: Looks | None = None

    def on_all(self) -> Found:
        """Iterate on all data; product, metrics, and who can tell where the data are at fault."""
        import jax.numpy as jnp

        step = self.step
        arrays = tuple(jnp.asarray(a) for a in self.source.read().arrays().values())
        with blaming(step.name):
            iteration = step.function(on_demand(self.source), **self.values)
            update = jitted_iteration(iteration.update, step.takes)
            state = strong_types(iteration.init(step.takes(*arrays)))
        fault = Fault(lambda: [step.takes(*arrays)])
        state, metrics = self._iterate(iteration, state, lambda s, i: update(s, arrays, i), fault)
        with blaming(step.name):
            return iteration.finish(state), metrics, fault

    def on_tiles(self, section: Section, keep: Keep) -> Found:
        """Iterate tile by tile.

        keep : which tiles stay in memory once they were read; the others are read anew.
        """
        import jax

        step = self.step
        passes = _Passes(section, keep)
        with blaming(step.name):
            iteration = step.function(on_demand(self.source), **self.values)
            update = jitted_tile(iteration.update, step.takes)
            close = jitted_close(iteration.close)
            state = strong_types(iteration.init(on_demand(self.source)))
            state = self._started(iteration, state, passes)
        # The first state is given away with the others: it must not be an array of the data.
        state = jax.tree_util.tree_map(_copied, state)

        order = iteration.order

        def advance(state: Any, i: int) -> Any:
            for first, arrays in passes(order(section.count, i) if order else None):
                # Not begun only: what waits to be computed keeps its tile in memory.
                state = jax.block_until_ready(update(state, arrays, i, first))
            return close(state, i)

        fault = Fault(lambda: (step.takes(*arrays) for _, arrays in passes()))
        state, metrics = self._iterate(iteration, state, advance, fault)
        with blaming(step.name):
            return iteration.finish(state), metrics, fault

    def _started(self, iteration: Any, state: Any, passes: "_Passes") -> Any:
        """The state iterations begin with; its shapes alone where a checkpoint holds another."""
        import jax

        start = iteration.start or _same
        if self.checkpoint.exists():
            return jax.eval_shape(lambda one: strong_types(start(one)), state)
        if iteration.survey is not None:
            survey = jitted_survey(iteration.survey, self.step.takes)
            for first, arrays in passes():
                state = jax.block_until_ready(survey(state, arrays, first))
        return strong_types(start(state))

    def _iterate(
        self, iteration: Any, state: Any, advance: Callable[[Any, int], Any], fault: "Fault"
    ) -> tuple[Any, Mapping[str, Sequence[float]]]:
        step, last = self.step, self.values["iterations"]
        state, done, metrics = load_checkpoint(self.checkpoint, state)
        why = is_last(iteration.stop, metrics, {}) if done else None
        glimpsing = Glimpsing(step.name, iteration.finish, self.looks, self.say)
        stored = time.monotonic()
        for i in range(done, last):
            if why:
                break
            with blaming(step.name, f"iteration {i}"):
                state, found = advance(state, i)
                why = is_last(iteration.stop, metrics, found)
            _check_metrics(step.name, i, metrics, fault)
            self.say("iteration-done", iteration=i, metrics={n: m[-1] for n, m in metrics.items()})
            is_due = (i + 1) % step.checkpoint == 0 or time.monotonic() - stored > CHECKPOINT_S
            if is_due or why:
                save_checkpoint(self.checkpoint, state, i + 1, metrics)
                stored = time.monotonic()
            if not why and i + 1 < last:
                glimpsing.look(state, i)
        if why:
            self.say("iteration-stopped", reason=why)
        return state, metrics


class _Passes:
    """The tiles of a section, as often as they are wanted: (first point, arrays)."""

    def __init__(self, section: Section, keep: Keep) -> None:
        self._section, self._keep = section, keep
        self._held: dict[int, Arrays] = {}
        self._whole: dict[str, Any] = {}

    def __call__(self, order: Sequence[int] | None = None) -> Iterator[tuple[int, Arrays]]:
        """All tiles, in an order of their numbers or their own."""
        numbers = list(range(self._section.count) if order is None else map(int, order))
        if not self._held and self._keep == "all":
            self._held = dict(self._read(range(self._section.count)))
        spans = [self._section.span(number, number + 1) for number in numbers]
        if self._held:
            yield from ((start, self._held[start]) for start, _ in spans)
        else:
            yield from self._read(numbers)

    def _read(self, numbers: Sequence[int]) -> Iterator[tuple[int, Arrays]]:
        """Tiles from the source; while one is worked on, a thread reads the next piece."""
        pieces = self._pieces(numbers)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read_points, *self._points(pieces[0]))
            for place, piece in enumerate(pieces):
                product = coming.result()
                if place + 1 < len(pieces):
                    coming = reader.submit(self._read_points, *self._points(pieces[place + 1]))
                begin = self._points(piece)[0]
                for number in piece:
                    start, stop = self._section.span(number, number + 1)
                    axis = self._section.axis
                    yield start, _arrays(product, axis, start - begin, stop - begin)

    def _pieces(self, numbers: Sequence[int]) -> list[Sequence[int]]:
        """The tiles that are read together: those of a chunk, where tiles come in their order."""
        count, unit = self._section.count, self._section.unit or 1
        if list(numbers) != list(range(count)):
            return [[number] for number in numbers]
        return [range(first, min(first + unit, count)) for first in range(0, count, unit)]

    def _points(self, piece: Sequence[int]) -> tuple[int, int]:
        return self._section.span(piece[0], piece[-1] + 1)

    def _read_points(self, start: int, stop: int) -> Product:
        axis, source = self._section.axis, self._section.source
        product = source.read(axis, start, stop, self._whole)
        for name, dims in product.dims().items():
            if axis not in dims.names and name not in self._whole:
                self._whole[name] = on_device(getattr(product, name))
        return product


def _arrays(product: Product, axis: str, start: int, stop: int) -> Arrays:
    """The arrays of a tile, where compiled functions want them."""
    found = []
    for name, dims in product.dims().items():
        array = getattr(product, name)
        if axis in dims.names:
            where = [slice(None)] * len(dims.names)
            where[dims.names.index(axis)] = slice(start, stop)
            array = array[tuple(where)]
        found.append(on_device(array))
    return tuple(found)


@dataclasses.dataclass
class Fault:
    """Where the data of a step have numbers that are none; looked for once, when it is asked."""

    products: Callable[[], Any]
    _found: str | None = None

    @property
    def place(self) -> str:
        if self._found is None:
            self._found = next((p for p in map(place_of_fault, self.products()) if p), "")
        return self._found


def _copied(leaf: Any) -> Any:
    return leaf.copy() if hasattr(leaf, "copy") else leaf


def _same(state: Any) -> Any:
    return state


def _check_metrics(step: str, i: int, metrics: Mapping[str, Sequence[float]], fault: Fault) -> None:
    for name, series in metrics.items():
        if not math.isfinite(series[-1]):
            cause = fault.place
            raise InputError(
                f"{step} diverged: {name} is {series[-1]} after iteration {i}"
                + (f"; its own data has NaN or infinite numbers in {cause}" if cause else ""),
                remedy="mend the data first"
                if cause
                else "start from another guess or take smaller steps",
            )
