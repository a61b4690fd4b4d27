"""Questions compiled for the columns of one table: judged by block first, then by value.

A question means of a frame what it means of a catalog document that holds the frame's channels:
`catalog.matcher` is the definition. A channel that the dataset has not, or whose value is missing,
is a field that is not there: no comparison is true of it, and `!=` and `not` are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from lightwell.catalog.query import (
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Or,
    Query,
    Scalar,
    Text,
    check_size,
)
from lightwell.errors import ParameterError
from lightwell.frame_index.quantities import number_in
from lightwell.frame_index.tables import Column
from lightwell.frame_index.zones import limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Judged", "Predicate", "compile_query", "values_of"]

Values: TypeAlias = Callable[[str], "NDArray[Any]"]
"""From the name of a channel to its values in the blocks looked at: (block, BLOCK)."""


class Judged(NamedTuple):
    """What the zone maps say: blocks where some frame may match, and where every one must."""

    may: "NDArray[np.bool_]"
    must: "NDArray[np.bool_]"


class Predicate:
    """A question about the frames of one table."""

    def judge(self, blocks: int) -> Judged:
        """Say of every block what the zone maps say."""
        raise TypeError

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        """Say of every value in some blocks whether it matches; a new array each time."""
        raise TypeError


@dataclass(frozen=True)
class Constant(Predicate):
    """True, or false, of every frame."""

    answer: bool

    def judge(self, blocks: int) -> Judged:
        same = np.full(blocks, self.answer)
        return Judged(same, same)

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        return np.full(shape, self.answer)


@dataclass(frozen=True)
class Range(Predicate):
    """From `low` to `high`, both included, of the column's own type; None where it has no end."""

    name: str
    column: Column
    low: Any
    high: Any

    def judge(self, blocks: int) -> Judged:
        zones = self.column.zones
        least, most = limits(zones.low.dtype)
        low = least if self.low is None else self.low
        high = most if self.high is None else self.high
        must = (zones.low >= low) & (zones.high <= high) & (zones.missing == 0)
        return Judged(zones.within(low, high), must)

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        found = values(self.name)
        if self.low is None or self.high is None:
            mask = found <= self.high if self.low is None else found >= self.low
        elif self.low == self.high:
            mask = found == self.low
        else:
            mask = found >= self.low
            mask &= found <= self.high
        return np.asarray(mask)


@dataclass(frozen=True)
class Present(Predicate):
    """The value is not missing."""

    name: str
    column: Column

    def judge(self, blocks: int) -> Judged:
        zones = self.column.zones
        return Judged(zones.low <= zones.high, zones.missing == 0)

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        found = values(self.name)
        return ~np.isnan(found) if found.dtype.kind == "f" else np.ones(shape, bool)


@dataclass(frozen=True)
class Opposite(Predicate):
    """Where another predicate is false."""

    clause: Predicate

    def judge(self, blocks: int) -> Judged:
        may, must = self.clause.judge(blocks)
        return Judged(~must, ~may)

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        mask = self.clause.mask(values, shape)
        return np.logical_not(mask, out=mask)


@dataclass(frozen=True)
class Joined(Predicate):
    """All of several (`every`), or at least one."""

    clauses: tuple[Predicate, ...]
    every: bool

    def judge(self, blocks: int) -> Judged:
        may, must = (np.full(blocks, self.every) for _ in range(2))
        join = np.logical_and if self.every else np.logical_or
        for clause in self.clauses:
            judged = clause.judge(blocks)
            join(may, judged.may, out=may)
            join(must, judged.must, out=must)
        return Judged(may, must)

    def mask(self, values: Values, shape: tuple[int, int]) -> "NDArray[np.bool_]":
        mask = self.clauses[0].mask(values, shape)
        for clause in self.clauses[1:]:
            if self.every:
                if not mask.any():
                    break
                mask &= clause.mask(values, shape)
            else:
                mask |= clause.mask(values, shape)
        return mask


def compile_query(query: Query, columns: Mapping[str, Column]) -> Predicate:
    """Return a question as a predicate over the columns of a table, by the channels' names.

    Raises `ParameterError` for a question about words or texts: channels are numbers.
    """
    check_size(query)
    return _compiled(query, columns)


def _compiled(query: Query, columns: Mapping[str, Column]) -> Predicate:
    match query:
        case And(clauses):
            return _joined(_merged([_compiled(c, columns) for c in clauses]), every=True)
        case Or(clauses):
            return _joined([_compiled(c, columns) for c in clauses], every=False)
        case Not(clause):
            return _opposite(_compiled(clause, columns))
        case Compare(field, "!=", value):
            return _opposite(_comparison(columns.get(field), field, "=", value))
        case Compare(field, operator, value):
            return _comparison(columns.get(field), field, operator, value)
        case In(field, values):
            column = columns.get(field)
            found = [_comparison(column, field, "=", value) for value in values]
            return _joined(found, every=False)
        case Exists(field):
            return Present(field, columns[field]) if field in columns else Constant(answer=False)
        case Contains() | Text():
            raise ParameterError(
                "channels of frames are numbers, and this question looks for words",
                remedy="Choose the datasets by words, and their frames by comparisons",
            )
        case _:
            raise ParameterError(f"{query!r} is no query")


def _joined(clauses: Sequence[Predicate], *, every: bool) -> Predicate:
    """Join predicates, without those that change nothing."""
    if Constant(not every) in clauses:
        return Constant(not every)
    kept = tuple(clause for clause in clauses if clause != Constant(every))
    if not kept:
        return Constant(every)
    return kept[0] if len(kept) == 1 else Joined(kept, every)


def _opposite(clause: Predicate) -> Predicate:
    return Constant(not clause.answer) if isinstance(clause, Constant) else Opposite(clause)


def _merged(clauses: Sequence[Predicate]) -> list[Predicate]:
    """Join the ranges of one column into one: only together do they show a gap in a block."""
    ranges: dict[str, Range] = {}
    others: list[Predicate] = []
    for clause in clauses:
        if not isinstance(clause, Range):
            others.append(clause)
        elif clause.name not in ranges:
            ranges[clause.name] = clause
        else:
            known = ranges[clause.name]
            lows = [low for low in (known.low, clause.low) if low is not None]
            highs = [high for high in (known.high, clause.high) if high is not None]
            low, high = max(lows, default=None), min(highs, default=None)
            ranges[clause.name] = Range(clause.name, clause.column, low, high)
    found: list[Predicate] = []
    for each in ranges.values():
        empty = each.low is not None and each.high is not None and each.low > each.high
        found.append(Constant(answer=False) if empty else each)
    return [*found, *others]


def _comparison(column: Column | None, field: str, operator: str, value: Scalar) -> Predicate:
    never = Constant(answer=False)
    if column is None:
        return never
    if isinstance(value, str):
        number = number_in(value, column.schema.unit, field)
        if number is None:
            return never
        value = number
    dtype = column.blocks.dtype
    if isinstance(value, bool) != (dtype.kind == "b"):
        return never
    if dtype.kind == "b":
        return Range(field, column, np.bool_(value), np.bool_(value))
    ends = _float_ends if dtype.kind == "f" else _whole_ends
    low, high = ends(operator, value, dtype)
    if low is not None and high is not None and low > high:
        return never
    return Range(field, column, low, high)


def _whole_ends(operator: str, value: float, dtype: "np.dtype[Any]") -> tuple[Any, Any]:
    """Return the whole numbers a comparison reaches from and to; low above high for none."""
    floor, ceil = math.floor(value), math.ceil(value)
    low, high = {
        "=": (ceil, floor),
        "<": (None, ceil - 1),
        "<=": (None, floor),
        ">": (floor + 1, None),
        ">=": (ceil, None),
    }[operator]
    info = np.iinfo(dtype)
    if (low is not None and low > info.max) or (high is not None and high < info.min):
        return dtype.type(1), dtype.type(0)
    least = None if low is None or low <= info.min else dtype.type(low)
    most = None if high is None or high >= info.max else dtype.type(high)
    return least, most


def _float_ends(operator: str, value: float, dtype: "np.dtype[Any]") -> tuple[Any, Any]:
    """Return the numbers of a type that a comparison with any number reaches from and to.

    Comparing 32-bit values with 0.1 means the 64-bit 0.1: the ends are moved, not rounded.
    """
    with np.errstate(over="ignore"):
        near = dtype.type(value)
        below, above = np.nextafter(near, -np.inf), np.nextafter(near, np.inf)
    # Python compares whole numbers with floating ones exactly, whatever their size.
    at_most = near if float(near) <= value else below
    at_least = near if float(near) >= value else above
    less = below if float(near) >= value else near
    more = above if float(near) <= value else near
    return {
        "=": (at_least, at_most),
        "<": (None, less),
        "<=": (None, at_most),
        ">": (more, None),
        ">=": (at_least, None),
    }[operator]


def values_of(query: Query) -> dict[str, list[Scalar]]:
    """Return the channels a question is about, and what each is compared with."""
    found: dict[str, list[Scalar]] = {}
    waiting = [query]
    while waiting:
        match waiting.pop():
            case And(clauses) | Or(clauses):
                waiting += clauses
            case Not(clause):
                waiting.append(clause)
            case Compare(field, _, value):
                found.setdefault(field, []).append(value)
            case In(field, values):
                found.setdefault(field, []).extend(values)
            case Exists(field):
                found.setdefault(field, [])
    return found
