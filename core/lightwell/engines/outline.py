"""The outline of a recipe: which sections it falls into, told from its types alone.

The same decisions as the walk takes, before anything is read: what reads which input along which
axis, so that data that would be read over and over are laid out anew once.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lightwell.engines.tiles import common_axis
from lightwell.products import Product
from lightwell.recipes import AUTO, Recipe, Setting
from lightwell.steps import EstimateStep, FoldStep, Input, MapStep, SideStage, Tap

__all__ = ["Stretch", "outline"]


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A run of map steps over one source, and what it is for.

    role : the input it reads, None for what another stretch stored; position : of the step that
    ends it; purpose : "section", "estimate", "fold", "iterate" or "result";
    sampled : points along the axis that an estimate looks at, 0 for all; estimator : its step;
    step : the one that folds or iterates.
    """

    role: str | None
    product: type[Product]
    steps: tuple[Any, ...]
    positions: tuple[int, ...]
    axis: str
    purpose: str
    position: int = -1
    sampled: int = 0
    estimator: Any = None
    step: Any = None

    @property
    def gives(self) -> type[Product]:
        """The product at its end."""
        return self.steps[-1].gives if self.steps else self.product


@dataclasses.dataclass(frozen=True)
class _Trunk:
    role: str | None
    product: type[Product]
    steps: tuple[Any, ...] = ()
    positions: tuple[int, ...] = ()

    def along(self) -> str:
        return common_axis(self.product, self.steps) or next(iter(self.product.axes()), "")


class _Outline:
    def __init__(self, recipe: Recipe[Any, Any], settings: Mapping[str, Setting]) -> None:
        self.recipe, self.settings = recipe, settings
        self.found: list[Stretch] = []
        self._step = -1

    def follow(self, nodes: Sequence[Any]) -> _Trunk:
        trunk = _Trunk(nodes[0].role, nodes[0].gives)
        for node in nodes[1:]:
            trunk = self._advance(trunk, node)
        return trunk

    def _advance(self, trunk: _Trunk, node: Any) -> _Trunk:
        if isinstance(node, SideStage):
            self._store(self.follow(node.side.nodes()))
            self._step += 1
            return self._append(trunk, node.step)
        if isinstance(node, Tap):
            self._step += 1
            return self._tap(trunk, node)
        self._step += 1
        if isinstance(node, MapStep):
            return self._append(trunk, node)
        trunk = self._store(trunk)
        purpose = "fold" if isinstance(node, FoldStep) else "iterate"
        axes = node.over if isinstance(node, FoldStep) else trunk.product.axes()
        axis = next(a for a in trunk.product.axes() if a in axes)
        self._add(trunk, axis, purpose, step=node)
        return _Trunk(None, node.gives)

    def _append(self, trunk: _Trunk, step: Any) -> _Trunk:
        if common_axis(trunk.product, (*trunk.steps, step)) is None:
            trunk = self._store(trunk)
        positions = (*trunk.positions, self._step)
        return dataclasses.replace(trunk, steps=(*trunk.steps, step), positions=positions)

    def _tap(self, trunk: _Trunk, tap: Tap[Any]) -> _Trunk:
        step = tap.step
        if not self._is_auto(tap):
            return trunk
        if not isinstance(step, EstimateStep):
            trunk = self._store(trunk)
            self._add(trunk, next(a for a in trunk.product.axes() if a in step.over), "fold")
            return trunk
        if not all(step.sample_axis in one.over for one in trunk.steps):
            trunk = self._store(trunk)
        self._add(trunk, step.sample_axis, "estimate", step)
        return trunk

    def _is_auto(self, tap: Tap[Any]) -> bool:
        return any(
            self.settings[address].value == AUTO
            for address, slot in self.recipe.slots.items()
            if slot.tapped_by == tap.step.name
            and slot.parameter.name == tap.parameter
            and slot.step > self._step
        )

    def _store(self, trunk: _Trunk) -> _Trunk:
        if not trunk.steps:
            return trunk
        self._add(trunk, trunk.along(), "section")
        return _Trunk(None, trunk.steps[-1].gives)

    def _add(
        self, trunk: _Trunk, axis: str, purpose: str, estimator: Any = None, step: Any = None
    ) -> None:
        facts = (trunk.role, trunk.product, trunk.steps, trunk.positions)
        sampled = 0 if estimator is None else estimator.sample_count
        found = Stretch(*facts, axis, purpose, self._step, sampled, estimator, step)
        self.found.append(found)

    def finish(self, trunk: _Trunk) -> list[Stretch]:
        self._add(trunk, trunk.along(), "result")
        return self.found


def outline(recipe: Recipe[Any, Any], settings: Mapping[str, Setting]) -> list[Stretch]:
    """Every stretch of a recipe, in the order in which they are computed.

    A parameter that an estimate finds counts as unknown; one that was given needs none.
    """
    nodes = recipe.nodes()
    if not isinstance(nodes[0], Input):
        return []
    found = _Outline(recipe, settings)
    return found.finish(found.follow(nodes))
