"""The walk through a recipe: which steps wait, what is estimated, folded, iterated, stored."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightwell.binning import binned_slices
from lightwell.engines.checkpoints import write_durably
from lightwell.engines.costs import CostRecord
from lightwell.engines.foresight import foreseen_source
from lightwell.engines.glimpses import EVERY_S, REST, Looks
from lightwell.engines.iterating import IterationWork, Needs
from lightwell.engines.kept import Shelf
from lightwell.engines.rechunk import Rechunking
from lightwell.engines.sections import SectionRun, section_key
from lightwell.engines.segments import SegmentFolder
from lightwell.engines.sources import Source
from lightwell.engines.spec import MIDDLE, Event, JobSpec, Outcome, Output, Slices
from lightwell.engines.stored import stored_whole
from lightwell.engines.tiles import Section, Work, choose_axis, sample_points, tile_length
from lightwell.engines.workers import Workers
from lightwell.errors import InputError, LightwellError, ParameterError
from lightwell.products import Product
from lightwell.recipes import AUTO, Setting, Slot
from lightwell.steps import (
    Estimate,
    EstimateStep,
    FoldStep,
    Input,
    IterateStep,
    MapStep,
    SideStage,
    Stage,
    Tap,
)

__all__ = ["Walk", "chosen"]

Tell = Callable[[Event], None]
RESULT = "result"
"""The folder with the segments of the last product."""


@dataclasses.dataclass(frozen=True)
class _Trunk:
    """Where a walk stands: what is read, and which map steps wait to be computed."""

    source: Source
    works: tuple[Work, ...] = ()

    @property
    def gives(self) -> type[Product]:
        return self.works[-1].step.gives if self.works else self.source.product

    def splits(self, axis: str) -> bool:
        """True if a piece of the product along the axis can be computed by itself."""
        return self.splits_above(axis) and axis in self.gives.axes()

    def splits_above(self, axis: str) -> bool:
        """True if all the steps that wait are independent along the axis."""
        return all(axis in work.step.over for work in self.works)


class Walk:
    """One pass through the nodes of a recipe."""

    def __init__(
        self,
        spec: JobSpec,
        workers: Workers,
        tell: Tell,
        known: Mapping[str, Estimate[Any]] | None = None,
        first_section: int = 0,
    ) -> None:
        self.spec = spec
        self.settings: dict[str, Setting] = dict(spec.settings)
        self.estimates: dict[str, Estimate[Any]] = {}
        self.estimated_at: dict[str, int] = {}
        self.metrics: dict[str, Sequence[float]] = {}
        self.kept: dict[str, str] = {}
        self._shelf = Shelf(spec.keeping, spec.recipe) if spec.keeping is not None else None
        self._workers = workers
        self._tell = tell
        self._step = -1
        self._sections: list[SectionRun] = []
        self._first_section = first_section
        self._known = {**(known or {}), **_read_estimates(self._estimates_file)}
        self._passed: list[_Trunk] = []
        self._rechunking = Rechunking(
            spec, workers, tell, lambda section: self._points(section, spec.slices)
        )

    def run(self) -> Output:
        """Go through the trunk and store its last product."""
        with self._shelf or nullcontext():
            trunk = self._follow(self.spec.recipe.nodes(), self._passed)
            return self._finish(trunk)

    def glimpses(self) -> dict[tuple[type[Product], str], Product]:
        """The products that were asked for, at the middle of the axis they were asked for along."""
        found = {}
        for wanted in self.spec.glimpses:
            product, axis = wanted
            fitting = [t for t in self._passed if t.gives is product and t.splits(axis)]
            if fitting:
                section = self._section(fitting[-1], axis)
                middle = self._middle(section, self._sections[-1].section.axis)
                section = self._rechunking.reading(section, middle // section.tile)
                found[wanted] = self._ask(section, "glimpse", middle)
        self._rechunking.remove()
        return found

    def remove_scratch(self) -> None:
        """Delete what inputs were laid out anew in."""
        self._rechunking.remove()

    def outcome(self, output: Output) -> Outcome:
        """What was found on the way, beside the output."""
        return Outcome(
            output,
            self.settings,
            self.estimates,
            self.metrics,
            self.report(),
            self.glimpses(),
            self.kept,
        )

    def report(self) -> dict[str, Any]:
        """What was read, computed and written, section by section."""
        sections = [run.report() for run in self._sections]
        return {"sections": sections, "scratch": self._rechunking.report()}

    def _follow(
        self, nodes: Sequence[Stage[Any, Any]], passed: list[_Trunk] | None = None
    ) -> _Trunk:
        first = nodes[0]
        if not isinstance(first, Input):
            raise LightwellError(f"a chain begins with an input, not with {first.label}")
        passed = [] if passed is None else passed
        passed.append(_Trunk(self.spec.sources[first.role]))
        for node in nodes[1:]:
            passed.append(self._advance(passed[-1], node))
        return passed[-1]

    def _advance(self, trunk: _Trunk, node: Stage[Any, Any]) -> _Trunk:
        if isinstance(node, SideStage):
            side = self._store(self._follow(node.side.nodes()))
            return self._append(trunk, Work(node.step, self._values(), side, self._step))
        if isinstance(node, MapStep):
            return self._append(trunk, Work(node, self._values(), None, self._step))
        if isinstance(node, Tap):
            return self._tap(trunk, node)
        if isinstance(node, FoldStep):
            return _Trunk(self._folded(node, self._values(), self._store(trunk)))
        if isinstance(node, IterateStep):
            return _Trunk(self._iterated(node, self._values(), self._store(trunk)))
        raise LightwellError(f"the engine does not know what to do with {node.label}")

    def _append(self, trunk: _Trunk, work: Work) -> _Trunk:
        if choose_axis(trunk.source, (*trunk.works, work)) is None:
            trunk = _Trunk(self._store(trunk))
        return _Trunk(trunk.source, (*trunk.works, work))

    def _tap(self, trunk: _Trunk, tap: Tap[Any]) -> _Trunk:
        values = self._values()
        slot = self._target(tap)
        if self.settings[slot.address].value != AUTO:
            return trunk
        is_sampled = isinstance(tap.step, EstimateStep)
        # Decided by the recipe alone, never by what an earlier try remembered: a resumed job has
        # to cut its sections, and so its tiles, where the first one did.
        if not (is_sampled and trunk.splits_above(tap.step.sample_axis)):
            trunk = _Trunk(self._store(trunk))
        found = self._known.get(slot.address)
        if found is None and is_sampled:
            found = self._estimate(tap.step, values, trunk)
        elif found is None:
            found = self._fold(tap.step, values, trunk.source)
        if slot.address not in self._known:
            found = self._in_full(slot, found)
        self._accept(slot, tap, found)
        return trunk

    def _in_full(self, slot: Slot, found: Any) -> Any:
        """What was found in binned data, in points of the detector."""
        if not isinstance(found, Estimate):
            return found
        parameter, binned = slot.parameter, self.spec.binned
        value = parameter.unbinned(found.value, binned)
        sigma = parameter.unbinned_sigma(found.sigma, binned)
        return dataclasses.replace(found, value=value, sigma=sigma)

    def _accept(self, slot: Slot, tap: Tap[Any], found: Any) -> None:
        if not isinstance(found, Estimate):
            raise LightwellError(f"{tap.step.name} gave {type(found).__name__}, not an Estimate")
        self.estimates[slot.address] = found
        self.estimated_at[slot.address] = self._step
        is_number = not isinstance(found.value, float) or math.isfinite(found.value)
        if found.verdict == "failed" or not is_number:
            reason = found.reason or (
                f"the value is {found.value}" if not is_number else "no reason"
            )
            raise ParameterError(
                f"{tap.step.name} could not find {slot.address} ({reason})",
                remedy=f"give it: --set {slot.address}=… ({slot.parameter.wanted})",
            )
        value = slot.parameter.check(found.value, where=tap.step.name)
        self.settings[slot.address] = Setting(value, "estimate", tap.step.name)
        self._tell(
            {
                "event": "estimated",
                "parameter": slot.address,
                "value": value,
                "sigma": found.sigma,
                "verdict": found.verdict,
            }
        )
        self._remember()

    def _estimate(self, step: Any, values: Mapping[str, Any], trunk: _Trunk) -> Estimate[Any]:
        section = self._section(trunk, step.sample_axis)
        points = sample_points(section.length, step.sample_count)
        tiles = sorted({point // section.tile for point in points})
        section = self._laid_out(self._begun(section, tiles), tiles)
        began = time.perf_counter()
        found: Estimate[Any] = self._ask(section, "estimate", step, values, points)
        each = (time.perf_counter() - began) / len(tiles)
        CostRecord(self.spec.cache).note(section_key(section, step), each)
        return found

    def _fold(self, step: Any, values: Mapping[str, Any], source: Source) -> Any:
        axis = next(a for a in source.product.axes() if a in step.over)
        section = self._section(_Trunk(source), axis)
        section = self._laid_out(section, range(section.count))
        return self._ask(section, "fold", step, values, self._whole_folder)

    def _laid_out(self, section: Section, tiles: Sequence[int]) -> Section:
        return self._workers.twice_if_short(lambda: self._rechunking.prepare(section, tiles))

    def _ask(self, section: Section | None, command: str, *arguments: Any) -> Any:
        """Have one worker do something about a section; once more, alone, if memory is short."""

        def ask() -> Any:
            if section is not None:
                self._workers.call("section", self._number, section)
            return self._workers.call(command, *arguments)

        return self._workers.twice_if_short(ask)

    def _folded(self, step: Any, values: Mapping[str, Any], source: Source) -> Source:
        if self._fold(step, values, source) is not None:
            raise LightwellError(
                f"{step.name} gives no product, so it cannot go on in the trunk",
                remedy="an Estimate goes into a parameter: write .into('parameter')",
            )
        return stored_whole(self._whole_folder, step.gives)

    def _iterated(self, step: Any, values: Mapping[str, Any], source: Source) -> Source:
        self._workers.shrink(1)
        work = IterationWork.of(step, values, source)
        facts = (step, values, source, work.tile, "shapes")
        needs = self._ask(None, "foresee_iteration", *facts)
        work.check(needs, self.spec.memory)
        checkpoint = self._home(self._step) / f"checkpoint_{self._step}.npz"
        folder = self._whole_folder
        asked: tuple[Any, ...] = ("iterate", step, values, source, checkpoint, folder)
        if work.section is not None:
            keep = "all" if work.fits_whole(needs, self.spec.memory) else "none"
            asked = ("iterate_tiles", step, values, work.section, checkpoint, folder, keep)
        # For one try: where memory was short, the next goes without pictures.
        looks = iter([self._looks(work, needs)])
        metrics = self._workers.twice_if_short(
            lambda: self._workers.call(*asked, next(looks, None))
        )
        self.metrics.update(metrics)
        return stored_whole(folder, step.gives)

    def _looks(self, work: IterationWork, needs: Needs) -> Looks | None:
        """Where pictures show an iteration under way, if somebody draws them.

        It has to be the last step of the trunk, since they are of the result.
        """
        is_last = self._step + 1 == sum(1 for _ in self.spec.recipe.steps())
        if self.spec.draw is None or not is_last:
            return None
        if not work.may_be_shown(needs, self.spec.memory):
            return None
        product = work.step.gives
        trunk = _Trunk(foreseen_source(product, needs.gives))
        axes = [along for of, along in self.spec.glimpses if of is product and trunk.splits(along)]
        first = next(iter(product.axes()), "")
        points = {axis: self._middle(self._section(trunk, axis), first) for axis in axes}
        return Looks(points, EVERY_S, REST) if points else None

    def _store(self, trunk: _Trunk) -> Source:
        """Compute the waiting steps for the whole axis and go on from what was stored."""
        if not trunk.works:
            return trunk.source
        position = trunk.works[-1].position
        folder = self._home(position) / f"section_{position}"
        return self._compute(trunk, folder, None).stored()

    def _finish(self, trunk: _Trunk) -> Output:
        """Compute the waiting steps for the wanted points and describe the result."""
        return self._compute(trunk, self.spec.folder / RESULT, self.spec.slices).output()

    def _compute(self, trunk: _Trunk, folder: Path, slices: Slices | None) -> SectionRun:
        # A product without axes is one tile, along an axis without a name.
        axis = choose_axis(trunk.source, trunk.works) or next(iter(trunk.source.product.axes()), "")
        section = self._section(trunk, axis)
        points = self._points(section, slices)
        section = self._begun(section, sorted({point // section.tile for point in points}))
        return self._run(section, points, folder)

    def _run(self, section: Section, points: Sequence[int], folder: Path) -> SectionRun:
        number, axis = self._number, section.axis
        run = SectionRun(section, points, folder, self.spec, number)
        self._sections.append(run)
        self._tell({"event": "section", "section": number, "tiles": len(run.wanted), "axis": axis})
        run.run(self._workers, self._tell, self._rechunking)
        return run

    @property
    def _number(self) -> int:
        return self._first_section + len(self._sections)

    def _begun(self, section: Section, wanted: Sequence[int], most: int | None = None) -> Section:
        """The section, its wanted tiles begun from the last output of a step that is at hand."""
        last = len(section.works) if most is None else most
        for depth in range(last, -1, -1):
            source = self._shared(section, depth, wanted) or self._kept(section, depth, wanted)
            if source is not None:
                return dataclasses.replace(section, kept=(depth, source))
        return section

    def _shared(self, section: Section, depth: int, wanted: Sequence[int]) -> Source | None:
        """The last output that the values of a sweep have in common, stored by the first."""
        shared = self.spec.shared
        if shared is None:
            return None
        before = sum(1 for work in section.works if work.position < shared.before)
        is_input = any(section.source is source for source in self.spec.sources.values())
        if depth != before or before == len(section.works) or (depth == 0 and not is_input):
            return None
        name = f"tiles_{section.works[depth].position}_{section.axis}_{section.tile}"
        return self._stocked(section, depth, wanted, shared.folder / name)

    def _kept(self, section: Section, depth: int, wanted: Sequence[int]) -> Source | None:
        """The output of a step that an earlier job kept, or that this one is to keep."""
        if self._shelf is None or depth == 0:
            return None
        step = section.works[depth - 1].step.name
        asked = step in self._shelf.keeping.steps
        key = self._shelf.key(section, depth, self.settings)
        folder = self._shelf.take(key, step, make=asked)
        if folder is None:
            return None
        lacking = SegmentFolder(folder).missing(section.neighbourhood(wanted, depth))
        if lacking and not asked:
            return None
        self.kept[step] = key
        with self._shelf.adding(folder) if lacking else nullcontext(True) as may_add:  # noqa: FBT003
            return self._stocked(section, depth, wanted, folder) if may_add else None

    def _stocked(self, section: Section, depth: int, wanted: Sequence[int], folder: Path) -> Source:
        """The output after `depth` works, the tiles that are not there yet computed and stored."""
        tiles = section.neighbourhood(wanted, depth)
        lacking = SegmentFolder(folder).missing(tiles)
        below = self._begun(section, tiles, depth - 1) if depth and lacking else section
        lower = dataclasses.replace(below, works=section.works[:depth], guarded=False)
        return self._run(lower, [tile * section.tile for tile in tiles], folder).stored()

    def _section(self, trunk: _Trunk, axis: str) -> Section:
        length = trunk.source.lengths().get(axis, 1)
        if length == 0:
            raise InputError(
                f"there is no data along '{axis}': its length is 0",
                remedy="look at the entry with `lightwell show PID`",
            )
        tile = tile_length(trunk.source, trunk.works, axis)
        return Section(trunk.source, trunk.works, axis, tile, length)

    def _points(self, section: Section, slices: Slices | None) -> Sequence[int]:
        return chosen(section, slices, self.spec.binned.get(section.axis, 1))

    def _middle(self, section: Section, selected: str) -> int:
        """The point pictures show: the middle of the axis, or of what was selected along it."""
        slices = self.spec.slices if section.axis == selected else None
        points = self._points(section, slices)
        return points[len(points) // 2]

    def _home(self, position: int) -> Path:
        """Where the output of a step is stored: with what all values of a sweep share, or not."""
        shared = self.spec.shared
        return shared.folder if shared and position < shared.before else self.spec.folder

    @property
    def _whole_folder(self) -> Path:
        return self._home(self._step) / f"whole_{self._step}"

    @property
    def _estimates_file(self) -> Path:
        return self.spec.folder / "estimates.json"

    def _values(self) -> dict[str, Any]:
        """The values of the next step, in the order in which `Recipe.steps` counts."""
        self._step += 1
        found = {}
        for address, slot in self.spec.recipe.slots.items():
            if slot.step == self._step:
                value = self.settings[address].value
                found[slot.parameter.name] = slot.parameter.binned(value, self.spec.binned)
        return found

    def _target(self, tap: Tap[Any]) -> Slot:
        return next(
            slot
            for slot in self.spec.recipe.slots.values()
            if slot.tapped_by == tap.step.name
            and slot.parameter.name == tap.parameter
            and slot.step > self._step
        )

    def _remember(self) -> None:
        # With those remembered from before, which have not had their turn yet.
        known = {**self._known, **self.estimates}
        content = {name: dataclasses.asdict(estimate) for name, estimate in known.items()}
        write_durably(self._estimates_file, json.dumps(content).encode())


def _read_estimates(path: Path) -> dict[str, Estimate[Any]]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {address: Estimate(**facts) for address, facts in found.items()}


def chosen(section: Section, slices: Slices | None, factor: int) -> Sequence[int]:
    """The points along a section's axis that a selection of detector points means.

    factor : detector points that were averaged to one. Errors: ParameterError for none.
    """
    if slices is None:
        return range(section.length)
    if slices == MIDDLE:
        return range(section.length // 2, section.length // 2 + 1)
    start, stop, step = slices
    if (step or 1) < 1:
        raise ParameterError(f"--slices with a step of {step}", remedy="give a step of 1 or more")
    points = range(section.length)[slice(*binned_slices((start, stop, step), factor))]
    if not points:
        raise ParameterError(
            f"--slices {start}:{stop}:{step} selects nothing of {section.length * factor} points "
            f"along '{section.axis}'",
            remedy=f"choose between 0 and {section.length * factor - 1}",
        )
    return points
