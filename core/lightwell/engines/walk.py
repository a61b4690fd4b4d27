"""The walk through a recipe: which steps wait, what is estimated, folded, iterated, stored."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.checkpoints import write_durably
from lightwell.engines.sections import SectionRun
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Output
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

__all__ = ["Walk"]

Tell = Callable[[Event], None]
Slices = tuple[int | None, int | None, int | None]

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

    def __init__(self, spec: JobSpec, workers: Workers, tell: Tell) -> None:
        self.spec = spec
        self.settings: dict[str, Setting] = dict(spec.settings)
        self.estimates: dict[str, Estimate[Any]] = {}
        self.metrics: dict[str, Sequence[float]] = {}
        self._workers = workers
        self._tell = tell
        self._step = -1
        self._sections: list[SectionRun] = []
        self._known = _read_estimates(self._estimates_file)
        self._passed: list[_Trunk] = []

    def run(self) -> Output:
        """Go through the trunk and store its last product."""
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
                slices = self.spec.slices if axis == self._sections[-1].section.axis else None
                points = _points(section, slices)
                self._workers.call("section", len(self._sections), section)
                found[wanted] = self._workers.call("glimpse", points[len(points) // 2])
        return found

    def report(self) -> dict[str, Any]:
        """What was read, computed and written, section by section."""
        return {"sections": [run.report() for run in self._sections]}

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
        self._accept(slot, tap, found)
        return trunk

    def _accept(self, slot: Slot, tap: Tap[Any], found: Any) -> None:
        if not isinstance(found, Estimate):
            raise LightwellError(f"{tap.step.name} gave {type(found).__name__}, not an Estimate")
        self.estimates[slot.address] = found
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
        self._workers.call("section", len(self._sections), section)
        points = sample_points(section.length, step.sample_count)
        return self._workers.call("estimate", step, values, points)  # type: ignore[no-any-return]

    def _fold(self, step: Any, values: Mapping[str, Any], source: Source) -> Any:
        axis = next(a for a in source.product.axes() if a in step.over)
        self._workers.call("section", len(self._sections), self._section(_Trunk(source), axis))
        return self._workers.call("fold", step, values, self._whole_folder)

    def _folded(self, step: Any, values: Mapping[str, Any], source: Source) -> Source:
        if self._fold(step, values, source) is not None:
            raise LightwellError(
                f"{step.name} gives no product, so it cannot go on in the trunk",
                remedy="an Estimate goes into a parameter: write .into('parameter')",
            )
        return stored_whole(self._whole_folder, step.gives)

    def _iterated(self, step: Any, values: Mapping[str, Any], source: Source) -> Source:
        needed = sum(source.nbytes(name) for name in source.arrays)
        if needed > self.spec.memory:
            raise InputError(
                f"{step.name} needs all {needed / 1e9:.2f} GB of data at once, "
                f"the memory budget is {self.spec.memory / 1e9:.2f} GB",
                remedy="give a larger --memory or reduce the data first",
            )
        checkpoint = self.spec.folder / f"checkpoint_{self._step}.npz"
        self._workers.shrink(1)
        folder = self._whole_folder
        metrics = self._workers.call("iterate", step, values, source, checkpoint, folder)
        self.metrics.update(metrics)
        return stored_whole(folder, step.gives)

    def _store(self, trunk: _Trunk) -> Source:
        """Compute the waiting steps for the whole axis and go on from what was stored."""
        if not trunk.works:
            return trunk.source
        folder = self.spec.folder / f"section_{trunk.works[-1].position}"
        return self._compute(trunk, folder, None).stored()

    def _finish(self, trunk: _Trunk) -> Output:
        """Compute the waiting steps for the wanted points and describe the result."""
        return self._compute(trunk, self.spec.folder / RESULT, self.spec.slices).output()

    def _compute(self, trunk: _Trunk, folder: Path, slices: Slices | None) -> SectionRun:
        # A product without axes is one tile, along an axis without a name.
        axis = choose_axis(trunk.source, trunk.works) or next(iter(trunk.source.product.axes()), "")
        section = self._section(trunk, axis)
        points = _points(section, slices)
        number = len(self._sections)
        run = SectionRun(section, points, folder, self.spec, number)
        self._sections.append(run)
        self._tell({"event": "section", "section": number, "tiles": len(run.wanted), "axis": axis})
        run.run(self._workers, self._tell)
        return run

    def _section(self, trunk: _Trunk, axis: str) -> Section:
        length = trunk.source.lengths().get(axis, 1)
        if length == 0:
            raise InputError(
                f"there is no data along '{axis}': its length is 0",
                remedy="look at the entry with `lightwell show PID`",
            )
        tile = tile_length(trunk.source, trunk.works, axis)
        return Section(trunk.source, trunk.works, axis, tile, length)

    @property
    def _whole_folder(self) -> Path:
        return self.spec.folder / f"whole_{self._step}"

    @property
    def _estimates_file(self) -> Path:
        return self.spec.folder / "estimates.json"

    def _values(self) -> dict[str, Any]:
        """The values of the next step, in the order in which `Recipe.steps` counts."""
        self._step += 1
        found = {}
        for address, slot in self.spec.recipe.slots.items():
            if slot.step == self._step:
                found[slot.parameter.name] = self.settings[address].value
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


def _points(section: Section, slices: Slices | None) -> Sequence[int]:
    if slices is None:
        return range(section.length)
    start, stop, step = slices
    if (step or 1) < 1:
        raise ParameterError(f"--slices with a step of {step}", remedy="give a step of 1 or more")
    points = range(section.length)[start:stop:step]
    if not points:
        raise ParameterError(
            f"--slices {start}:{stop}:{step} selects nothing of {section.length} points "
            f"along '{section.axis}'",
            remedy=f"choose between 0 and {section.length - 1}",
        )
    return points
