"""What a job is asked to do, and what it answers: data that crosses between processes."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lightwell.engines.admission import Admission
from lightwell.engines.drawing import Draw
from lightwell.engines.sources import Source
from lightwell.products import Product
from lightwell.recipes import Recipe, Setting
from lightwell.steps import Estimate

__all__ = [
    "MIDDLE",
    "Event",
    "JobSpec",
    "Keeping",
    "Outcome",
    "Output",
    "Shared",
    "Slices",
    "Sweep",
    "chosen_points",
    "identity",
]

MIDDLE: Literal["middle"] = "middle"
"""In place of a selection: the one point in the middle of the axis."""

Slices = tuple[int | None, int | None, int | None] | Literal["middle"]

Event = Mapping[str, Any]
"""Something that happened: ``{"event": "slab-done", "section": 0, "first": 0, "last": 4, …}``."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One parameter that takes several values in turn, the data being read once.

    address : of the parameter in its recipe; values : as the steps get them, checked.
    """

    address: str
    values: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Keeping:
    """Where outputs of steps are kept for later jobs, and what decides whether one fits.

    folder : a folder for each content; steps : names of those to keep now; inputs : digest of
    the data and of the software, which all that is kept depends on.
    """

    folder: Path
    inputs: str
    steps: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Shared:
    """What the jobs of a sweep have in common: all up to the step whose parameter is swept.

    folder : where it is stored; before : the position of that step among the recipe's.
    """

    folder: Path
    before: int


@dataclasses.dataclass(frozen=True)
class JobSpec:
    """One execution: which recipe on which data with which values, where and within what.

    slices : start, stop and step along the axis of the result, in points of the detector;
    glimpses : products to show at the middle of an axis, for pictures;
    binned : how many points of the detector along an axis became one in the sources;
    draw : makes pictures of glimpses while the last step iterates, in a thread of its own;
    admission : what the jobs of the installation share; without it, `memory` is the job's own;
    cache : where compiled programs and tables are kept for other jobs.
    """

    recipe: Recipe[Any, Any]
    sources: Mapping[str, Source]
    settings: Mapping[str, Setting]
    folder: Path
    memory: int
    workers: int
    slices: Slices | None = None
    on_event: Callable[[Event], None] | None = None
    glimpses: Sequence[tuple[type[Product], str]] = ()
    draw: Draw | None = None
    binned: Mapping[str, int] = dataclasses.field(default_factory=dict)
    sweep: Sweep | None = None
    keeping: Keeping | None = None
    shared: Shared | None = None
    admission: Admission | None = None
    cache: Path | None = None


@dataclasses.dataclass(frozen=True)
class Output:
    """The arrays of the last product, in segments along one axis.

    points : the points along `axis` that were asked for; tile digests follow the tiles.
    sweep, folders : of a swept job, whose arrays have the swept parameter as their first axis:
    the segments of each value.
    """

    product: Any
    axis: str
    tile: int
    length: int
    points: Sequence[int]
    folder: Path
    digest: str
    sweep: Sweep | None = None
    folders: tuple[Path, ...] = ()

    def shown(self, axes: Sequence[str]) -> tuple[str, ...]:
        """The axes of an array as the result shows them, a swept parameter's aside.

        A sweep of one slice is a stack of pictures: the axis of that slice is left out.
        """
        is_stack = self.sweep is not None and len(self.points) == 1
        return tuple(axis for axis in axes if not (is_stack and axis == self.axis))

    def moved(self, old: Path, new: Path) -> "Output":
        """The same output after a folder above it was renamed."""
        folders = tuple(new / folder.relative_to(old) for folder in self.folders)
        folder = new / self.folder.relative_to(old)
        return dataclasses.replace(self, folder=folder, folders=folders)

    def parts(self) -> tuple["Output", ...]:
        """The output of every value of a sweep; the output itself where nothing was swept."""
        if self.sweep is None:
            return (self,)
        plain = dataclasses.replace(self, sweep=None, folders=())
        return tuple(dataclasses.replace(plain, folder=folder) for folder in self.folders)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a finished job found and how it went."""

    output: Output
    settings: Mapping[str, Setting]
    estimates: Mapping[str, Estimate[Any]]
    metrics: Mapping[str, Sequence[float]]
    report: Mapping[str, Any]
    glimpses: Mapping[tuple[type[Product], str], Product] = dataclasses.field(default_factory=dict)
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The kept outputs that were begun from or added: name of the step -> key."""


def chosen_points(points: Sequence[int], length: int) -> Sequence[int]:
    """The points of a selection; none where the whole axis was wanted."""
    return () if len(points) == length else points


def identity(recipe: Recipe[Any, Any], given: Mapping[str, Any], **facts: Any) -> str:
    """The sha-256 of what a result depends on: chain, values, inputs, environment."""
    content = {"recipe": recipe.to_json(), "settings": dict(given), **facts}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
