"""What the catalog says of a dataset's frames, and questions to it that leave datasets out.

A document holds `frames.count` and, for every channel, the smallest and largest value in the units
of the model, rounded outwards: `frames.channels.ring_current.min` is in ampere.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from lightwell.catalog.query import (
    And,
    Compare,
    Exists,
    In,
    Or,
    Query,
    Scalar,
    check_size,
)
from lightwell.errors import ParameterError
from lightwell.frame_index.quantities import channel_unit, number_in
from lightwell.frame_index.tables import Records
from lightwell.units import convert

__all__ = ["datasets_query", "frames_summary"]

_MOST_CHANNELS: Final = 100
"""A document has 64 kB for everything; more channels are in the index alone."""

_LARGEST: Final = 1e300


def frames_summary(records: Records) -> dict[str, Any]:
    """Return what the catalog keeps of the frames of a dataset."""
    found: dict[str, Any] = {"count": len(records), "channels": {}}
    for schema, values in list(records.values.items())[:_MOST_CHANNELS]:
        present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
        facts: dict[str, Any] = {"count": int(present.size)}
        model, low, high = schema.unit, None, None
        if present.size and values.dtype.kind != "b":
            model, low, high = _in_model(
                schema.name, schema.unit, float(present.min()), float(present.max())
            )
        elif values.dtype.kind == "b":
            facts["true"] = int(present.sum())
        if low is not None and high is not None and max(-low, high) < _LARGEST:
            facts |= {"min": low, "max": high}
        if model:
            facts["unit"] = model
        found["channels"][schema.name] = facts
    if len(records.values) > _MOST_CHANNELS:
        found["partial"] = True
    return found


def _in_model(name: str, kept: str, low: float, high: float) -> tuple[str, float, float]:
    """Return the unit of the model and two numbers in it, rounded outwards if converted."""
    model = channel_unit(name, kept).model
    if model is None or model == kept:
        return kept, low, high
    least, most = (convert(value, kept, model) for value in (low, high))
    # Nothing is rounded where zero stays zero.
    least = least if low == least == 0 else _down(least)
    return model, least, most if high == most == 0 else _up(most)


def _down(value: float) -> float:
    return math.nextafter(math.nextafter(value, -math.inf), -math.inf)


def _up(value: float) -> float:
    return math.nextafter(math.nextafter(value, math.inf), math.inf)


def datasets_query(query: Query, units: Mapping[str, Iterable[str]]) -> Query | None:
    """Return a question to the catalog that is true of every dataset with a frame that matches.

    units : what each channel is kept in, one or more. None where the documents cannot say:
    negations, and questions that would grow too large.
    """
    found = _weaker(query, {name: sorted(each) for name, each in units.items()})
    if found is None:
        return None
    try:
        wide = Or((found, Compare("frames.partial", "=", value=True)))
        check_size(wide)
    except ParameterError:
        return None
    return wide


def _weaker(query: Query, units: Mapping[str, list[str]]) -> Query | None:
    match query:
        case And(clauses):
            known = [found for clause in clauses if (found := _weaker(clause, units)) is not None]
            return And(tuple(known)) if known else None
        case Or(clauses):
            parts = [_weaker(clause, units) for clause in clauses]
            return None if None in parts else Or(tuple(part for part in parts if part is not None))
        case Compare(field, operator, value) if operator != "!=":
            return Or(tuple(_bounded(field, operator, value, units.get(field, []))))
        case In(field, values):
            each = [_weaker(Compare(field, "=", value), units) for value in values]
            return Or(tuple(part for part in each if part is not None))
        case Exists(field):
            return Compare(f"frames.channels.{field}.count", ">", 0) if field in units else Or(())
        case _:
            return None


def _bounded(field: str, operator: str, value: Scalar, units: list[str]) -> Iterable[Query]:
    """Yield what the smallest and largest value must be, for each unit the channel comes in."""
    place = f"frames.channels.{field}"
    if isinstance(value, bool):
        yield Exists(f"{place}.true")
        return
    for kept in units:
        number = number_in(value, kept, field) if isinstance(value, str) else float(value)
        if number is None:
            continue
        model, low, high = _in_model(field, kept, number, number)
        low, high = _down(low), _up(high)
        clauses: list[Query] = []
        if not math.isfinite(low) or not math.isfinite(high):
            clauses.append(Exists(place))
        else:
            clauses += [Compare(f"{place}.min", "<=", high)] * (operator in ("<", "<=", "="))
            clauses += [Compare(f"{place}.max", ">=", low)] * (operator in (">", ">=", "="))
        if len(units) > 1 and model:
            clauses.append(Compare(f"{place}.unit", "=", model))
        # Bounds too large for a document are left out of it.
        yield Or((And(tuple(clauses)), And((Exists(place), ~Exists(f"{place}.max")))))
