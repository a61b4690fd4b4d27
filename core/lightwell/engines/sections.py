"""Running one section: slabs of tiles handed to workers within the memory budget."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.engines.segments import SegmentFolder, product_digest, write_segment
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Output
from lightwell.engines.stored import segmented
from lightwell.engines.tiles import Section
from lightwell.engines.worker import peak_memory
from lightwell.engines.workers import Worker, Workers
from lightwell.errors import ParameterError
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.hdf5 import Hdf5Array

__all__ = ["SectionRun", "StoredProduct"]

_WORKER_GUESS = 450 << 20
"""What a worker needs before the first tile has shown it: interpreter, JAX, compiled code."""

_SLABS_PER_WORKER = 4
"""A slab is closed at least this often, so that a kill loses little."""

Tell = Callable[[Event], None]


@dataclasses.dataclass
class _Cost:
    """What the slabs so far have shown: memory of a worker with one tile, and of each further."""

    first: int = 0
    further: int = 0

    def learn(self, answer: Any, stored_per_tile: int) -> None:
        tiles = answer["last"] - answer["first"]
        each = stored_per_tile + 2 * answer["bytes"] // tiles
        self.further = max(self.further, each)
        self.first = max(self.first, answer["peak"] - (tiles - 1) * each)


class SectionRun:
    """The execution of one section: which tiles are wanted, done, under way."""

    def __init__(
        self, section: Section, points: Sequence[int], folder: Path, spec: JobSpec, number: int
    ) -> None:
        self.section = section
        self.points = points
        self.wanted = sorted({point // section.tile for point in points})
        self.segments = SegmentFolder(folder)
        self._spec = spec
        self._number = number
        self._cost = _Cost()
        self._seconds = {"read_s": 0.0, "compute_s": 0.0, "write_s": 0.0}
        self._peak = 0
        self._found = 0

    def run(self, workers: Workers, tell: Tell) -> None:
        """Compute every wanted tile that no segment holds yet."""
        self.segments.prepare()
        missing = self.segments.missing(self.wanted)
        self._found = len(self.wanted) - len(missing)
        tell({"event": "found", "section": self._number, "tiles": self._found})
        if not missing:
            return
        workers.shrink(self._affordable(_WORKER_GUESS))
        workers.grow(min(self._affordable(_WORKER_GUESS), len(missing)))
        for index in range(len(workers.members)):
            workers.call("section", self._number, self.section, worker=index)
        self._share_out(workers, missing, tell)

    def _share_out(self, workers: Workers, missing: list[int], tell: Tell) -> None:
        pending = list(missing)
        while pending or any(member.busy for member in workers.members):
            for member in workers.members:
                if pending and not member.busy:
                    self._hand_over(member, pending, len(workers.members))
            for member, answer in workers.listen(workers.members):
                self._learn(answer, tell)
                allowed = self._affordable(self._cost.first)
                if member in workers.members[allowed:]:
                    workers.members.remove(member)
                    member.end()

    def _hand_over(self, member: Worker, pending: list[int], workers: int) -> None:
        most = self._slab_tiles(workers)
        fair = -(-len(pending) // (workers * _SLABS_PER_WORKER))
        first, last = next(_runs(pending))
        last = min(last, first + max(1, min(most, fair)))
        del pending[: last - first]
        member.ask("slab", self.segments.path, first, last)

    def _slab_tiles(self, workers: int) -> int:
        if not self._cost.first:
            return 1
        share = self._budget() // workers - self._cost.first
        return 1 + max(0, share // max(self._cost.further, 1))

    def _learn(self, answer: Any, tell: Tell) -> None:
        stored = int(self.section.source.bytes_per(self.section.axis) * self.section.tile)
        self._cost.learn(answer, stored)
        self._peak = max(self._peak, answer["peak"])
        for name in self._seconds:
            self._seconds[name] += answer[name]
        tell({"event": "segment", "section": self._number, **answer})
        if self._cost.first > self._budget():
            needed = (self._spec.memory - self._budget() + self._cost.first) / 1e9
            raise ParameterError(
                f"one tile needs {needed:.2f} GB in all, "
                f"the memory budget is {self._spec.memory / 1e9:.2f} GB",
                remedy=f"give at least --memory {needed + 0.05:.1f}GB",
            )

    def _affordable(self, each: int) -> int:
        return max(1, min(self._spec.workers, self._budget() // max(each, 1)))

    def _budget(self) -> int:
        return self._spec.memory - _own_memory()

    def report(self) -> dict[str, Any]:
        """What was computed, found, and how long the workers spent on it."""
        steps = [work.step.name for work in self.section.works]
        return {
            "steps": steps,
            "axis": self.section.axis,
            "tile": self.section.tile,
            "tiles": len(self.wanted),
            "tiles_found": self._found,
            "worker_peak_bytes": self._peak,
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
        digest = result_digest(self.segments, self.wanted, section.gives, section.axis)
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
    folder: SegmentFolder, wanted: Sequence[int], product: type[Product], axis: str
) -> str:
    """The logical digest of a result: its numbers in order, wherever segments end."""
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
    return product_digest((digests[tile] for tile in wanted), whole)


def _read_whole(array: "Hdf5Array") -> Any:
    return array.read(tuple(slice(None) for _ in array.shape))


class StoredProduct:
    """A product computed at once (a fold's or an iteration's), kept in a segment of its own."""

    def __init__(self, folder: Path) -> None:
        self._segments = SegmentFolder(folder)

    def save(self, product: Product) -> Source:
        """Write the product and give it as a source."""
        axis = next(iter(product.axes()), "")
        length = product.lengths().get(axis, 1)
        self._segments.prepare()
        write_segment(self._segments.path, (0, 1), [product], axis)
        held = self._segments.holding([0])
        arrays = segmented(held, type(product), axis, lambda first, last: (0, length))  # noqa: ARG005
        return Source(type(product), arrays)


def _runs(tiles: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive tiles, as ranges."""
    start = previous = tiles[0]
    for tile in tiles[1:]:
        if tile != previous + 1:
            yield start, previous + 1
            start = tile
        previous = tile
    yield start, previous + 1


def _own_memory() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return peak_memory()
