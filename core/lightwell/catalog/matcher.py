"""What a query means: the answer of every catalog must be the one given here."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from lightwell.catalog.fields import stored_path
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
from lightwell.catalog.words import document_words, search_words
from lightwell.errors import ParameterError

__all__ = ["matches", "type_class", "values_at"]

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": eq,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def matches(query: Query, document: Mapping[str, Any], *, limited: bool = True) -> bool:
    """Tell whether a catalog document answers a query, `limited` to what people may ask at once.

    >>> from lightwell.catalog.query import where
    >>> document = {"canonical": {"energy": 19260.0}, "entry": {"sample": {"name": ["a", "b"]}}}
    >>> matches((where("energy") > "19 keV") & (where("sample.name") == "b"), document)
    True

    Raises `ParameterError` for a query that is too large.
    """
    if limited:
        check_size(query)
    return _matches(query, document)


def type_class(value: Any) -> str | None:
    """Return "b", "n" or "s" for a boolean, number or text; None for anything else."""
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int | float):
        return "n"
    return "s" if isinstance(value, str) else None


def values_at(document: Mapping[str, Any], keys: tuple[str, ...]) -> list[Any]:
    """Return what the keys lead to: lists are entered on the way, and at the end their elements.

    A list at the end stands beside its elements, so that an empty one is something, too; lists
    in lists are not entered.

    >>> values_at({"process": [{"name": "a"}, {"name": ["b", "c"]}]}, ("process", "name"))
    ['a', ['b', 'c'], 'b', 'c']
    """
    found: list[Any] = [document]
    for key in keys:
        holders: list[Any] = []
        for node in found:
            holders += node if isinstance(node, list | tuple) else [node]
        found = [each[key] for each in holders if isinstance(each, Mapping) and key in each]
    values: list[Any] = []
    for node in found:
        values += [node, *node] if isinstance(node, list | tuple) else [node]
    return values


def _matches(query: Query, document: Mapping[str, Any]) -> bool:
    match query:
        case And(clauses):
            return all(_matches(clause, document) for clause in clauses)
        case Or(clauses):
            return any(_matches(clause, document) for clause in clauses)
        case Not(clause):
            return not _matches(clause, document)
        case Compare(field, "!=", value):
            return not _some(document, field, eq, value)
        case Compare(field, operator, value):
            return _some(document, field, _ORDERS[operator], value)
        case In(field, values):
            return any(_some(document, field, eq, value) for value in values)
        case Exists(field):
            return any(value is not None for value in values_at(document, stored_path(field)))
        case Contains(field, text):
            folded = text.casefold()
            found = values_at(document, stored_path(field))
            return any(isinstance(each, str) and folded in each.casefold() for each in found)
        case Text(words):
            known = document_words(document)
            return all(any(w.startswith(word) for w in known) for word in search_words(words))
        case _:
            raise ParameterError(f"{query!r} is no query")


def _some(
    document: Mapping[str, Any], field: str, order: Callable[[Any, Any], bool], value: Scalar
) -> bool:
    """Tell whether some value of the field is of the type of `value` and stands in that order."""
    kind = type_class(value)
    found = values_at(document, stored_path(field))
    return any(type_class(each) == kind and order(each, value) for each in found)
