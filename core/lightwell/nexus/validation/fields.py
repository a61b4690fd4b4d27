"""One field against what is asked of it: the application's word before the base class's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.quantities import check_unit, check_unit_enumeration
from lightwell.nexus.validation.rules import AttributeRule, FieldRule
from lightwell.nexus.validation.tree import Array, printable
from lightwell.nexus.validation.values import (
    check_array_type,
    check_date,
    check_enumeration,
    fits_python_type,
)

__all__ = ["Asked", "asked_of", "check_attributes", "check_field"]

_DATES = {"NX_DATE_TIME", "ISO8601"}
# How plots were described before 2014; a definition that still lists them does not mean it.
_OUTDATED = {"signal", "axis", "primary"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one field, inherited parts filled in; None where nothing is said."""

    type: str | None
    units: str | None
    values: tuple[str, ...]
    is_open: bool
    attributes: tuple[AttributeRule, ...]
    is_deprecated: bool = False


def asked_of(rule: FieldRule, inherited: FieldRule | None, *, is_known: bool = True) -> Asked:
    """Return what a definition asks of a field, with type and units of the base class if unsaid.

    Where neither says a type it is text, unless the base class is not known (`is_known`).
    """
    kind = rule.type or (inherited.type if inherited else None)
    units = rule.units
    if inherited is not None and inherited.name == rule.name:
        units = units or inherited.units
    if kind is None and units is None and is_known:
        kind = "NX_CHAR"
    values, is_open = rule.values, rule.open
    if not values and inherited is not None and inherited.name == rule.name:
        values, is_open = inherited.values, inherited.open
    return Asked(kind, units, values, is_open, rule.attributes, rule.deprecated)


def check_field(array: Array, path: str, asked: Asked, scope: Scope) -> Iterator[Finding]:
    """Yield what is wrong with a field: type, value, date, unit, attributes."""
    if asked.is_deprecated:
        message = f"{scope.definition} asks to write this field no more."
        mend = "Read the definition for what took its place."
        yield scope.finding("deprecated", path, message, mend, severity="warning")
    wrong_type = False
    if asked.type is not None:
        for finding in check_array_type(array, path, asked.type, scope):
            wrong_type = wrong_type or finding.code == "type"
            yield finding
    if asked.type in _DATES and not wrong_type:
        yield from check_date(array.value, path, scope)
    if not wrong_type:
        yield from check_enumeration(
            array.value, path, asked.values, scope, "enumeration", is_open=asked.is_open
        )
    yield from _check_unit(array, path, asked, scope)
    yield from check_attributes(array.attributes, path, asked.attributes, scope, asked.units)


def _check_unit(array: Array, path: str, asked: Asked, scope: Scope) -> Iterator[Finding]:
    unit = array.attributes.get("units")
    said = next((a for a in asked.attributes if a.name == "units"), None)
    if said is not None and said.values and not said.open:
        inner = scope.attribute("units")
        yield from check_unit_enumeration(unit, path, said.values, asked.units, inner)
        return
    # Text without a unit is one fault, of type, and not two.
    if unit is not None or array.kind != "text":
        yield from check_unit(unit, path, asked.units, scope)


def check_attributes(
    attributes: Mapping[str, Any],
    path: str,
    rules: tuple[AttributeRule, ...],
    scope: Scope,
    category: str | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with the attributes of a field or group."""
    for rule in rules:
        inner = scope.attribute(rule.name)
        if rule.name in _OUTDATED and rule.deprecated:
            # On fields; said once for all classes.
            continue
        if rule.name in attributes:
            yield from _check_attribute(attributes[rule.name], path, rule, inner)
        elif rule.least and rule.name_type == "specified" and rule.name not in _OUTDATED:
            yield from _missing(path, rule, inner, category)


def _missing(
    path: str, rule: AttributeRule, scope: Scope, category: str | None
) -> Iterator[Finding]:
    if rule.name == "units" and category not in (None, "NX_ANY", "NX_UNITLESS", "NX_DIMENSIONLESS"):
        # Said by the check of units already.
        return
    allowed = f" as one of: {', '.join(rule.values)}" if rule.values else ""
    yield scope.finding(
        "attribute-missing",
        path,
        f"The attribute {rule.name} is not there, and {scope.definition} requires it.",
        f"Write the attribute {rule.name}{allowed}.",
    )


def _check_attribute(value: Any, path: str, rule: AttributeRule, scope: Scope) -> Iterator[Finding]:
    if rule.deprecated:
        yield scope.finding(
            "deprecated",
            path,
            f"The attribute {rule.name} is an old way; NeXus asks to write it no more.",
            "Read the definition for what took its place.",
            severity="warning",
        )
        return
    if value is None or rule.name == "units":
        return
    if not fits_python_type(value, rule.type):
        yield scope.finding(
            "attribute-type",
            path,
            f"The attribute {rule.name} is {printable(repr(value))}, and {rule.type} is asked for.",
            f"Write it as {rule.type}.",
            found=value,
        )
        return
    if rule.type in _DATES:
        yield from check_date(value, path, scope)
    yield from check_enumeration(
        value, path, rule.values, scope, "attribute-value", is_open=rule.open
    )
