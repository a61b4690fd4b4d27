"""Units against the unit categories of NXDL."""

import re
from collections.abc import Iterator
from typing import Any

from lightwell.errors import UnitError
from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.tree import printable
from lightwell.nexus.validation.values import is_allowed
from lightwell.units import CATEGORIES, ascii_unit, convert, fits, resolve_unit

__all__ = ["check_unit", "check_unit_enumeration"]

# Categories that the model does not hold, by a unit of theirs.
_OTHERS = {
    "NX_COUNT": "count",
    "NX_EMITTANCE": "m*rad",
    "NX_MOLECULAR_WEIGHT": "g/mol",
    "NX_SCATTERING_LENGTH_DENSITY": "1/m**2",
    "NX_SOLID_ANGLE": "sr",
}
_FREE = {"NX_ANY", "NX_PULSES", "NX_TRANSFORMATION"}
_BARE = re.compile(r"(?<![A-Za-z])[AC](?![A-Za-z])")


def check_unit(unit: Any, path: str, category: str | None, scope: Scope) -> Iterator[Finding]:
    """Yield what is wrong with the `units` of a field that has, or needs, some."""
    if unit is not None and not isinstance(unit, str):
        message = f"The units are {unit!r}, which is no text."
        yield scope.finding("unit-unknown", path, message, "Write the unit's name.", found=unit)
        return
    text = unit or ""
    if category is None or category in _FREE:
        yield from _check_known(text, path, category, scope)
    elif category in ("NX_UNITLESS", "NX_DIMENSIONLESS"):
        yield from _check_without(text, path, category, scope)
    elif not text.strip():
        yield scope.finding(
            "unit-missing",
            path,
            f"The field has no units, and {category} is asked for.",
            f"Write the attribute units, for example {_example(category)!r}.",
        )
    else:
        yield from _check_category(text, path, category, scope)


def _check_known(text: str, path: str, category: str | None, scope: Scope) -> Iterator[Finding]:
    """Judge a unit of any category: a word that is no unit deserves a note."""
    try:
        resolve_unit(text, category)
    except UnitError as error:
        if not _BARE.search(text):
            message = f"The unit is not understood: {printable(error.what)}."
            mend = "Use the names of SI, or leave the attribute out."
            yield scope.finding("unit-unknown", path, message, mend, severity="note", found=text)


def _check_without(text: str, path: str, category: str, scope: Scope) -> Iterator[Finding]:
    """Judge a unit where the value has none, or is a ratio."""
    try:
        resolved = resolve_unit(text, category)
        ratio = resolved is None or (category == "NX_DIMENSIONLESS" and _is_ratio(resolved))
    except UnitError as error:
        # "1.0" and the like are how some write that there is no unit.
        ratio = "is a number" in error.what
    if not ratio:
        yield scope.finding(
            "unit-unwanted",
            path,
            f"The unit is {printable(text)!r}, and {category} asks for none.",
            "Leave the attribute units out, or write it empty.",
            severity="warning",
            found=text,
        )


def _is_ratio(unit: str) -> bool:
    try:
        convert(1.0, unit, "percent")
    except UnitError:
        return False
    return True


def _check_category(text: str, path: str, category: str, scope: Scope) -> Iterator[Finding]:
    if _suits(text, category):
        if text != ascii_unit(text) or text != text.strip("[] \r\n\t") or _BARE.search(text):
            yield scope.finding(
                "unit-spelling",
                path,
                f"The unit {printable(text)!r} is understood, but other programs may not.",
                f"Write {_spelt(text, category)!r}.",
                severity="warning",
                found=text,
            )
        return
    try:
        known = resolve_unit(text, category) is not None
    except UnitError:
        known = False
    shown = printable(text)
    yield scope.finding(
        "unit-category" if known else "unit-unknown",
        path,
        f"The unit {shown!r} is {f'not {category}' if known else 'no unit'}.",
        f"Write a unit of {category}, for example {_example(category)!r}.",
        found=text,
    )


def _suits(text: str, category: str) -> bool:
    """Return whether a unit is of a category, or of the kind of a unit given as an example."""
    if category in CATEGORIES:
        return fits(text, category)
    example = _example(category)
    if not example:
        return True
    try:
        convert(1.0, text, example)
    except UnitError:
        return False
    return True


def _example(category: str) -> str:
    found = CATEGORIES.get(category) or _OTHERS.get(category)
    return found or ("" if category.startswith("NX_") else category.replace("^", "**"))


def _spelt(text: str, category: str) -> str:
    """Return a unit as NeXus wants it: the resolved one, or the text in ASCII."""
    try:
        return resolve_unit(text, category) or text.strip()
    except UnitError:
        return ascii_unit(text.strip("[] \r\n\t"))


def check_unit_enumeration(
    unit: Any, path: str, values: tuple[str, ...], category: str | None, scope: Scope
) -> Iterator[Finding]:
    """Yield a finding if a unit is none of those listed, in whatever spelling.

    An item such as NX_ANGLE stands for all units of that category.
    """
    if unit is None or is_allowed(unit, values):
        return
    classes = [value for value in values if value.startswith("NX_")]
    same = any(_equal(unit, value, category) for value in values)
    if any(fits(str(unit), value) for value in classes):
        return
    listed = ", ".join(values)
    if same:
        message = f"The unit {unit!r} is meant, but not spelt as {scope.definition} asks."
        mend = f"Write one of: {listed}."
        yield scope.finding("unit-spelling", path, message, mend, severity="warning", found=unit)
        return
    message = f"The unit {unit!r} is none of those that {scope.definition} allows."
    yield scope.finding(
        "attribute-value", path, message, f"Convert to one of: {listed}.", found=unit
    )


def _equal(unit: Any, other: str, category: str | None) -> bool:
    """Return whether two texts mean the same unit."""
    if other.startswith("NX_"):
        return False
    try:
        mine, theirs = resolve_unit(str(unit), category), resolve_unit(other, category)
        if mine is None or theirs is None:
            return mine is theirs
        return mine == theirs or abs(convert(1.0, mine, theirs) - 1) < 1e-12
    except UnitError:
        return False
