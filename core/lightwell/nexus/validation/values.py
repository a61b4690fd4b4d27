"""Values against the types of NXDL: numbers, words, dates, enumerations."""

import ast
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lightwell.nexus.validation.findings import Finding, Scope
from lightwell.nexus.validation.tree import Array, printable

__all__ = ["check_array_type", "check_date", "check_enumeration", "fits_python_type", "is_allowed"]

_NUMBERS = {"int", "uint", "float"}
_KINDS: dict[str, set[str]] = {
    "NX_INT": {"int", "uint"},
    "NX_UINT": {"int", "uint"},
    "NX_POSINT": {"int", "uint"},
    "NX_FLOAT": {"float"},
    "NX_NUMBER": _NUMBERS | {"complex"},
    "NX_COMPLEX": {"complex", "float", "other"},
    "NX_CHAR": {"text"},
    "NX_DATE_TIME": {"text"},
    "ISO8601": {"text"},
    "NX_CHAR_OR_NUMBER": {*_NUMBERS, "complex", "text"},
    "NX_BOOLEAN": {"bool", "int", "uint"},
    "NX_BINARY": {"text", "opaque", "uint", "int"},
}
_ASKED = {
    "NX_INT": "whole numbers",
    "NX_UINT": "whole numbers from 0",
    "NX_POSINT": "whole numbers from 1",
    "NX_FLOAT": "floating-point numbers",
    "NX_NUMBER": "numbers",
    "NX_COMPLEX": "complex numbers",
    "NX_CHAR": "text",
    "NX_DATE_TIME": "a date and time as text",
    "ISO8601": "a date and time as text",
    "NX_CHAR_OR_NUMBER": "text or numbers",
    "NX_BOOLEAN": "true or false",
    "NX_BINARY": "bytes",
}
_HELD = {
    "int": "integers",
    "uint": "integers",
    "float": "floating-point numbers",
    "complex": "complex numbers",
    "bool": "true or false",
    "text": "text",
    "opaque": "bytes",
    "other": "a compound or a reference",
}
_MANY = 20
_DATE = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:([T ])(\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)(Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


def check_array_type(array: Array, path: str, nx_type: str, scope: Scope) -> Iterator[Finding]:
    """Yield what is wrong with the kind of an array, or with the number it holds."""
    allowed = _KINDS.get(nx_type)
    if allowed is None or array.shape is None:
        return
    if array.kind in allowed:
        if not _in_range(array.value, nx_type):
            yield scope.finding(
                "type",
                path,
                f"The field holds {array.value}, and {nx_type} asks for {_ASKED[nx_type]}.",
                f"Write {_ASKED[nx_type]}.",
                found=array.value,
            )
        return
    held = _HELD.get(array.kind, array.kind)
    code = "integer-for-float" if nx_type == "NX_FLOAT" and held == "integers" else "type"
    yield scope.finding(
        code,
        path,
        f"The field holds {held}, and {nx_type} asks for {_ASKED[nx_type]}.",
        f"Write {_ASKED[nx_type]}" + (", not text." if held == "text" else "."),
        found=held,
    )


def _in_range(value: Any, nx_type: str) -> bool:
    """Return whether short values lie where their type says."""
    numbers = [v for v in _items(value) if isinstance(v, (int, float))]
    if nx_type == "NX_POSINT":
        return all(number > 0 for number in numbers)
    if nx_type == "NX_UINT":
        return all(number >= 0 for number in numbers)
    return nx_type != "NX_BOOLEAN" or all(number in (0, 1) for number in numbers)


def fits_python_type(value: Any, nx_type: str) -> bool:
    """Return whether an attribute's value is of an NXDL type; what is not known fits."""
    words = {"NX_CHAR", "NX_DATE_TIME", "ISO8601"}
    items = _items(value)
    if nx_type in words:
        return all(isinstance(item, str) for item in items)
    if nx_type in ("NX_INT", "NX_UINT", "NX_POSINT"):
        return all(isinstance(item, int) for item in items) and _in_range(value, nx_type)
    if nx_type in ("NX_FLOAT", "NX_NUMBER"):
        return all(isinstance(item, (int, float)) for item in items)
    if nx_type == "NX_BOOLEAN":
        return all(isinstance(item, (bool, int)) and item in (0, 1) for item in items)
    return True


def check_date(value: Any, path: str, scope: Scope) -> Iterator[Finding]:
    """Yield what is wrong with dates; several values are judged one by one."""
    mend = "Write it as 2026-01-31T12:00:00+01:00."
    for text in _items(value):
        if not isinstance(text, str):
            continue
        found = _DATE.fullmatch(text.strip())
        if found is None or not _exists(found):
            message = f"The text {_quoted(text)} is not a date and time in ISO 8601."
            yield scope.finding("date-format", path, message, mend, found=text)
        elif found[3] is None or found[2] == " ":
            message = (
                f"The date {_quoted(text)} is not written as ISO 8601 asks: a date, T, a time."
            )
            yield scope.finding("date-format", path, message, mend, severity="warning", found=text)
        elif found[4] is None:
            message = f"The time {_quoted(text)} says no time zone."
            yield scope.finding("date-zone", path, message, mend, severity="note", found=text)


def _exists(found: re.Match[str]) -> bool:
    """Return whether there is such a day and such a time."""
    time = (found[3] or "00:00").split(".")[0].split(",")[0]
    try:
        datetime.fromisoformat(f"{found[1]}T{time}")
    except ValueError:
        return False
    return True


def check_enumeration(
    value: Any, path: str, values: tuple[str, ...], scope: Scope, code: str, *, is_open: bool
) -> Iterator[Finding]:
    """Yield a finding if a value is none of those allowed; an open list only recommends."""
    if value is None or not values or is_allowed(value, values):
        return
    listed = ", ".join(map(repr, values[:_MANY])) + (" …" if len(values) > _MANY else "")
    near = next((v for v in values if isinstance(value, str) and v.lower() == value.lower()), None)
    yield scope.finding(
        code,
        path,
        f"The value {_quoted(value)} is none of those {'listed' if is_open else 'allowed'}.",
        f"Write {near!r}: upper and lower case matter." if near else f"Write one of: {listed}.",
        severity="note" if is_open else None,
        found=value,
    )


def is_allowed(value: Any, values: tuple[str, ...]) -> bool:
    """Return whether a value, or each of several, is in an enumeration."""
    if any(_same(value, item) for item in values):
        return True
    if isinstance(value, tuple) and value:
        return all(any(_same(part, item) for item in values) for part in value)
    return False


def _same(value: Any, item: str) -> bool:
    """Return whether a value is what an enumeration's item says: a text, a number or a list."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) == item or value == _listed(item)
    if isinstance(value, str):
        return value == item or (item.endswith("/*") and value.startswith(item[:-1]))
    try:
        return float(value) == float(item)
    except (TypeError, ValueError):
        return str(value).lower() == item.lower()


def _listed(item: str) -> tuple[Any, ...] | None:
    """Return the list that an item like "['.', 'radial_axis']" means."""
    if not item.startswith("["):
        return None
    try:
        return tuple(ast.literal_eval(item))
    except (ValueError, SyntaxError, TypeError):
        return None


def _items(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _quoted(value: Any) -> str:
    text = printable(str(value))
    return repr(text if len(text) < 60 else f"{text[:57]}…")
