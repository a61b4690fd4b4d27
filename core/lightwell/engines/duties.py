"""What a worker can be asked to do: slabs, samples, folds, iterations, pictures."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.blame import blaming
from lightwell.engines.foresight import Foresight, foresee
from lightwell.engines.glimpses import Looks
from lightwell.engines.guard import (
    check_tile,
    is_number,
    place_of_fault,
    refuse_estimate,
    refuse_product,
)
from lightwell.engines.iterating import By, Needs, foresee_iteration
from lightwell.engines.iterations import Found, Iterating, Keep
from lightwell.engines.laying import lay_out
from lightwell.engines.preparing import seconds_preparing
from lightwell.engines.saving import Saving
from lightwell.engines.scratch import ScratchArray
from lightwell.engines.segments import on_host
from lightwell.engines.sources import Source, shapes_only
from lightwell.engines.stored import write_whole
from lightwell.engines.tables import TableCache
from lightwell.engines.tiles import Section, Tiles, cut, join
from lightwell.engines.worker import forget_peak, peak_memory, shared_memory
from lightwell.errors import InputError, LightwellError, WorkerError
from lightwell.products import Product
from lightwell.steps import Estimate
from lightwell.steps.calls import jitted_update

__all__ = ["Duties"]

Tell = Callable[[Mapping[str, Any]], None]


class Duties:
    """The commands of a worker; one instance lives as long as its process."""

    def __init__(
        self,
        tell: Tell,
        saved: Tell,
        failed: Callable[[Exception], None],
        cache: Path | None = None,
    ) -> None:
        self._tables = TableCache(cache and cache / "tables")
        self._tell, self._saved, self._failed = tell, saved, failed
        self._number = -1
        self._tiles: Tiles | None = None
        self._saving: Saving | None = None

    def ready(self) -> Mapping[str, int]:
        """Answer that the worker is up, with its memory and what of it is shared."""
        # What reading left behind is not what it needs.
        forget_peak()
        return {"peak": peak_memory(), "shared": shared_memory()}

    def foresee(self, section: Section) -> Foresight:
        """Tell what a tile of a section will take."""
        return foresee(section, self._tables)

    def section(self, number: int, section: Section) -> None:
        """Take up a section: later commands are about its tiles."""
        self._number = number
        self._tiles = Tiles(section, self._tables)

    def slab(self, folder: Path, first: int, last: int) -> None:
        """Compute the tiles of a slab; its segment is closed, and told of, behind the next one."""
        tiles = self._current
        if self._saving is not None:
            # Not more than one closes while another is computed.
            self._saving.join()
        forget_peak()
        began = time.perf_counter()
        self._say("slab-begun", first=first, last=last)
        tiles.hold(first, last)
        saving = Saving(folder, (first, last), tiles.section, self._closed, self._failed)
        tile_s = 0.0
        try:
            for tile in range(first, last):
                since, before = time.perf_counter(), seconds_preparing()
                part = self._checked(tiles.compute(tile), tile)
                once = seconds_preparing() - before
                tile_s = max(time.perf_counter() - since - once, 0.0)
                self._say("tile-done", tile=tile)
                saving.add(part)
                del part
        except BaseException:
            saving.abandon()
            tiles.release()
            raise
        self._saving = saving
        reading = tiles.reading
        if reading is None:
            raise WorkerError("a slab was let go of before it was computed")
        waited = reading.waited + saving.waited
        facts = {
            "first": first,
            "last": last,
            "source_bytes": reading.bytes,
            "read_s": reading.seconds,
            "compute_s": time.perf_counter() - began - waited,
            "waited_s": waited,
            "tile_s": tile_s,
        }
        tiles.release()
        saving.finish(facts)

    def _closed(self, facts: Mapping[str, Any]) -> None:
        self._say("slab-done", first=facts["first"], last=facts["last"])
        self._saved(facts)

    def scatter(
        self,
        name: str,
        array: Any,
        scratch: ScratchArray,
        pieces: Sequence[tuple[int, int]],
    ) -> Mapping[str, Any]:
        """Lay out members of the first axis of an array anew, tile by tile, piece after piece."""
        return {"name": name, **lay_out(array, scratch, pieces)}

    def estimate(
        self, step: Any, values: Mapping[str, Any], points: Sequence[int]
    ) -> Estimate[Any]:
        """Run an estimate step on a few points along the section's axis."""
        product = self._sample(points)
        try:
            with blaming(step.name):
                found = step.function(product, **values)
        except InputError:
            self._look_for_faults(points)
            raise
        if not isinstance(found, Estimate):
            raise LightwellError(f"{step.name} returned {type(found).__name__}, not an Estimate")
        if found.verdict == "failed" or not is_number(found.value):
            self._look_for_faults(points)
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
        tiles.hold(0, section.count)
        cause = ""
        for tile in range(section.count):
            product = tiles.compute(tile)
            cause = cause or place_of_fault(product, {section.axis: section.span(tile, tile)[0]})
            arrays = tuple(product.arrays().values())
            with blaming(step.name, section.place(tile)):
                state = update(state, arrays)
            self._say("tile-done", tile=tile)
        tiles.release()
        with blaming(step.name):
            found = _on_host(fold.finish(state))
        refuse_estimate(found, step.name, cause)
        return self._kept(step, found, folder, cause)

    def iterate(
        self,
        step: Any,
        values: Mapping[str, Any],
        source: Source,
        checkpoint: Path,
        folder: Path,
        looks: Looks | None = None,
    ) -> Mapping[str, Sequence[float]]:
        """Iterate on the whole data set, going on from the last checkpoint if there is one.

        The product goes to the folder, the metrics come back.
        looks : where pictures show the iteration under way, if they do.
        """
        iterating = Iterating(step, values, source, checkpoint, self._say, looks)
        return self._iterated(step, iterating.on_all(), folder)

    def iterate_tiles(
        self,
        step: Any,
        values: Mapping[str, Any],
        section: Section,
        checkpoint: Path,
        folder: Path,
        keep: Keep,
        looks: Looks | None = None,
    ) -> Mapping[str, Sequence[float]]:
        """Iterate tile by tile, the tiles kept in memory or read anew in every iteration."""
        iterating = Iterating(step, values, section.source, checkpoint, self._say, looks)
        return self._iterated(step, iterating.on_tiles(section, keep), folder)

    def foresee_iteration(
        self,
        step: Any,
        values: Mapping[str, Any],
        source: Source,
        tile: int | None,
        by: By,
    ) -> Needs:
        """Tell what an iteration will need beside its data."""
        return foresee_iteration(step, values, source, tile, by)

    def _iterated(self, step: Any, found: Found, folder: Path) -> Mapping[str, Sequence[float]]:
        product, metrics, fault = found
        product = _on_host(product)
        # The data are looked through, which means read, only where something is wrong.
        cause = fault.place if place_of_fault(product) else ""
        self._kept(step, product, folder, cause)
        return metrics

    def _kept(self, step: Any, found: Any, folder: Path, cause: str) -> Any:
        """Write a product to the folder; give anything else as it is.

        cause : where the data the step got have numbers that are none, if they have.
        """
        if not isinstance(found, Product):
            return found
        if not isinstance(found, step.gives):
            raise LightwellError(
                f"{step.name} returned {type(found).__name__}, declared is {step.gives.__name__}"
            )
        refuse_product(found, step.name, cause)
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

    def _look_for_faults(self, points: Sequence[int]) -> None:
        """Blame the data an estimate was made from, if they are to blame.

        Errors: InputError.
        """
        tiles = self._current
        for number in sorted({point // tiles.section.tile for point in points}):
            check_tile(tiles.compute(number), tiles, number)

    def _checked(self, product: Product, tile: int) -> Product:
        host = on_host(product)
        if self._current.section.guarded:
            check_tile(host, self._current, tile)
        return host

    def _say(self, event: str, **facts: Any) -> None:
        self._tell({"event": event, "section": self._number, **facts})


def _on_host(found: Any) -> Any:
    import numpy as np

    if isinstance(found, Product):
        return type(found)(**{n: np.asarray(a) for n, a in found.arrays().items()})
    if isinstance(found, Estimate):
        return Estimate(_plain(found.value), _plain(found.sigma), found.verdict, found.reason)
    return found


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "size", None) == 1 else value
