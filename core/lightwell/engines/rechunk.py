"""Rechunking: inputs whose chunks cross all tiles are read once and laid out tile by tile."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lightwell.engines.budget import SLABS_PER_WORKER, own_memory
from lightwell.engines.costs import CostRecord
from lightwell.engines.grains import grain_of
from lightwell.engines.outline import Stretch, outline
from lightwell.engines.scratch import Scratch, ScratchArray
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec
from lightwell.engines.tiles import Section, Work, sample_points, tile_length
from lightwell.engines.workers import Workers

__all__ = ["MOST_READS", "Rechunking"]

Tell = Callable[[Event], None]
Choose = Callable[[Section], Sequence[int]]

MOST_READS = 1.5
"""A source that would be read more often than this is laid out anew."""

SCATTER = "scatter"
"""The cost of reading and laying out a byte, in the record of costs."""

SMALL = 32 << 20
"""Less than this is sooner read again than laid out anew."""

_SUMS = ("read_bytes", "read_s", "write_s")

_PART_BYTES = 384 << 20
"""What is noted as done, and lost by a kill, at once."""

_PIECE_BYTES = 48 << 20
"""What is read, and then written, at once."""


class Rechunking:
    """The scratch of a job: made when a section needs it, shared by all that read the input."""

    def __init__(self, spec: JobSpec, workers: Workers, tell: Tell, choose: Choose) -> None:
        self._spec, self._workers, self._tell, self._choose = spec, workers, tell, choose
        self._stretches = outline(spec.recipe, spec.settings)
        self._opened: dict[tuple[str, str], tuple[Scratch, Source]] = {}
        self._reports: list[dict[str, Any]] = []

    def report(self) -> list[dict[str, Any]]:
        """What was laid out anew, and what that took."""
        return self._reports

    def prepare(self, section: Section, tiles: Sequence[int]) -> Section:
        """The section as it is best read: from scratch where the input would be read repeatedly.

        tiles : that will be computed. Errors: InputError where there is no room.
        """
        role = self._role(section)
        # What begins from a kept output does not read the input.
        if role is None or section.kept is not None or not self._is_worth_it(role, section):
            return section
        key = (role, section.axis)
        if key not in self._opened:
            scratch = self._scratch(role, section)
            needed = self._blocks(scratch, [_reached(section, tiles)], section.axis)
            scratch.open(needed | self._glimpsed(scratch, section))
            self._opened[key] = scratch, self._filled(scratch, section)
        return dataclasses.replace(section, source=self._opened[key][1])

    def reading(self, section: Section, tile: int) -> Section:
        """The section read from scratch if a tile is there already, else as it was."""
        key = (self._role(section) or "", section.axis)
        scratch, source = self._opened.get(key, (None, None))
        if scratch is None or source is None:
            return section
        blocks = self._blocks(scratch, [_reached(section, [tile])], section.axis)
        held = set.intersection(*(set(array.held) for array in scratch.arrays.values()))
        if blocks & scratch.released or not blocks <= held:
            return section
        return dataclasses.replace(section, source=source)

    def releaser(self, section: Section, original: Section) -> Callable[[set[int]], None] | None:
        """What to tell of finished tiles, so that the disk gets back what they took."""
        role = self._role(original)
        key = (role or "", section.axis)
        if key not in self._opened or self._used_later(role, section):
            return None
        scratch, _ = self._opened[key]
        blocks = {array.block for array in scratch.arrays.values()}
        if blocks != {section.tile}:
            return None
        kept = self._glimpsed(scratch, original)
        reach = section.reach

        def release(done: set[int]) -> None:
            free = [
                tile
                for tile in sorted(done - kept - scratch.released)
                if all(n in done for n in _near(tile, reach, section.count))
            ]
            scratch.release(free)

        return release

    def remove(self) -> None:
        """Delete all scratch of the job."""
        for scratch, _ in self._opened.values():
            scratch.remove()

    def _role(self, section: Section) -> str | None:
        sources = self._spec.sources.items()
        return next((role for role, source in sources if source is section.base[1]), None)

    def _is_worth_it(self, role: str, section: Section) -> bool:
        source = section.source
        total = sum(source.nbytes(name) for name in _coarse(source, section.axis))
        if total <= SMALL or section.count < 2:
            return False
        return self.reads(role, section) > MOST_READS

    def reads(self, role: str, section: Section) -> float:
        """How many times the input would be read as it is, by all that reads it along the axis."""
        if section.unit is not None:
            return 1.0
        found = 0
        for stretch in self._along(role, section.axis):
            tiles = len(self._tiles(stretch, section.source))
            # A slab is at most the fair share of a worker, and each reads every frame.
            found += tiles if stretch.sampled else min(tiles, self._spec.workers * SLABS_PER_WORKER)
        return found + len(self._spec.glimpses)

    def _along(self, role: str, axis: str) -> list[Stretch]:
        return [s for s in self._stretches if s.role == role and s.axis == axis]

    def _used_later(self, role: str | None, section: Section) -> bool:
        using = [s for s in self._along(role or "", section.axis) if s.purpose != "estimate"]
        mine = tuple(work.step for work in section.works)
        return not using or tuple(using[-1].steps) != mine

    def _tiles(self, stretch: Stretch, source: Source) -> list[int]:
        section = _section(stretch, source)
        if stretch.sampled:
            points: Sequence[int] = sample_points(section.length, stretch.sampled)
        elif stretch.purpose == "result":
            points = self._choose(section)
        else:
            points = range(section.length)
        return sorted({point // section.tile for point in points})

    def _scratch(self, role: str, section: Section) -> Scratch:
        source, axis = section.source, section.axis
        folder = self._spec.folder / f"scratch_{role}_{axis}"
        spans = [
            span
            for stretch in self._along(role, axis)
            for span in _reached(_section(stretch, source), self._tiles(stretch, source))
        ]
        arrays = {}
        for name in _coarse(source, axis):
            array = source.arrays[name]
            along = source.product.dims()[name].names.index(axis)
            block = section.tile
            held = {n for low, high in spans for n in range(low // block, -(-high // block))}
            path = os.fspath(folder / f"{name}.raw")
            arrays[name] = ScratchArray(
                path, tuple(array.shape), array.dtype, along, block, tuple(sorted(held))
            )
        return Scratch(folder, arrays)

    def _glimpsed(self, scratch: Scratch, section: Section) -> set[int]:
        """The blocks that pictures are drawn from at the end."""
        if not self._spec.glimpses:
            return set()
        points = self._choose(section)
        middle = points[len(points) // 2] // section.tile
        return self._blocks(scratch, [_reached(section, [middle])], section.axis)

    def _blocks(self, scratch: Scratch, spans: Sequence[Sequence[Any]], axis: str) -> set[int]:
        block = next(iter(scratch.arrays.values())).block
        return {
            number
            for several in spans
            for low, high in several
            for number in range(low // block, -(-high // block))
        }

    def _filled(self, scratch: Scratch, section: Section) -> Source:
        """Have the workers bring in what is not there yet; the source that reads it."""
        source = section.source
        parts = [part for part in self._parts(scratch, source) if part not in scratch.done]
        facts = {"axis": section.axis, "bytes": scratch.nbytes, "parts": len(parts)}
        self._tell({"event": "scratch", **facts})
        report = {"read_bytes": 0.0, "read_s": 0.0, "write_s": 0.0, "wall_s": 0.0}
        began = time.perf_counter()
        tasks = [
            ("scatter", name, source.arrays[name], scratch.arrays[name], pieces)
            for name, pieces in self._tasks(source, parts)
        ]
        for answer in self._workers.share(self._spec.workers, tasks):
            scratch.finish(answer["name"], answer["start"], answer["stop"])
            for key in _SUMS:
                report[key] += answer[key]
            self._tell({"event": "scratch-part", **answer})
        report["wall_s"] = time.perf_counter() - began
        self._note_cost(report, parts)
        self._reports.append({**facts, **{name: round(v, 3) for name, v in report.items()}})
        return Source(source.product, {**source.arrays, **scratch.arrays})

    def _note_cost(self, report: Mapping[str, Any], parts: Sequence[Any]) -> None:
        # Reading and writing overlap, so that neither says how long both take.
        seconds = report["wall_s"] * self._spec.workers
        if parts and report["read_bytes"]:
            CostRecord(self._spec.cache).note(SCATTER, seconds / report["read_bytes"])

    def lays_out(self, section: Section) -> Scratch | None:
        """The scratch that a section would be read from; nothing is made."""
        role = self._role(section)
        if role is None or not self._is_worth_it(role, section):
            return None
        return self._scratch(role, section)

    def _parts(self, scratch: Scratch, source: Source) -> Iterator[tuple[str, int, int]]:
        """Parts of the first axis, whole chunks each: enough of them to keep all workers busy.

        Their lengths do not depend on memory: a job that resumes with less finds what was done.
        """
        for name, array in scratch.arrays.items():
            fair = source.nbytes(name) // (self._spec.workers * SLABS_PER_WORKER)
            size = min(max(fair, _PIECE_BYTES), _PART_BYTES)
            length, count = array.shape[0], self._members(source, name, size)
            for start in range(0, length, count):
                yield name, start, min(start + count, length)

    def _tasks(
        self, source: Source, parts: Sequence[tuple[str, int, int]]
    ) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """The pieces of every part, of which a worker has two in memory."""
        share = max(self._spec.memory - own_memory(), 0) // (16 * self._spec.workers)
        for name, start, stop in parts:
            count = self._members(source, name, min(_PIECE_BYTES, share))
            edges = range(start, stop, count)
            yield name, [(edge, min(edge + count, stop)) for edge in edges]

    def _members(self, source: Source, name: str, size: int) -> int:
        """How many members of the first axis make so many bytes, whole chunks and at least one."""
        array = source.arrays[name]
        grain = (grain_of(array) or (1,))[0]
        each = max(source.nbytes(name) // max(array.shape[0], 1), 1)
        return max(size // each // grain, 1) * grain


def _coarse(source: Source, axis: str) -> list[str]:
    """The arrays of which several points along the axis are read together."""
    dims = source.product.dims()
    found = []
    for name, array in source.arrays.items():
        grain = grain_of(array)
        if axis in dims[name].names and grain is not None:
            along = dims[name].names.index(axis)
            if grain[along] > 1:
                found.append(name)
    return found


def _section(stretch: Stretch, source: Source) -> Section:
    works = tuple(Work(step, {}) for step in stretch.steps)
    length = source.lengths().get(stretch.axis, 1)
    return Section(source, works, stretch.axis, tile_length(source, works, stretch.axis), length)


def _reached(section: Section, tiles: Sequence[int]) -> list[tuple[int, int]]:
    """The points of the tiles and of the neighbours they depend on."""
    reach = section.reach
    return [section.span(max(t - reach, 0), min(t + reach + 1, section.count)) for t in tiles]


def _near(tile: int, reach: int, count: int) -> range:
    return range(max(tile - reach, 0), min(tile + reach + 1, count))
