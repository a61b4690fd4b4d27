"""Catalog documents as they are stored, and the rows they are indexed by."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from lightwell.catalog.fields import PROMOTED, escape_key
from lightwell.catalog.matcher import type_class
from lightwell.errors import ParameterError

__all__ = ["PRESENT", "Attribute", "attributes", "storable", "to_text"]

Attribute: TypeAlias = tuple[str, str, str | int | float]
"""The path of keys as text, the class of the type, and the value as SQL keeps it."""

PRESENT: Final = "p"
"""The type class of a list or group: it is there, and no comparison is true of it."""

_DEEPEST: Final = 40
_INT64: Final = 1 << 63


def storable(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of JSON values that every store keeps and compares alike.

    Whole numbers beyond 64 bits become floating ones. Raises `ParameterError` naming the place
    for NaN, infinity, half a character, another type, or nesting beyond 40 levels.
    """
    try:
        kept: dict[str, Any] = _group(document, 1)
    except _Refused as refused:
        raise ParameterError(
            f"a value of the document {refused.what}",
            where=".".join(refused.keys).encode("utf-8", "replace").decode(),
            remedy="The importer must leave it out",
        ) from None
    for name in PROMOTED:
        if not isinstance(kept.get(name, ""), str):
            raise ParameterError(f"the field {name} of a catalog document is a text")
    return kept


class _Refused(Exception):
    """A value that is not stored, with the keys that lead to it from where it has come up."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.keys: list[str] = []


def _storable(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _Refused("is nested too deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Refused(f"is {value}, which JSON does not have")
        return float(value)
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else _float(value)
    if isinstance(value, list | tuple):
        return _list(value, depth + 1)
    # Last: asking for an abstract class is slow.
    if isinstance(value, Mapping):
        return _group(value, depth + 1)
    raise _Refused(f"is of the type {type(value).__name__}")


def _group(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    kept, key = {}, ""
    try:
        for key, child in value.items():
            kept[_text(key)] = _storable(child, depth)
    except _Refused as refused:
        refused.keys.insert(0, str(key))
        raise
    return kept


def _list(value: Sequence[Any], depth: int) -> list[Any]:
    kept, place = [], 0
    try:
        for place, child in enumerate(value):  # noqa: B007 - says where it stopped
            kept.append(_storable(child, depth))
    except _Refused as refused:
        refused.keys.insert(0, str(place))
        raise
    return kept


def _text(value: Any) -> str:
    try:
        if not value.isascii():
            value.encode()
    except (UnicodeEncodeError, AttributeError) as error:
        raise _Refused("is no text that can be written") from error
    return str(value)


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _Refused("is a number too large to store") from None


def attributes(document: Mapping[str, Any]) -> set[Attribute]:
    """Return the rows a document is found by, except those of the promoted fields.

    >>> sorted(attributes({"entry": {"n": [1, True], "x": None}}))
    [('entry.n', 'b', 1), ('entry.n', 'n', 1), ('entry.n', 'p', 0)]

    A group has a row of its own only where no member has one: what is in it shows that it is
    there, and saves a quarter of the rows.
    """
    found: set[Attribute] = set()
    for key, value in document.items():
        if key not in PROMOTED:
            _add_rows(found, value, escape_key(key))
    return found


def _add_rows(found: set[Attribute], value: Any, path: str) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            _add_rows(found, child, f"{path}.{escape_key(key)}")
        if all(child is None for child in value.values()):
            found.add((path, PRESENT, 0))
    elif isinstance(value, list):
        found.add((path, PRESENT, 0))
        for child in value:
            if not isinstance(child, list):  # as in MongoDB, a list in a list is not entered
                _add_rows(found, child, path)
    elif (kind := type_class(value)) is not None:
        found.add((path, kind, int(value) if kind == "b" else value))


def to_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON with its keys in their order, which says which input came first."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
