"""What a worker can be asked to do: slabs, samples, folds, iterations, pictures."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.blame import blaming
from lightwell.engines.checkpoints import load_checkpoint, save_checkpoint
from lightwell.engines.segments import write_segment
from lightwell.engines.sources import Source, shapes_only
from lightwell.engines.stored import write_whole
from lightwell.engines.tiles import Section, Tiles, cut, join
from lightwell.engines.worker import forget_peak, peak_memory
from lightwell.errors import InputError, LightwellError, WorkerError
from lightwell.products import Product
from lightwell.steps import Estimate
from lightwell.steps.calls import jitted_iteration, jitted_update, strong_types

__all__ = ["Duties"]

Tell = Callable[[Mapping[str, Any]], None]


class Duties:
    """The commands of a worker; one instance lives as long as its process."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._number = -1
        self._tiles: Tiles | None = None

    def ready(self) -> int:
        """Answer that the worker is up, with its memory."""
        return peak_memory()

    def section(self, number: int, section: Section) -> None:
        """Take up a section: later commands are about its tiles."""
        self._number = number
        self._tiles = Tiles(section)

    def slab(self, folder: Path, first: int, last: int) -> Mapping[str, Any]:
        """Compute the tiles of a slab and write them as one segment."""
        tiles = self._current
        forget_peak()
        began = time.perf_counter()
        self._say("slab-begun", first=first, last=last)
        tiles.hold(first, last)
        read = time.perf_counter() - began
        parts = []
        for tile in range(first, last):
            parts.append(self._checked(tiles.compute(tile), tile))
            self._say("tile-done", tile=tile)
        tiles.release()
        computed = time.perf_counter() - began - read
        path, size = write_segment(folder, (first, last), parts, tiles.section.axis)
        written = time.perf_counter() - began - read - computed
        self._say("slab-done", first=first, last=last)
        return {
            "first": first,
            "last": last,
            "segment": os.fspath(path),
            "bytes": size,
            "read_s": read,
            "compute_s": computed,
            "write_s": written,
            "peak": peak_memory(),
        }

    def estimate(
        self, step: Any, values: Mapping[str, Any], points: Sequence[int]
    ) -> Estimate[Any]:
        """Run an estimate step on a few points along the section's axis."""
        product = self._sample(points)
        with blaming(step.name):
            found = step.function(product, **values)
        if not isinstance(found, Estimate):
            raise LightwellError(f"{step.name} returned {type(found).__name__}, not an Estimate")
        return found

    def fold(self, step: Any, values: Mapping[str, Any], folder: Path) -> Any:
        """Fold all tiles of the section, in their order; a product goes to the folder."""
        tiles = self._current
        section = tiles.section
        with blaming(step.name):
            fold = step.function(
                shapes_only(section.source.product, section.source.arrays), **values
            )
            update = jitted_update(fold.update, step.takes)
            state = fold.init()
        for tile in range(section.count):
            tiles.hold(tile, tile + 1)
            arrays = tuple(tiles.compute(tile).arrays().values())
            with blaming(step.name, section.place(tile)):
                state = update(state, arrays)
            self._say("tile-done", tile=tile)
        tiles.release()
        with blaming(step.name):
            found = _on_host(fold.finish(state))
        return self._kept(step, found, folder)

    def iterate(
        self,
        step: Any,
        values: Mapping[str, Any],
        source: Source,
        checkpoint: Path,
        folder: Path,
    ) -> Mapping[str, Sequence[float]]:
        """Iterate on the whole data set, going on from the last checkpoint if there is one.

        The product goes to the folder, the metrics come back.
        """
        import jax.numpy as jnp

        arrays = tuple(jnp.asarray(a) for a in source.read().arrays().values())
        with blaming(step.name):
            iteration = step.function(shapes_only(source.product, source.arrays), **values)
            update = jitted_iteration(iteration.update, step.takes)
            state = strong_types(iteration.init(step.takes(*arrays)))
        state, done, metrics = load_checkpoint(checkpoint, state)
        for i in range(done, values["iterations"]):
            with blaming(step.name, f"iteration {i}"):
                state, found = update(state, arrays, i)
                for name, value in found.items():
                    metrics.setdefault(name, []).append(float(value))
            _check_metrics(step.name, i, metrics)
            self._say("iteration-done", iteration=i, metrics={n: m[-1] for n, m in metrics.items()})
            if (i + 1) % step.checkpoint == 0:
                save_checkpoint(checkpoint, state, i + 1, metrics)
        with blaming(step.name):
            product = _on_host(iteration.finish(state))
        self._kept(step, product, folder)
        return metrics

    def _kept(self, step: Any, found: Any, folder: Path) -> Any:
        """Write a product to the folder; give anything else as it is."""
        if not isinstance(found, Product):
            return found
        if not isinstance(found, step.gives):
            raise LightwellError(
                f"{step.name} returned {type(found).__name__}, declared is {step.gives.__name__}"
            )
        for name, array in found.arrays().items():
            if not _is_finite(array):
                raise InputError(
                    f"{step.name} gave NaN or infinite numbers in '{name}'",
                    remedy="look at the data it got, and at its parameters",
                )
        write_whole(folder, found)
        return None

    def glimpse(self, point: int) -> Product:
        """The product at one point along the section's axis."""
        tiles = self._current
        section = tiles.section
        number = point // section.tile
        start, _ = section.span(number, number + 1)
        product = tiles.compute(number)
        tiles.release()
        found: Product = _on_host(cut(product, section.axis, point - start, point - start + 1))
        return found

    @property
    def _current(self) -> Tiles:
        if self._tiles is None:
            raise WorkerError("a worker was asked for tiles before it was given a section")
        return self._tiles

    def _sample(self, points: Sequence[int]) -> Product:
        tiles = self._current
        axis, tile = tiles.section.axis, tiles.section.tile
        pieces = []
        for number in sorted({point // tile for point in points}):
            tiles.hold(number, number + 1)
            product = tiles.compute(number)
            for point in sorted(p for p in points if p // tile == number):
                row = point - number * tile
                pieces.append(_on_host(cut(product, axis, row, row + 1)))
                self._say("sampled", point=point)
        tiles.release()
        found: Product = _on_host(join(pieces, axis))
        return found

    def _checked(self, product: Product, tile: int) -> Product:
        host: Product = _on_host(product)
        for name, array in host.arrays().items():
            if not _is_finite(array):
                self._refuse(name, tile)
        return host

    def _refuse(self, name: str, tile: int) -> None:
        raise InputError(
            f"{self._first_not_finite(tile)} gave NaN or infinite numbers in '{name}'",
            where=self._current.section.place(tile),
            remedy="look at the raw frames and the flat fields there; a dead pixel or a flat "
            "field without light does this",
        )

    def _first_not_finite(self, tile: int) -> str:
        section = self._current.section
        for depth in range(len(section.works) + 1):
            arrays = self._current.compute(tile, depth).arrays().values()
            if not all(map(_is_finite, arrays)):
                return str(section.works[depth - 1].step.name) if depth else "the scan's own data"
        return "the recipe"

    def _say(self, event: str, **facts: Any) -> None:
        self._tell({"event": event, "section": self._number, **facts})


def _is_finite(array: Any) -> bool:
    import numpy as np

    host = np.asarray(array)
    return host.dtype.kind not in "fc" or bool(np.isfinite(host).all())


def _on_host(found: Any) -> Any:
    import numpy as np

    if isinstance(found, Product):
        return type(found)(**{n: np.asarray(a) for n, a in found.arrays().items()})
    if isinstance(found, Estimate):
        return Estimate(_plain(found.value), _plain(found.sigma), found.verdict, found.reason)
    return found


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "size", None) == 1 else value


def _check_metrics(step: str, i: int, metrics: Mapping[str, Sequence[float]]) -> None:
    import math

    for name, series in metrics.items():
        if not math.isfinite(series[-1]):
            raise InputError(
                f"{step} diverged: {name} is {series[-1]} after iteration {i}",
                remedy="start from another guess or take smaller steps",
            )
