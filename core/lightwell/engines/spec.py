"""What a job is asked to do, and what it answers: data that crosses between processes."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.sources import Source
from lightwell.products import Product
from lightwell.recipes import Recipe, Setting
from lightwell.steps import Estimate

__all__ = ["Event", "JobSpec", "Outcome", "Output", "chosen_points", "identity"]

Event = Mapping[str, Any]
"""Something that happened: ``{"event": "slab-done", "section": 0, "first": 0, "last": 4, …}``."""


@dataclasses.dataclass(frozen=True)
class JobSpec:
    """One execution: which recipe on which data with which values, where and within what.

    slices : start, stop and step along the axis of the result;
    glimpses : products to show at the middle of an axis, for pictures.
    """

    recipe: Recipe[Any, Any]
    sources: Mapping[str, Source]
    settings: Mapping[str, Setting]
    folder: Path
    memory: int
    workers: int
    slices: tuple[int | None, int | None, int | None] | None = None
    on_event: Callable[[Event], None] | None = None
    glimpses: Sequence[tuple[type[Product], str]] = ()


@dataclasses.dataclass(frozen=True)
class Output:
    """The arrays of the last product, in segments along one axis.

    points : the points along `axis` that were asked for; tile digests follow the tiles.
    """

    product: Any
    axis: str
    tile: int
    length: int
    points: Sequence[int]
    folder: Path
    digest: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a finished job found and how it went."""

    output: Output
    settings: Mapping[str, Setting]
    estimates: Mapping[str, Estimate[Any]]
    metrics: Mapping[str, Sequence[float]]
    report: Mapping[str, Any]
    glimpses: Mapping[tuple[type[Product], str], Product] = dataclasses.field(default_factory=dict)


def chosen_points(points: Sequence[int], length: int) -> Sequence[int]:
    """The points of a selection; none where the whole axis was wanted."""
    return () if len(points) == length else points


def identity(recipe: Recipe[Any, Any], given: Mapping[str, Any], **facts: Any) -> str:
    """The sha-256 of what a result depends on: chain, values, inputs, environment."""
    content = {"recipe": recipe.to_json(), "settings": dict(given), **facts}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
