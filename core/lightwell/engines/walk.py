"""The walk through a recipe: which steps wait, what is estimated, folded, iterated, stored."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.checkpoints import write_durably
from lightwell.engines.sections import SectionRun, StoredProduct
from lightwell.engines.sources import Source
from lightwell.engines.spec import Event, JobSpec, Output
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


@dataclasses.dataclass(frozen=True)
class _Trunk:
    """Where a walk stands: what is read, and which map steps wait to be computed."""

    source: Source
    works: tuple[Work, ...] = ()

    @property
    def gives(self) -> type[Product]:
        return self.works[-1].step.gives if self.works else self.source.product

    def splits(self, axis: str) -> bool:
        """True if a piece along the axis can be computed without its neighbours."""
        alone = all(axis in work.step.over for work in self.works)
        return alone and axis in self.source.product.axes() and axis in self.gives.axes()


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
        self._stages = 0
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
            return self._append(trunk, Work(node.step, self._values(), side))
        if isinstance(node, MapStep):
            return self._append(trunk, Work(node, self._values()))
        if isinstance(node, Tap):
            return self._tap(trunk, node)
        if isinstance(node, FoldStep):
            values = self._values()
            source = self._store(trunk)
            return _Trunk(self._keep(node, self._fold(node, values, source)))
        if isinstance(node, IterateStep):
            values = self._values()
            return _Trunk(self._iterate(node, values, self._store(trunk)))
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
        stored = self._remembered(tap)
        if stored is None and isinstance(tap.step, EstimateStep):
            stored = self._estimate(tap.step, values, trunk)
        elif stored is None:
            trunk = _Trunk(self._store(trunk))
            stored = self._fold(tap.step, values, trunk.source)
        self._accept(slot, tap, stored)
        return trunk

    def _accept(self, slot: Slot, tap: Tap[Any], found: Any) -> None:
        if not isinstance(found, Estimate):
            raise LightwellError(f"{tap.step.name} gave {type(found).__name__}, not an Estimate")
        self.estimates[slot.address] = found
        if found.verdict == "failed":
            raise ParameterError(
                f"{tap.step.name} could not find {slot.address}: {found.reason or 'no reason given'}",
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
        axis = step.sample_axis
        if any(axis not in work.step.over for work in trunk.works):
            trunk = _Trunk(self._store(trunk))
        section = self._section(trunk, axis)
        self._workers.call("section", len(self._sections), section)
        points = sample_points(section.length, step.sample_count)
        return self._workers.call("estimate", step, values, points)  # type: ignore[no-any-return]

    def _fold(self, step: Any, values: Mapping[str, Any], source: Source) -> Any:
        axis = next(a for a in source.product.axes() if a in step.over)
        self._workers.call("section", len(self._sections), self._section(_Trunk(source), axis))
        return self._workers.call("fold", step, values)

    def _iterate(self, step: Any, values: Mapping[str, Any], source: Source) -> Source:
        needed = sum(source.nbytes(name) for name in source.arrays)
        if needed > self.spec.memory:
            raise InputError(
                f"{step.name} needs all {needed / 1e9:.2f} GB of data at once, "
                f"the memory budget is {self.spec.memory / 1e9:.2f} GB",
                remedy="give a larger --memory or reduce the data first",
            )
        checkpoint = self.spec.folder / f"checkpoint_{self._step}.npz"
        self._workers.shrink(1)
        product, metrics = self._workers.call("iterate", step, values, source, checkpoint)
        self.metrics.update(metrics)
        return self._keep(step, product)

    def _keep(self, step: Any, product: Product) -> Source:
        if not isinstance(product, Product):
            raise LightwellError(
                f"{step.name} gives {type(product).__name__}, which cannot go on in the trunk",
                remedy="an Estimate goes into a parameter: write .into('parameter')",
            )
        return StoredProduct(self._folder("whole")).save(product)

    def _store(self, trunk: _Trunk) -> Source:
        """Compute the waiting steps for the whole axis and go on from what was stored."""
        if not trunk.works:
            return trunk.source
        run = self._compute(trunk, None)
        return run.stored()

    def _finish(self, trunk: _Trunk) -> Output:
        """Compute the waiting steps for the wanted points and describe the result."""
        return self._compute(trunk, self.spec.slices).output()

    def _compute(self, trunk: _Trunk, slices: tuple[int | None, int | None, int | None] | None) -> SectionRun:
        axis = choose_axis(trunk.source, trunk.works) or trunk.source.product.axes()[0]
        section = self._section(trunk, axis)
        points = _points(section, slices)
        number = len(self._sections)
        run = SectionRun(section, points, self._folder("section"), self.spec, number)
        self._sections.append(run)
        self._tell({"event": "section", "section": number, "tiles": len(run.wanted), "axis": axis})
        run.run(self._workers, self._tell)
        return run

    def _section(self, trunk: _Trunk, axis: str) -> Section:
        length = trunk.source.lengths()[axis]
        if length == 0:
            raise InputError(f"there is no data along '{axis}': its length is 0")
        tile = tile_length(trunk.source, trunk.works, axis)
        return Section(trunk.source, trunk.works, axis, tile, length)

    def _folder(self, kind: str) -> Path:
        self._stages += 1
        return self.spec.folder / f"{kind}_{self._stages}"

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

    def _remembered(self, tap: Tap[Any]) -> Estimate[Any] | None:
        path = self.spec.folder / "estimates.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        facts = found.get(self._target(tap).address)
        return Estimate(**facts) if facts else None

    def _remember(self) -> None:
        content = {name: dataclasses.asdict(e) for name, e in self.estimates.items()}
        write_durably(self.spec.folder / "estimates.json", json.dumps(content).encode())


def _points(section: Section, slices: tuple[int | None, int | None, int | None] | None) -> Sequence[int]:
    if slices is None:
        return range(section.length)
    start, stop, step = slices
    points = range(section.length)[start:stop:step]
    if not points:
        raise ParameterError(
            f"--slices {start}:{stop}:{step} selects nothing of {section.length} points "
            f"along '{section.axis}'",
            remedy=f"choose between 0 and {section.length - 1}",
        )
    return points
