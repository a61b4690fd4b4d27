"""The plan of a job: its sections, what they read and write, how much memory and time they take.

Nothing is computed: shapes and the analysis of compiled programs tell the memory, the record of
earlier jobs tells the time. Tables and programs that had to be made stay in the cache for the job.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from threading import Event as ThreadEvent
from typing import Any

from lightwell.engines.budget import SLABS_PER_WORKER, Budget, own_memory
from lightwell.engines.costs import CostRecord
from lightwell.engines.foresight import Foresight, foreseen_source
from lightwell.engines.grains import stored_bytes
from lightwell.engines.iterating import IterationWork, Needs
from lightwell.engines.outline import Stretch, outline
from lightwell.engines.rechunk import SCATTER, Rechunking
from lightwell.engines.sections import section_key
from lightwell.engines.sources import Source
from lightwell.engines.spec import JobSpec
from lightwell.engines.tiles import Section, Work, sample_points, tile_length
from lightwell.engines.walk import chosen
from lightwell.engines.workers import Workers
from lightwell.products import Product

__all__ = ["Plan", "PlannedSection", "plan_job"]


_SIZES = ("tiles", "tile", "stored", "scratch", "writes", "workers", "worker_bytes", "peak_bytes")


@dataclasses.dataclass(frozen=True)
class PlannedSection:
    """One section of a job as it is foreseen; sizes in bytes, times in seconds.

    reads : of what is stored, how many times over; writes : of the section's product; scratch :
    that the data are laid out in first; seconds : None where nothing like it was computed before;
    unknown : what could not be told, and why.
    """

    purpose: str
    steps: tuple[str, ...]
    axis: str
    tiles: int
    tile: int
    stored: int
    reads: float
    reads_as_it_is: float
    scratch: int
    writes: int
    workers: int
    worker_bytes: int
    peak_bytes: int
    seconds: float | None
    unknown: str | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a job will do, section by section, and what it needs in all."""

    sections: tuple[PlannedSection, ...]
    memory: int

    @property
    def peak_bytes(self) -> int:
        """The foreseen peak of all processes together."""
        return max((section.peak_bytes for section in self.sections), default=own_memory())

    @property
    def disk_bytes(self) -> int:
        """What scratch and products take, before anything of it is given back."""
        return sum(s.writes for s in self.sections) + max(
            (s.scratch for s in self.sections), default=0
        )

    @property
    def seconds(self) -> float | None:
        """How long all of it takes; None where that is not known of every section."""
        known = [section.seconds for section in self.sections]
        return None if None in known else sum(s for s in known if s is not None)

    def to_json(self) -> dict[str, Any]:
        """The plan as the command line prints it."""
        return {
            "sections": [dataclasses.asdict(section) for section in self.sections],
            "memory": self.memory,
            "peak_bytes": self.peak_bytes,
            "disk_bytes": self.disk_bytes,
            "seconds": self.seconds,
        }


def plan_job(spec: JobSpec) -> Plan:
    """Look ahead at a job; one worker is started to look at the compiled programs.

    Errors: InputError where the data do not fit the recipe.
    """
    with Workers(lambda _: None, ThreadEvent(), cache=spec.cache) as workers:
        return _Planner(spec, workers).run()


class _Planner:
    def __init__(self, spec: JobSpec, workers: Workers) -> None:
        self._spec, self._workers = spec, workers
        self._costs = CostRecord(spec.cache)
        self._rechunking = Rechunking(spec, workers, lambda _: None, self._chosen)
        self._stored: dict[type[Product], Source] = {}
        self._at_rest: Mapping[str, int] = {}
        self._laid_out: set[tuple[str, str]] = set()

    def run(self) -> Plan:
        self._at_rest = self._workers.call("ready")
        found = []
        for stretch in outline(self._spec.recipe, self._spec.settings):
            source = self._source(stretch)
            if source is None:
                found.append(_unknown(stretch, "its size is known when the step before has run"))
            elif stretch.purpose == "iterate":
                found.append(self._iterated(stretch, source))
            else:
                found.append(self._planned(stretch, source))
        return Plan(tuple(found), self._spec.memory)

    def _source(self, stretch: Stretch) -> Source | None:
        if stretch.role is not None:
            return self._spec.sources[stretch.role]
        return self._stored.get(stretch.product)

    def _chosen(self, section: Section) -> Sequence[int]:
        return chosen(section, self._spec.slices, self._spec.binned.get(section.axis, 1))

    def _section(self, stretch: Stretch, source: Source) -> Section:
        works = tuple(
            Work(step, self._values(position), None, position)
            for step, position in zip(stretch.steps, stretch.positions, strict=True)
        )
        length = source.lengths().get(stretch.axis, 1)
        tile = tile_length(source, works, stretch.axis)
        return Section(source, works, stretch.axis, tile, length)

    def _values(self, position: int) -> dict[str, Any]:
        slots = self._spec.recipe.slots.items()
        return {
            slot.parameter.name: self._spec.settings[address].value
            for address, slot in slots
            if slot.step == position
        }

    def _tiles(self, stretch: Stretch, section: Section) -> int:
        points: Sequence[int] = range(section.length)
        if stretch.sampled:
            points = sample_points(section.length, stretch.sampled)
        elif stretch.purpose == "result":
            points = self._chosen(section)
        return len({point // section.tile for point in points})

    def _planned(self, stretch: Stretch, source: Source) -> PlannedSection:
        section = self._section(stretch, source)
        tiles = self._tiles(stretch, section)
        scratch = self._rechunking.lays_out(section)
        found: Foresight = self._workers.call("foresee", section)
        keeps = stretch.purpose in ("section", "result")
        if keeps:
            self._stored[section.gives] = foreseen_source(section.gives, found.gives)
        shared = self._at_rest["shared"] + found.tables
        first = self._at_rest["peak"] - self._at_rest["shared"] + found.private
        budget = Budget(self._spec.memory, self._spec.workers)
        whole = section.unit is None and scratch is None
        budget.expect(first, shared, found.source if whole else 0)
        staff = min(budget.workers(), tiles) if keeps else 1
        if whole:
            first += found.source * (budget.tiles(staff, tiles) - 1)
        key = (stretch.role or "", section.axis)
        fresh = scratch is not None and key not in self._laid_out
        if scratch is not None:
            self._laid_out.add(key)
        stored = _stored(source, section.axis)
        as_it_is = self._reads(section, tiles, staff, sampled=bool(stretch.sampled))
        reads = as_it_is if scratch is None else float(fresh)
        return PlannedSection(
            stretch.purpose,
            tuple(step.name for step in stretch.steps),
            section.axis,
            tiles,
            section.tile,
            stored,
            round(reads, 3),
            round(as_it_is, 3),
            scratch.nbytes if scratch is not None and fresh else 0,
            found.output * tiles if keeps else 0,
            staff,
            first + shared,
            own_memory() + shared + staff * first,
            self._seconds(stretch, section, tiles / staff, stored if fresh else 0),
            found.unknown,
        )

    def _reads(self, section: Section, tiles: int, staff: int, *, sampled: bool) -> float:
        """How many times over the stored data are read, slab by slab, without scratch."""
        if section.unit is not None:
            return tiles * section.tile / max(section.length, section.tile)
        return float(tiles if sampled else min(tiles, staff * SLABS_PER_WORKER))

    def _seconds(
        self, stretch: Stretch, section: Section, rounds: float, laid_out: int
    ) -> float | None:
        further = () if stretch.estimator is None else (stretch.estimator,)
        each = self._costs.find(section_key(section, *further))
        byte = self._costs.find(SCATTER) if laid_out else 0.0
        if each is None or byte is None:
            return None
        return round(each * rounds + byte * laid_out / self._spec.workers, 1)

    def _iterated(self, stretch: Stretch, source: Source) -> PlannedSection:
        step, values = stretch.step, self._values(stretch.position)
        work = IterationWork.of(step, values, source)
        facts = (step, values, source, work.tile, "program")
        needs: Needs = self._workers.call("foresee_iteration", *facts)
        work.check(needs, self._spec.memory)
        base = dataclasses.asdict(_unknown(stretch, needs.unknown))
        whole = work.section is None or work.fits_whole(needs, self._spec.memory)
        count, tile = (1, 0) if work.section is None else (work.section.count, work.section.tile)
        passes = 1.0 if whole else float(values["iterations"])
        found = {
            "steps": (step.name,),
            "tiles": count,
            "tile": tile,
            "stored": work.data,
            "reads": passes,
            "reads_as_it_is": passes,
            "workers": 1,
            "worker_bytes": work.peak(needs, self._spec.memory, self._at_rest["peak"])
            - own_memory(),
            "peak_bytes": work.peak(needs, self._spec.memory, self._at_rest["peak"]),
        }
        return PlannedSection(**{**base, **found})


def _unknown(stretch: Stretch, why: str | None) -> PlannedSection:
    names = tuple(step.name for step in stretch.steps)
    nothing: dict[str, Any] = dict.fromkeys(_SIZES, 0)
    return PlannedSection(
        stretch.purpose,
        names,
        stretch.axis,
        **nothing,
        reads=1.0,
        reads_as_it_is=1.0,
        seconds=None,
        unknown=why,
    )


def _stored(source: Source, axis: str) -> int:
    dims = source.product.dims()
    return sum(stored_bytes(a) for name, a in source.arrays.items() if axis in dims[name].names)
