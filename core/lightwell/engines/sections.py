"""Running one section: slabs of tiles handed to workers within the memory budget."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.engines.budget import Budget
from lightwell.engines.segments import SegmentFolder, is_damaged, product_digest
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Output, chosen_points
from lightwell.engines.stored import segmented
from lightwell.engines.tiles import Section
from lightwell.engines.workers import Worker, Workers
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.hdf5 import Hdf5Array

__all__ = ["SectionRun", "result_digest"]

Tell = Callable[[Event], None]


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
        self._stored_per_tile = int(section.source.bytes_per(section.axis) * section.tile)
        self._seconds = {"read_s": 0.0, "compute_s": 0.0, "write_s": 0.0}
        self._peaks: dict[int, int] = {}
        self._worker_peak = 0
        self._highest = 0
        self._found = 0
        self._slabs = 0

    def run(self, workers: Workers, tell: Tell) -> None:
        """Compute every wanted tile that no sound segment holds yet."""
        self.segments.prepare()
        self._drop_damaged(tell)
        missing = self.segments.missing(self.wanted)
        self._found = len(self.wanted) - len(missing)
        tell({"event": "found", "section": self._number, "tiles": self._found})
        if not missing:
            return
        for member in workers.members:
            self._instruct(member)
        self._share_out(workers, missing, tell)

    def _drop_damaged(self, tell: Tell) -> None:
        """Remove segments of an earlier try whose numbers are not the ones that were written."""
        section = self.section
        for segment in self.segments.segments():
            if is_damaged(segment, section.gives, section.axis, section.tile):
                segment.path.unlink()
                tell({"event": "damaged", "section": self._number, "segment": str(segment.path)})

    def _share_out(self, workers: Workers, missing: list[int], tell: Tell) -> None:
        pending = list(missing)
        while pending or any(member.busy for member in workers.members):
            self._staff(workers, pending)
            for member in workers.members:
                if pending and not member.busy and self._may_start(workers):
                    self._hand_over(member, pending, len(workers.members))
            for member, answer in workers.listen(workers.members):
                if answer is not None:
                    self._learn(member, answer, tell)
                    self.budget.check()

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

    def _instruct(self, member: Worker) -> None:
        member.ask("section", self._number, self.section)

    def _may_start(self, workers: Workers) -> bool:
        """The first tile is computed alone: two of unknown size might not fit."""
        return self.budget.is_known or not any(m.doing == "slab" for m in workers.members)

    def _hand_over(self, member: Worker, pending: list[int], workers: int) -> None:
        most = self.budget.tiles(workers, len(pending))
        first, last = next(_runs(pending))
        last = min(last, first + most)
        del pending[: last - first]
        about = f"tiles {first} to {last - 1}"
        member.ask("slab", self.segments.path, first, last, about=about)

    def _learn(self, member: Worker, answer: Any, tell: Tell) -> None:
        tiles = answer["last"] - answer["first"]
        # Twice what is written: the tiles, and all of them joined to one array.
        held = self._stored_per_tile + 2 * answer["bytes"] // tiles
        self.budget.learn(tiles, answer["peak"], held)
        self._peaks[member.process.pid] = answer["peak"]
        self._worker_peak = max(self._worker_peak, answer["peak"])
        self._highest = max(self._highest, self.budget.own() + sum(self._peaks.values()))
        self._slabs += 1
        for name in self._seconds:
            self._seconds[name] += answer[name]
        tell({"event": "segment", "section": self._number, **answer})

    def report(self) -> dict[str, Any]:
        """What was computed, found, and how long the workers spent on it."""
        steps = [work.step.name for work in self.section.works]
        return {
            "steps": steps,
            "axis": self.section.axis,
            "tile": self.section.tile,
            "tiles": len(self.wanted),
            "tiles_found": self._found,
            "slabs": self._slabs,
            "worker_peak_bytes": self._worker_peak,
            "peak_bytes": self._highest,
            **{name: round(value, 3) for name, value in self._seconds.items()},
        }

    def stored(self) -> Source:
        """The product of the section, to be read again."""
        held = self.segments.holding(self.wanted)
        arrays = segmented(held, self.section.gives, self.section.axis, self.section.span)
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
