"""Queries as SQL over the tables of the embedded catalog."""

# ruff: noqa: S608 - only names of our own columns go into the text; values are parameters.

from typing import Any, Final, NamedTuple

from lightwell.catalog.fields import PROMOTED, stored_key, stored_path
from lightwell.catalog.matcher import type_class
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
from lightwell.catalog.words import search_words
from lightwell.errors import ParameterError

__all__ = ["FOLD", "Condition", "compile_query", "promoted_column"]

FOLD: Final = "lightwell_fold"
"""The SQL function that stands for `str.casefold`."""


class Condition(NamedTuple):
    """A condition on `dataset AS d` that is 1 or 0, never NULL, and its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


def compile_query(query: Query) -> Condition:
    """Return the condition that holds for exactly the rows whose documents match.

    >>> from lightwell.catalog.query import where
    >>> compile_query(where("kind") == "raw")
    Condition(sql='(d.kind IS NOT NULL AND d.kind = ?)', parameters=('raw',))

    Raises `ParameterError` for a query that is too large.
    """
    check_size(query)
    return _compiled(query)


def promoted_column(field: str) -> str | None:
    """Return the column a field has of its own, or None."""
    keys = stored_path(field)
    return keys[0] if len(keys) == 1 and keys[0] in PROMOTED else None


def _compiled(query: Query) -> Condition:
    match query:
        case And(clauses):
            return _joined(" AND ", "1", clauses)
        case Or(clauses):
            return _joined(" OR ", "0", clauses)
        case Not(clause):
            return _negated(_compiled(clause))
        case Compare(field, "!=", value):
            return _negated(_some(field, "=", (value,)))
        case Compare(field, operator, value):
            return _some(field, operator, (value,))
        case In(field, values):
            return _in(field, values)
        case Exists(field):
            return _exists(field)
        case Contains(field, text):
            return _on(field, "s", f"instr({FOLD}({{}}), ?) > 0", (text.casefold(),))
        case Text(words):
            # The words hold letters and digits only, so that quoting them is enough.
            asked = " AND ".join(f'"{word}"*' for word in search_words(words))
            return Condition("d.id IN (SELECT rowid FROM words WHERE words MATCH ?)", (asked,))
        case _:
            raise ParameterError(f"{query!r} is no query")


def _joined(joint: str, empty: str, clauses: tuple[Query, ...]) -> Condition:
    parts = [_compiled(clause) for clause in clauses]
    if not parts:
        return Condition(empty)
    parameters = tuple(value for part in parts for value in part.parameters)
    return Condition(f"({joint.join(part.sql for part in parts)})", parameters)


def _negated(condition: Condition) -> Condition:
    return Condition(f"NOT {condition.sql}", condition.parameters)


def _in(field: str, values: tuple[Scalar, ...]) -> Condition:
    """Join one list per class of type: a number is never equal to a text or a boolean."""
    parts = []
    for kind in ("b", "n", "s"):
        members = tuple(value for value in values if type_class(value) == kind)
        if members:
            parts.append(_some(field, "IN", members))
    if not parts:
        return Condition("0")
    parameters = tuple(value for part in parts for value in part.parameters)
    return Condition(f"({' OR '.join(part.sql for part in parts)})", parameters)


def _some(field: str, operator: str, values: tuple[Scalar, ...]) -> Condition:
    """Return the condition that some value of the field stands so to values of one type class."""
    kind = type_class(values[0]) or ""
    marks = f"({', '.join('?' * len(values))})" if operator == "IN" else "?"
    stored = tuple(int(value) if kind == "b" else value for value in values)
    return _on(field, kind, f"{{}} {operator} {marks}", stored)


def _on(field: str, kind: str, comparison: str, values: tuple[Any, ...]) -> Condition:
    """Return a comparison with some value of one type class; `{}` stands for the value."""
    column = promoted_column(field)
    if column is not None:
        if kind != "s":
            return Condition("0")  # promoted fields are texts
        # Without the first half a missing value would make NULL of it, and of its negation.
        return Condition(f"(d.{column} IS NOT NULL AND {comparison.format(f'd.{column}')})", values)
    return Condition(
        "d.id IN (SELECT doc FROM attr WHERE path = ? AND type = ? "
        f"AND {comparison.format('value')})",
        (stored_key(stored_path(field)), kind, *values),
    )


def _exists(field: str) -> Condition:
    column = promoted_column(field)
    if column is not None:
        return Condition(f"(d.{column} IS NOT NULL)")
    path = stored_key(stored_path(field))
    # "/" follows "." in ASCII: the range holds the members of a group and nothing else.
    return Condition(
        "(d.id IN (SELECT doc FROM attr WHERE path = ?) "
        "OR d.id IN (SELECT doc FROM attr WHERE path > ? AND path < ?))",
        (path, f"{path}.", f"{path}/"),
    )
