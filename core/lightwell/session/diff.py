"""What changed between two results or two scans: how they were made, what they say, the numbers."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from lightwell.datasets import Dataset
from lightwell.errors import InputError, ParameterError

if TYPE_CHECKING:
    from lightwell.session.session import Session
    from lightwell.stacks import LazyArray

__all__ = ["ArrayDifference", "Comparison", "Difference", "compare"]

_SLAB_BYTES: Final = 32 << 20


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in both; None stands for what is not there.

    section : "dataset", "recipe", "parameter", "input", "slices", "binning", "environment",
    "estimate", "metadata", "option" or "files".
    """

    section: str
    name: str
    one: Any
    other: Any

    def __str__(self) -> str:
        return f"{self.section} {self.name}: {_shown(self.one)} -> {_shown(self.other)}"


@dataclass(frozen=True)
class ArrayDifference:
    """How far the arrays to plot are apart, over all places where both have a number.

    largest : the largest absolute difference, `at` the index where; rms : the root of the mean
    square; unequal : places where the values differ, one_sided : where only one has a number.
    """

    shape: tuple[int, ...]
    largest: float
    at: tuple[int, ...] | None
    rms: float
    unequal: int
    one_sided: int


@dataclass(frozen=True)
class Comparison:
    """Two datasets held against each other; `array` is None where `why_no_array` says why."""

    one: str
    other: str
    differences: tuple[Difference, ...]
    array: ArrayDifference | None = None
    why_no_array: str | None = None

    @property
    def same(self) -> bool:
        """True if nothing differs, as far as it was looked at."""
        return not self.differences and (self.array is None or not self.array.unequal)


def compare(session: "Session", one: str, other: str, *, arrays: bool = True) -> Comparison:
    """Say what changed from one dataset to another; arrays are read slab by slab.

    Errors: NotFound; ParameterError for a scan and a result; what reading raises is told in
    `why_no_array`, since the rest can be compared all the same.
    """
    first, second = session.get(one), session.get(other)
    if first.kind != second.kind:
        raise ParameterError(
            f"{one} is {_kind(first)} and {other} is {_kind(second)}",
            remedy="Give two scans or two results; `lightwell show` says what one was made from",
        )
    found = tuple(_differences(first, second))
    if not arrays:
        return Comparison(one, other, found, why_no_array="not asked for")
    try:
        return Comparison(one, other, found, _arrays(session.array(first), session.array(second)))
    except InputError as error:
        return Comparison(one, other, found, why_no_array=error.what)


def _kind(dataset: Dataset) -> str:
    return "a result" if dataset.kind == "derived" else "a scan"


def _differences(one: Dataset, other: Dataset) -> Iterator[Difference]:
    for name in ("definition", "importer", "entry_name", "proposal"):
        yield from _pair("dataset", name, getattr(one, name), getattr(other, name))
    first, second = one.job, other.job
    yield from _steps(first.get("recipe", {}), second.get("recipe", {}))
    yield from _mappings("parameter", _parameters(first), _parameters(second))
    yield from _mappings("input", first.get("inputs", {}), second.get("inputs", {}))
    yield from _pair("slices", "along the result", first.get("slices"), second.get("slices"))
    yield from _pair("binning", "of detector pixels", first.get("bin", 1), second.get("bin", 1))
    yield from _mappings("environment", first.get("environment", {}), second.get("environment", {}))
    yield from _mappings("estimate", first.get("estimates", {}), second.get("estimates", {}))
    yield from _mappings("option", _options(one), _options(other))
    yield from _mappings("metadata", one.entry.canonical(), other.entry.canonical())
    if one.kind == "raw":
        yield from _mappings("files", _files(one), _files(other))


def _pair(section: str, name: str, one: Any, other: Any) -> Iterator[Difference]:
    if one != other:
        yield Difference(section, name, one, other)


def _mappings(
    section: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in sorted({*one, *other}):
        yield from _pair(section, name, one.get(name), other.get(name))


def _steps(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    """The chains of two recipes: which steps were put in, left out or exchanged, and where."""
    yield from _pair("recipe", "name", one.get("name"), other.get("name"))
    first, second = _nodes(one), _nodes(other)
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    for tag, start, stop, other_start, other_stop in matcher.get_opcodes():
        if tag != "equal":
            old, new = first[start:stop], second[other_start:other_stop]
            yield Difference("recipe", f"step {start}", ", ".join(old), ", ".join(new))


def _nodes(recipe: Mapping[str, Any]) -> list[str]:
    """The parts of a chain, each as the name of its step and what else is said of it."""
    found = []
    for node in recipe.get("nodes", ()):
        rest = {key: value for key, value in node.items() if key not in ("step", "kind") and value}
        name = str(node.get("step", "input")).rpartition(":")[2]
        found.append(f"{name} {json.dumps(rest, sort_keys=True)}" if rest else name)
    return found


def _parameters(job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: facts.get(key) for key in ("value", "unit", "origin", "detail")}
        for name, facts in job.get("parameters", {}).items()
    }


def _options(dataset: Dataset) -> dict[str, Any]:
    return {name: given.value for name, given in dataset.options.items()}


def _files(dataset: Dataset) -> dict[str, Any]:
    return {file.name: file.sha256 or file.size for file in dataset.manifest.files}


def _arrays(one: "LazyArray", other: "LazyArray") -> ArrayDifference:
    """Compare two arrays of one shape along their first axis, a slab of each at a time."""
    import numpy as np

    if one.shape != other.shape:
        raise ParameterError(f"the arrays have the shapes {one.shape} and {other.shape}")
    if not one.shape or 0 in one.shape:
        raise ParameterError(f"arrays of the shape {one.shape} hold nothing to compare")
    row = math.prod(one.shape[1:]) * max(one.dtype.itemsize, other.dtype.itemsize)
    step = max(1, _SLAB_BYTES // row)
    largest, at, squares, numbers, unequal, one_sided = 0.0, None, 0.0, 0, 0, 0
    wide = np.promote_types(np.promote_types(one.dtype, other.dtype), np.float64)
    for start in range(0, one.shape[0], step):
        part = (slice(start, min(start + step, one.shape[0])),)
        a, b = one.read(part).astype(wide), other.read(part).astype(wide)
        both = np.isfinite(a) & np.isfinite(b)
        apart = np.abs(np.where(both, a - b, 0))
        strange = ~both & ~((a == b) | (np.isnan(a) & np.isnan(b)))
        one_sided += int(np.count_nonzero(strange))
        unequal += int(np.count_nonzero(apart)) + int(np.count_nonzero(strange))
        squares += float(np.vdot(apart, apart).real)
        numbers += int(np.count_nonzero(both))
        if apart.max() > largest:
            place = np.unravel_index(int(apart.argmax()), apart.shape)
            largest = float(apart.max())
            at = (start + int(place[0]), *map(int, place[1:]))
    rms = math.sqrt(squares / numbers) if numbers else 0.0
    return ArrayDifference(one.shape, largest, at, rms, unequal, one_sided)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, Mapping) and "value" in value and "origin" in value:
        unit = f" {value['unit']}" if value.get("unit") else ""
        origin = f"{value['origin']} {value.get('detail') or ''}".strip()
        return f"{value['value']}{unit} ({origin})"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
