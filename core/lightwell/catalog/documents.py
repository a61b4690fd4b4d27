"""Catalog documents as they are stored, and the rows they are indexed by."""

import json
import math
from collections.abc import Iterator, Mapping
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
    kept = {key: _storable(value, (key,)) for key, value in document.items()}
    for name in PROMOTED:
        if not isinstance(kept.get(name, ""), str):
            raise ParameterError(f"the field {name} of a catalog document is a text")
    return kept


def _storable(value: Any, keys: tuple[str, ...]) -> Any:
    if len(keys) > _DEEPEST:
        raise _refused("is nested too deep", keys)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, keys)
    if isinstance(value, int):
        value = value if -_INT64 <= value < _INT64 else _float(value, keys)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _refused(f"is {value}, which JSON does not have", keys)
        return float(value)
    if isinstance(value, Mapping):
        return {
            _text(key, (*keys, str(key))): _storable(child, (*keys, str(key)))
            for key, child in value.items()
        }
    if isinstance(value, list | tuple):
        return [_storable(child, (*keys, str(place))) for place, child in enumerate(value)]
    raise _refused(f"is of the type {type(value).__name__}", keys)


def _text(value: Any, keys: tuple[str, ...]) -> str:
    try:
        value.encode()
    except (UnicodeEncodeError, AttributeError) as error:
        raise _refused("is no text that can be written", keys) from error
    return str(value)


def _float(value: int, keys: tuple[str, ...]) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _refused("is a number too large to store", keys) from None


def _refused(what: str, keys: tuple[str, ...]) -> ParameterError:
    place = ".".join(keys).encode("utf-8", "replace").decode()
    return ParameterError(
        f"a value of the document {what}", where=place, remedy="The importer must leave it out"
    )


def attributes(document: Mapping[str, Any]) -> set[Attribute]:
    """Return the rows a document is found by, except those of the promoted fields.

    >>> sorted(attributes({"entry": {"n": [1, True], "x": None}}))
    [('entry.n', 'b', 1), ('entry.n', 'n', 1), ('entry.n', 'p', 0)]

    A group has a row of its own only where no member has one: what is in it shows that it is
    there, and saves a quarter of the rows.
    """
    return {
        row
        for key, value in document.items()
        if key not in PROMOTED
        for row in _rows(value, escape_key(key))
    }


def _rows(value: Any, path: str) -> Iterator[Attribute]:
    if isinstance(value, Mapping):
        empty = True
        for key, child in value.items():
            for row in _rows(child, f"{path}.{escape_key(key)}"):
                empty = False
                yield row
        if empty:
            yield path, PRESENT, 0
    elif isinstance(value, list):
        yield path, PRESENT, 0
        for child in value:
            if not isinstance(child, list):  # as in MongoDB, a list in a list is not entered
                yield from _rows(child, path)
    elif (kind := type_class(value)) is not None:
        yield path, kind, int(value) if kind == "b" else value


def to_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON with its keys in their order, which says which input came first."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
