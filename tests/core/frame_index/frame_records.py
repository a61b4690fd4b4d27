"""Random records of frames, and the answer to a question by looking at each of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lightwell.catalog.fields import stored_path
from lightwell.catalog.matcher import matches
from lightwell.catalog.query import And, Compare, Exists, In, Not, Or, Query
from lightwell.frame_index.channels import channel_values
from lightwell.units import convert

Channels = dict[str, tuple[str, np.ndarray[Any, Any]]]
"""Name -> unit in the file, and the values of every frame in it."""

NAMES = ("a", "b", "samx", "energy")
UNITS = {
    "a": ("", "counts"),
    "b": ("",),
    "samx": ("mm", "um", "", "degree"),
    "energy": ("eV", "keV"),
}
TYPES = ("f4", "f8", "i2", "u4", "i8", "?")
POOL = (0.0, 1.0, -1.0, 0.1, 0.5, 2.0, 2.5, 7.0, 1e3, -3.25, 16777217.0)


@st.composite
def a_channel(draw: st.DrawFn, name: str, length: int) -> tuple[str, np.ndarray[Any, Any]]:
    """Values that rise, stand, jump, or are noise, some of them missing."""
    unit = draw(st.sampled_from(UNITS[name]))
    dtype = draw(st.sampled_from(TYPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "rising", "constant", "few", "gap"]))
    values = {
        "noise": lambda: rng.normal(0, 3, length),
        "rising": lambda: np.linspace(-2, draw(st.sampled_from(POOL)), length),
        "constant": lambda: np.full(length, draw(st.sampled_from(POOL))),
        "few": lambda: rng.choice(POOL, length),
        "gap": lambda: np.where(rng.random(length) < 0.5, 0.0, 400.0 + rng.random(length)),
    }[kind]()
    if dtype == "?":
        return unit, values > 0
    if dtype[0] in "iu":
        return unit, np.abs(values).astype(dtype) if dtype[0] == "u" else values.astype(dtype)
    values = values.astype(dtype)
    missing = draw(st.sampled_from([0.0, 0.0, 0.2, 1.0]))
    values[rng.random(length) < missing] = rng.choice([np.nan, np.inf, -np.inf])
    return unit, values


@st.composite
def some_datasets(draw: st.DrawFn) -> dict[str, Channels]:
    """A few datasets with different channels."""
    found = {}
    for number in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, 60))
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
        found[f"lw-{number}"] = {name: draw(a_channel(name, length)) for name in names}
    return found


def a_value(name: str) -> st.SearchStrategy[Any]:
    plain = st.sampled_from(POOL) | st.integers(-3, 3) | st.floats(-4, 4) | st.booleans()
    if name == "samx":
        return plain | st.sampled_from(["1 mm", "500 um", "0.1 cm", "1 degree", "30 keV"])
    return plain | st.sampled_from(["1 eV", "0.5 keV"]) if name == "energy" else plain


@st.composite
def a_clause(draw: st.DrawFn) -> Query:
    name = draw(st.sampled_from([*NAMES, "nobody_has_it"]))
    kind = draw(st.sampled_from(["compare", "compare", "compare", "range", "in", "exists"]))
    if kind == "exists":
        return Exists(name)
    if kind == "in":
        return In(name, tuple(draw(st.lists(a_value(name), max_size=4))))
    value = draw(a_value(name))
    if isinstance(value, bool):
        return Compare(name, draw(st.sampled_from(["=", "!="])), value)
    if kind == "range":
        low, high = sorted(draw(st.lists(st.floats(-4, 405), min_size=2, max_size=2)))
        return And((Compare(name, ">=", low), Compare(name, "<", high)))
    return Compare(name, draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="])), value)


def a_query() -> st.SearchStrategy[Query]:
    return st.recursive(
        a_clause(),
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=1, max_size=3).map(lambda c: And(tuple(c)))
            | st.lists(inner, min_size=1, max_size=3).map(lambda c: Or(tuple(c)))
        ),
        max_leaves=5,
    )


def by_looking(query: Query, channels: Channels) -> list[int]:
    """The frames a query is true of: the catalog's own matcher, asked about each frame."""
    kept = {name: channel_values(name, unit, values) for name, (unit, values) in channels.items()}
    units = {name: unit for name, (unit, _) in kept.items()}
    asked = in_units(query, units)
    length = len(next(iter(kept.values()))[1])
    return [n for n in range(length) if matches(asked, document(kept, n))]


def document(kept: Mapping[str, tuple[str, Any]], frame: int) -> dict[str, Any]:
    """What a catalog would hold of one frame: a value that is not finite is not there."""
    found: dict[str, Any] = {}
    for name, (_, values) in kept.items():
        value = values[frame].item()
        if isinstance(value, bool | int) or np.isfinite(value):
            group, key = stored_path(name)
            found.setdefault(group, {})[key] = value
    return found


def in_units(query: Query, units: Mapping[str, str]) -> Query:
    """The query with every quantity as a number in the unit of its channel."""
    match query:
        case And(clauses):
            return And(tuple(in_units(c, units) for c in clauses))
        case Or(clauses):
            return Or(tuple(in_units(c, units) for c in clauses))
        case Not(clause):
            return Not(in_units(clause, units))
        case In(field, values):
            return Or(tuple(in_units(Compare(field, "=", v), units) for v in values))
        case Compare(field, "!=", str() as value):
            return Not(in_units(Compare(field, "=", value), units))
        case Compare(field, operator, str() as value):
            number, unit = value.split()
            try:
                return Compare(field, operator, convert(float(number), unit, units[field]))
            except (ValueError, KeyError):
                return Or(())
        case _:
            return query
