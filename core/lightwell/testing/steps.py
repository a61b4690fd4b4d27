"""Every step of a recipe, held to its promise: the same bits whatever the means.

A step that is declared independent along an axis must give a tile the same numbers in a slab of
any size, on any number of workers and after any stop, and nearly those of one whole-array call.
"""

import dataclasses
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event as ThreadEvent

from lightwell.engines import JobSpec
from lightwell.engines.budget import Budget
from lightwell.engines.outline import Stretch, outline
from lightwell.engines.rechunk import Rechunking
from lightwell.engines.sections import SectionRun
from lightwell.engines.sources import Source
from lightwell.engines.tiles import Section, Work, tile_length
from lightwell.engines.workers import Workers
from lightwell.recipes import Setting
from lightwell.testing.sides import side_products

__all__ = ["AGREEMENT", "StepCheck", "step_checks"]

AGREEMENT = 1e-4
"""How far tiles may be from one whole-array call, relative to the largest value."""

_MEANS = ((1, 1), (100, 1), (2, 2), (1, 3), (3, 4))
"""Slab sizes in tiles and numbers of workers, each compared with the first."""


@dataclasses.dataclass(frozen=True)
class StepCheck:
    """A step as the last of the steps before it, and what was wrong with it: nothing, or a text."""

    step: str
    axis: str
    problem: str | None
    difference: float | None = None

    @property
    def answer(self) -> str:
        """What was found, in words."""
        if self.problem is not None:
            return self.problem
        near = "" if self.difference is None else f", within {self.difference:.1e} of a whole call"
        return f"equal bits in any slab, on 1 to 4 workers, after a stop{near}"


def step_checks(
    spec: JobSpec, settings: Mapping[str, Setting], folder: Path, seed: int = 0
) -> Iterator[StepCheck]:
    """Look at every map step of a job that works on its inputs, one more step at a time.

    settings : with a value for every parameter, also those that a run finds.
    """
    with Workers(lambda _: None, ThreadEvent(), cache=spec.cache) as workers:
        sides = side_products(spec, settings, workers, folder)
        looks = list(_looks(spec, settings, sides, folder, random.Random(seed)))  # noqa: S311
        # By means and not by step: starting a worker takes longer than all it computes here.
        for size, number in _MEANS:
            for look in looks:
                look.run(workers, size, number)
        for look in looks:
            look.resume(workers)
    for look in looks:
        yield look.verdict()


def _looks(
    spec: JobSpec,
    settings: Mapping[str, Setting],
    sides: Mapping[int, Source],
    folder: Path,
    rng: random.Random,
) -> Iterator["_StepLook"]:
    for number, stretch in enumerate(outline(spec.recipe, settings)):
        if stretch.role is None or stretch.purpose not in ("section", "result"):
            continue
        section = _section(spec, settings, stretch, sides)
        for depth in range(1, len(section.works) + 1):
            part = dataclasses.replace(section, works=section.works[:depth])
            yield _StepLook(part, spec, folder / f"{number}_{depth}", rng)


def _section(
    spec: JobSpec, settings: Mapping[str, Setting], stretch: Stretch, sides: Mapping[int, Source]
) -> Section:
    source = spec.sources[stretch.role or ""]
    works = []
    for step, position in zip(stretch.steps, stretch.positions, strict=True):
        slots = spec.recipe.slots.items()
        values = {s.parameter.name: settings[a].value for a, s in slots if s.step == position}
        works.append(Work(step, values, sides.get(position), position))
    length = source.lengths().get(stretch.axis, 1)
    tile = tile_length(source, works, stretch.axis)
    return Section(source, tuple(works), stretch.axis, tile, length)


class _FixedSlabs(Budget):
    """A budget that gives slabs of one size to a fixed number of workers."""

    size = 1

    def tiles(self, workers: int, pending: int) -> int:
        return self.size

    def workers(self) -> int:
        return self.most


class _StepLook:
    """One step, computed by several means."""

    def __init__(self, section: Section, spec: JobSpec, folder: Path, rng: random.Random) -> None:
        self.section, self.spec, self.folder, self.rng = section, spec, folder, rng
        self._first: SectionRun | None = None
        self._problems: list[str] = []

    def run(self, workers: Workers, size: int, number: int) -> None:
        """Compute all tiles in slabs of a size by some workers, and compare the bits."""
        points = range(self.section.length)
        found = self._compute(workers, points, f"{size}_{number}", size, number)
        if self._first is None:
            self._first = found
        elif found.output().digest != self._first.output().digest:
            self._problems.append(f"other bits in slabs of {size} tiles on {number} workers")

    def resume(self, workers: Workers) -> None:
        """Compute some tiles in a first try, the others in a second one with other means."""
        count = self.section.count
        some = self.rng.sample(range(count), max(count // 2, 1))
        points = [tile * self.section.tile for tile in sorted(some)]
        number = len(workers.members) or 1
        self._compute(workers, points, "resumed", 2, number)
        found = self._compute(workers, range(self.section.length), "resumed", 3, number)
        if self._first is None or found.output().digest != self._first.output().digest:
            self._problems.append("other bits after a stop")

    def verdict(self) -> StepCheck:
        """What all of that showed, and how near tiles are to one whole-array call."""
        step, axis = self.section.works[-1].step.name, self.section.axis
        difference = self._difference(self._first) if self._first is not None else None
        if difference is not None and difference > AGREEMENT:
            self._problems.append(
                f"tiles differ from one whole-array call by {difference:.1e} of the largest value: "
                f"the step depends on more along '{axis}' than it declares"
            )
        return StepCheck(step, axis, "; ".join(self._problems) or None, difference)

    def _compute(
        self, workers: Workers, points: Sequence[int], name: str, size: int, number: int
    ) -> SectionRun:
        workers.shrink(number)
        run = SectionRun(self.section, points, self.folder / name, self.spec, 0)
        budget = _FixedSlabs(self.spec.memory, number)
        budget.size = size
        run.budget = budget
        spec = dataclasses.replace(self.spec, folder=self.folder)
        run.run(
            workers, lambda _: None, Rechunking(spec, workers, lambda _: None, lambda _: points)
        )
        return run

    def _difference(self, run: SectionRun) -> float | None:
        """How far tiles are from one call on the whole, relative to the largest value."""
        import numpy as np

        product = self.section.source.read()
        for work in self.section.works:
            beside = () if work.side is None else (work.side.read(),)
            product = work.step(product, *beside, **work.values)
        tiled = run.stored().read()
        found = 0.0
        for name, array in product.arrays().items():
            whole, ours = np.asarray(array), np.asarray(getattr(tiled, name))
            if whole.size and whole.dtype.kind in "fciub":
                kind = complex if whole.dtype.kind == "c" else float
                # Gaps agree with gaps, and with nothing else.
                whole, ours = (np.where(np.isnan(a), np.inf, a.astype(kind)) for a in (whole, ours))
                scale = float(np.abs(np.where(np.isinf(whole), 0.0, whole)).max(initial=1e-30))
                off = np.where(whole == ours, 0.0, np.abs(whole - ours)).max()
                found = max(found, float(off) / scale)
        return found
