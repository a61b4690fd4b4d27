"""Running one section: slabs of tiles handed to workers within the memory budget."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.engines.blame import may_go_on, said
from lightwell.engines.budget import Budget
from lightwell.engines.costs import CostRecord, cost_key
from lightwell.engines.foresight import Foresight
from lightwell.engines.rechunk import Rechunking
from lightwell.engines.segments import SegmentFolder, is_damaged, product_digest
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Output, chosen_points
from lightwell.engines.stored import segmented
from lightwell.engines.tiles import Section
from lightwell.engines.workers import Worker, Workers
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.hdf5 import Hdf5Array

__all__ = ["SectionRun", "result_digest", "section_key"]

Tell = Callable[[Event], None]

_SECONDS = ("read_s", "compute_s", "write_s", "waited_s")


class SectionRun:
    """The execution of one section: which tiles are wanted, done, under way."""

    def __init__(
        self, section: Section, points: Sequence[int], folder: Path, spec: JobSpec, number: int
    ) -> None:
        self.section = section
        self.points = points
        self.wanted = sorted({point // section.tile for point in points})
        self.segments = SegmentFolder(folder)
        self.budget = Budget(spec.memory, spec.workers)
        self._number = number
        self._stored_per_tile = int(section.base[1].bytes_per(section.axis) * section.tile)
        self._seconds = dict.fromkeys(_SECONDS, 0.0)
        self._peaks: dict[int, int] = {}
        self._worker_peak = 0
        self._highest = 0
        self._found = 0
        self._slabs = 0
        self._source_bytes = 0
        self._laid_out = False
        self._done: set[int] = set()
        self._release: Callable[[set[int]], None] | None = None
        self._costs = CostRecord(spec.cache)
        self._tile_seconds: list[float] = []
        self._staff_size = 1
        self._began = self._ended = 0.0
        self.predicted: dict[str, Any] = {}
        self._largest = 1
        self._vain = 0

    def run(self, workers: Workers, tell: Tell, rechunking: Rechunking) -> None:
        """Compute every wanted tile that no sound segment holds yet."""
        self.segments.prepare()
        self._drop_damaged(tell)
        missing = self.segments.missing(self.wanted)
        self._found = len(self.wanted) - len(missing)
        tell({"event": "found", "section": self._number, "tiles": self._found})
        if not missing:
            return
        self._done = set(self.wanted) - set(missing)
        original = self.section
        self.section = workers.twice_if_short(lambda: rechunking.prepare(original, missing))
        self._laid_out = self.section is not original
        self._release = rechunking.releaser(self.section, original)
        if self._costs.folder is not None and len(missing) > 1:
            workers.twice_if_short(lambda: self._foresee(workers, len(missing), tell))
        self._began = time.perf_counter()
        self._share_out(workers, missing, tell)
        self._ended = time.perf_counter()
        self._note_cost()

    def _foresee(self, workers: Workers, tiles: int, tell: Tell) -> None:
        """Plan with what shapes and compiled programs tell, so that all workers begin at once."""
        # They start while the first one looks at the programs.
        while len(workers.members) < min(self.budget.workers(), tiles):
            workers.hire()
        at_rest = workers.call("ready")
        found: Foresight = workers.call("foresee", self.section)
        if found.unknown is not None:
            return
        shared = at_rest["shared"] + found.tables
        first = at_rest["peak"] - at_rest["shared"] + found.private
        self.budget.expect(first, shared, found.source if self.section.unit is None else 0)
        staff = min(self.budget.workers(), tiles)
        self.predicted = {
            "workers": staff,
            "worker_peak_bytes": first + shared,
            "peak_bytes": self.budget.own() + shared + staff * first,
        }
        tell({"event": "foreseen", "section": self._number, **self.predicted})

    def _foretell(self, answer: Any, staff: int, tell: Tell) -> None:
        """From the first slab on: how long all of it will take."""
        elapsed = time.perf_counter() - self._began
        left, tiles = len(self.wanted) - len(self._done), answer["last"] - answer["first"]
        # What takes longest goes on all the time, the rest beside it.
        each = max(answer["tile_s"], answer["read_s"] / tiles, answer["write_s"] / tiles)
        seconds = elapsed + left * each / max(min(staff, left), 1)
        self.predicted["seconds"] = round(seconds, 3)
        tell({"event": "foretold", "section": self._number, "seconds": self.predicted["seconds"]})

    @property
    def cost_key(self) -> str:
        """What the time of a tile is remembered by."""
        return section_key(self.section)

    def _note_cost(self) -> None:
        if self._tile_seconds:
            ordered = sorted(self._tile_seconds)
            self._costs.note(self.cost_key, ordered[len(ordered) // 2])

    def _drop_damaged(self, tell: Tell) -> None:
        """Remove segments of an earlier try whose numbers are not the ones that were written."""
        section = self.section
        for segment in self.segments.segments():
            if is_damaged(segment, section.gives, section.axis, section.tile):
                segment.path.unlink()
                tell({"event": "damaged", "section": self._number, "segment": str(segment.path)})

    def _share_out(self, workers: Workers, missing: list[int], tell: Tell) -> None:
        pending = list(missing)
        while pending:
            try:
                self._serve(workers, pending, tell)
            except Exception as error:
                if not may_go_on(error):
                    raise
                pending = self._recover(workers, error, tell)
            else:
                return

    def _serve(self, workers: Workers, pending: list[int], tell: Tell) -> None:
        """Hand out slabs until there is none left and all are segments."""
        for member in workers.members:
            self._instruct(member)
        while pending or any(member.busy for member in workers.members):
            self._staff(workers, pending)
            for member in workers.members:
                if pending and member.is_free and self._may_start(workers):
                    self._hand_over(member, pending, len(workers.members))
            for member, answer in workers.listen(workers.members):
                # None: a command was carried out; a slab is heard of when it is a segment.
                if answer is not None:
                    self._learn(member, answer, tell)
                    self.budget.check()

    def _recover(self, workers: Workers, error: Exception, tell: Tell) -> list[int]:
        """Give up all slabs under way and go on with smaller ones; gives the tiles to compute.

        Errors: the one that was raised, where one tile alone came to grief twice.
        """
        staff = len(workers.members)
        workers.shrink(0)
        self._peaks.clear()
        self.segments.prepare()
        if not self.budget.shrink(self._largest, staff):
            self._vain += 1
            if self._vain > 1:
                raise error
        most = self.budget.most_tiles or 1
        tell(
            {
                "event": "shortage",
                "section": self._number,
                "tiles": most,
                "workers": self.budget.most,
                "text": f"{said(error)}; going on with slabs of at most {most} tiles",
            }
        )
        return self.segments.missing(self.wanted)

    def _staff(self, workers: Workers, pending: Sequence[int]) -> None:
        """Have as many workers as fit and are of use; one that computes is never sent away."""
        busy = sum(member.busy for member in workers.members)
        wanted = max(1, min(self.budget.workers(), busy + len(pending)))
        for member in reversed(list(workers.members)):
            if len(workers.members) > wanted and not member.busy:
                self._peaks.pop(member.process.pid, None)
                workers.dismiss(member)
        while pending and len(workers.members) < wanted:
            self._instruct(workers.hire())
        self._staff_size = len(workers.members)

    def _instruct(self, member: Worker) -> None:
        member.ask("section", self._number, self.section)

    def _may_start(self, workers: Workers) -> bool:
        """The first tile is computed alone: two of unknown size might not fit."""
        return self.budget.is_known or not any(m.unsaved for m in workers.members)

    def _hand_over(self, member: Worker, pending: list[int], workers: int) -> None:
        most = self.budget.tiles(workers, len(pending))
        first, last = next(_runs(pending))
        last = min(last, first + most)
        del pending[: last - first]
        self._largest = last - first
        about = f"tiles {first} to {last - 1}"
        member.unsaved += 1
        member.ask("slab", self.segments.path, first, last, about=about)

    def _learn(self, member: Worker, answer: Any, tell: Tell) -> None:
        tiles = answer["last"] - answer["first"]
        # Tiles are read and written one by one, unless the file gives them all at once.
        held = self._stored_per_tile if self.section.unit is None else 0
        self.budget.learn(tiles, answer["peak"], held, answer["shared"])
        self._peaks[member.process.pid] = answer["peak"] - answer["shared"]
        self._worker_peak = max(self._worker_peak, answer["peak"])
        in_all = self.budget.own() + self.budget.shared + sum(self._peaks.values())
        self._highest = max(self._highest, in_all)
        self._slabs += 1
        self._vain = 0
        if not self._laid_out:
            self._source_bytes += answer["source_bytes"]
        for name in self._seconds:
            self._seconds[name] += answer[name]
        tell({"event": "segment", "section": self._number, **answer})
        self._done |= set(range(answer["first"], answer["last"]))
        if self._release is not None:
            self._release(self._done)
        self._tile_seconds.append(answer["tile_s"])
        if "seconds" not in self.predicted:
            self._foretell(answer, self._staff_size, tell)

    def report(self) -> dict[str, Any]:
        """What was computed, found, and how long the workers spent on it."""
        steps = [work.step.name for work in self.section.works]
        return {
            "steps": steps,
            "axis": self.section.axis,
            "tile": self.section.tile,
            "tiles": len(self.wanted),
            "tiles_found": self._found,
            **({"begun_from": self.section.begun_from} if self.section.kept else {}),
            "slabs": self._slabs,
            "source_bytes": self._source_bytes,
            "predicted": self.predicted,
            "wall_s": round(self._ended - self._began, 3),
            "worker_peak_bytes": self._worker_peak,
            "peak_bytes": self._highest,
            **{name: round(value, 3) for name, value in self._seconds.items()},
        }

    def stored(self) -> Source:
        """The product of the section, to be read again."""
        held = self.segments.holding(self.wanted)
        section = self.section
        arrays = segmented(held, section.gives, section.axis, section.span, section.length)
        return Source(self.section.gives, arrays)

    def output(self) -> Output:
        """The product of the section as the result of the job."""
        section = self.section
        digest = result_digest(
            self.segments,
            self.wanted,
            section.gives,
            section.axis,
            chosen_points(self.points, section.length),
        )
        return Output(
            section.gives,
            section.axis,
            section.tile,
            section.length,
            self.points,
            self.segments.path,
            digest,
        )


def section_key(section: Section, *further: Any) -> str:
    """What the time of a tile depends on: steps and shapes; further : steps after the section."""
    depth, source = section.base
    dims = source.product.dims()
    shapes = [
        tuple(
            section.tile if n == section.axis else length
            for n, length in zip(dims[name].names, array.shape, strict=True)
        )
        for name, array in source.arrays.items()
    ]
    steps = [work.step for work in section.works[depth:]]
    return cost_key([*steps, *further], shapes)


def result_digest(
    folder: SegmentFolder,
    wanted: Sequence[int],
    product: type[Product],
    axis: str,
    chosen: Sequence[int] = (),
) -> str:
    """The logical digest of a result: its numbers in order, wherever segments end.

    chosen : as for `product_digest`.
    """
    from lightwell.hdf5 import Hdf5Array

    digests: dict[int, str] = {}
    held = folder.holding(wanted)
    for segment in held:
        stored = Hdf5Array.find(str(segment.path), "tile_digests").read()
        digests |= {segment.first + i: row.tobytes().hex() for i, row in enumerate(stored)}
    dims = product.dims()
    whole = {
        name: _read_whole(Hdf5Array.find(str(held[0].path), name))
        for name in dims
        if axis not in dims[name].names
    }
    return product_digest((digests[tile] for tile in wanted), whole, chosen)


def _read_whole(array: "Hdf5Array") -> Any:
    return array.read(tuple(slice(None) for _ in array.shape))


def _runs(tiles: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive tiles, as ranges."""
    start = previous = tiles[0]
    for tile in tiles[1:]:
        if tile != previous + 1:
            yield start, previous + 1
            start = tile
        previous = tile
    yield start, previous + 1
