"""The second products of steps: chains beside the trunk, computed as a job computes them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines import JobSpec
from lightwell.engines.segments import SegmentFolder
from lightwell.engines.sources import Source
from lightwell.engines.spec import Output
from lightwell.engines.stored import segmented
from lightwell.engines.walk import Walk
from lightwell.engines.workers import Workers
from lightwell.recipes import Recipe, Setting, step_of
from lightwell.steps import SideStage

__all__ = ["side_products"]


def side_products(
    spec: JobSpec, settings: Mapping[str, Setting], workers: Workers, folder: Path
) -> dict[int, Source]:
    """The second products of a recipe's steps, by the positions of these steps.

    settings : with a value for every parameter, also those that a run finds.
    Errors: whatever the steps of a side chain raise.
    """
    found = {}
    for position, first, side in _sides(spec.recipe.nodes(), 0):
        recipe: Recipe[Any, Any] = Recipe(f"{spec.recipe.name}.side_{position}", side)
        own = {
            address: settings[_address(spec.recipe, slot.step + first, slot.parameter.name)]
            for address, slot in recipe.slots.items()
        }
        part = dataclasses.replace(
            spec, recipe=recipe, settings=own, folder=folder / f"side_{position}", slices=None
        )
        part.folder.mkdir(parents=True)
        walk = Walk(part, workers, lambda _: None)
        found[position] = _stored(walk.run())
        walk.remove_scratch()
    return found


def _sides(nodes: Sequence[Any], first: int) -> Iterator[tuple[int, int, Any]]:
    """Yield for each step with a side: its position, that of the side's first step, the side."""
    for node in nodes:
        if isinstance(node, SideStage):
            yield from _sides(node.side.nodes(), first)
            begins = first
            first += sum(1 for _ in Recipe("side", node.side).steps())
            yield first, begins, node.side
        first += step_of(node) is not None


def _address(recipe: Recipe[Any, Any], step: int, parameter: str) -> str:
    slots = recipe.slots.items()
    return next(a for a, s in slots if s.step == step and s.parameter.name == parameter)


def _stored(output: Output) -> Source:
    def span(first: int, last: int) -> tuple[int, int]:
        return first * output.tile, min(last * output.tile, output.length)

    held = SegmentFolder(output.folder).segments()
    return Source(output.product, segmented(held, output.product, output.axis, span, output.length))
