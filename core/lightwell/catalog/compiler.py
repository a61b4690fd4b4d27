"""Queries as SQL over the tables of the embedded catalog."""

# ruff: noqa: S608 - only names of our own columns go into the text; values are parameters.

from typing import Any, Final, Literal, NamedTuple, TypeAlias

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
)
from lightwell.catalog.words import search_words
from lightwell.errors import ParameterError

__all__ = [
    "FOLD",
    "Condition",
    "Form",
    "compile_query",
    "found_between",
    "found_by",
    "promoted_column",
]

FOLD: Final = "lightwell_fold"
"""The SQL function that stands for `str.casefold`."""

Form: TypeAlias = Literal["set", "probe"]
"""Whether a condition makes the set of all rows that hold, or looks at one row at a time.

A set is cheap where few rows hold; a probe costs the same for every row, and so is cheap where
few rows are looked at.
"""


class Condition(NamedTuple):
    """A condition on `dataset AS d` that is 1 or 0, never NULL, and its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


def compile_query(query: Query, form: Form = "set") -> Condition:
    """Return the condition that holds for exactly the rows whose documents match.

    >>> from lightwell.catalog.query import where
    >>> compile_query(where("kind") == "raw")
    Condition(sql='(d.kind IS NOT NULL AND d.kind = ?)', parameters=('raw',))

    The query is not checked for its size: that of a user is, where it is asked (`View.question`).
    """
    return _compiled(query, form)


def found_by(query: Query) -> Condition | None:
    """Return a SELECT of the ids of the rows one clause holds for, or None where no index has them.

    >>> from lightwell.catalog.query import where
    >>> found_by(where("energy") > 7000)
    Condition(sql='SELECT doc FROM attr WHERE path = ? AND type = ? AND value > ?', \
parameters=('canonical.energy', 'n', 7000))
    """
    match query:
        case Compare(field, "!=", _):
            return None
        case Compare(field, operator, value):
            return _ids(field, operator, (value,))
        case In(field, values):
            return _ids_of_kinds(field, values)
        case Exists(field):
            return None if promoted_column(field) else _ids_below(field)
        case Text(words):
            return Condition("SELECT rowid FROM words WHERE words MATCH ?", (_asked(words),))
        case _:
            return None


def found_between(lower: Compare, upper: Compare) -> list[Condition]:
    """Return SELECTs of the ids of all rows two bounds of one field can hold for together.

    Where there is a list, each bound may hold for another value of it: those rows are all there.
    """
    kind = type_class(lower.value) or ""
    if promoted_column(lower.field) is not None or kind != type_class(upper.value):
        return []
    keys = stored_path(lower.field)
    bounds = f"value {lower.operator} ? AND value {upper.operator} ?"
    within = Condition(
        f"SELECT doc FROM attr WHERE path = ? AND type = ? AND {bounds}",
        (stored_key(keys), kind, lower.value, upper.value),
    )
    places = tuple(stored_key(keys[: depth + 1]) for depth in range(len(keys)))
    marks = ", ".join("?" * len(places))
    lists = f"SELECT doc FROM attr WHERE path IN ({marks}) AND type = 'p'"
    return [within, Condition(lists, places)]


def promoted_column(field: str) -> str | None:
    """Return the column a field has of its own, or None."""
    keys = stored_path(field)
    return keys[0] if len(keys) == 1 and keys[0] in PROMOTED else None


def _compiled(query: Query, form: Form) -> Condition:
    match query:
        case And(clauses):
            return _joined(" AND ", "1", [_compiled(each, form) for each in clauses])
        case Or(clauses):
            return _joined(" OR ", "0", [_compiled(each, form) for each in clauses])
        case Not(clause):
            return _negated(_compiled(clause, form))
        case Compare(field, "!=", value):
            return _negated(_some(field, "=", (value,), form))
        case Compare(field, operator, value):
            return _some(field, operator, (value,), form)
        case In(field, values):
            parts = [_some(field, "IN", each, form) for each in _by_kind(values)]
            return _joined(" OR ", "0", parts)
        case Exists(field):
            return _exists(field, form)
        case Contains(field, text):
            return _on(field, "s", f"instr({FOLD}({{}}), ?) > 0", (text.casefold(),), form)
        case Text(words):
            return _having_words(words)
        case _:
            raise ParameterError(f"{query!r} is no query")


def _joined(joint: str, empty: str, parts: list[Condition]) -> Condition:
    if not parts:
        return Condition(empty)
    parameters = tuple(value for part in parts for value in part.parameters)
    return Condition(f"({joint.join(part.sql for part in parts)})", parameters)


def _negated(condition: Condition) -> Condition:
    return Condition(f"NOT {condition.sql}", condition.parameters)


def _by_kind(values: tuple[Scalar, ...]) -> list[tuple[Scalar, ...]]:
    """Return a list per class of type: a number is never equal to a text or a boolean."""
    kinds = [tuple(v for v in values if type_class(v) == kind) for kind in ("b", "n", "s")]
    return [members for members in kinds if members]


def _some(field: str, operator: str, values: tuple[Scalar, ...], form: Form) -> Condition:
    """Return the condition that some value of the field stands so to values of one type class."""
    kind, comparison, stored = _compared(operator, values)
    return _on(field, kind, comparison, stored, form)


def _compared(operator: str, values: tuple[Scalar, ...]) -> tuple[str, str, tuple[Any, ...]]:
    """Return the type class, the comparison with `{}` for the value, and what it compares with."""
    kind = type_class(values[0]) or ""
    marks = f"({', '.join('?' * len(values))})" if operator == "IN" else "?"
    stored = tuple(int(value) if kind == "b" else value for value in values)
    return kind, f"{{}} {operator} {marks}", stored


def _on(field: str, kind: str, comparison: str, values: tuple[Any, ...], form: Form) -> Condition:
    """Return a comparison with some value of one type class; `{}` stands for the value."""
    column = promoted_column(field)
    if column is not None:
        if kind != "s":
            return Condition("0")  # promoted fields are texts
        # Without the first half a missing value would make NULL of it, and of its negation.
        return Condition(f"(d.{column} IS NOT NULL AND {comparison.format(f'd.{column}')})", values)
    rest = f"path = ? AND type = ? AND {comparison.format('value')}"
    return _in_attr(rest, (stored_key(stored_path(field)), kind, *values), form)


def _in_attr(rest: str, parameters: tuple[Any, ...], form: Form) -> Condition:
    if form == "set":
        return Condition(f"d.id IN (SELECT doc FROM attr WHERE {rest})", parameters)
    probe = f"EXISTS (SELECT 1 FROM attr INDEXED BY attr_doc WHERE doc = d.id AND {rest})"
    return Condition(probe, parameters)


def _exists(field: str, form: Form) -> Condition:
    column = promoted_column(field)
    if column is not None:
        return Condition(f"(d.{column} IS NOT NULL)")
    itself, members = _present(stored_key(stored_path(field)))
    return _joined(" OR ", "0", [_in_attr(*itself, form), _in_attr(*members, form)])


def _present(path: str) -> tuple[Condition, Condition]:
    # "/" follows "." in ASCII: the range holds the members of a group and nothing else.
    below = Condition("path >= ? AND path < ?", (f"{path}.", f"{path}/"))
    return Condition("path = ?", (path,)), below


def _having_words(words: str) -> Condition:
    # Always a set: to look at one row, the full-text table goes through all rows of the word.
    return Condition("d.id IN (SELECT rowid FROM words WHERE words MATCH ?)", (_asked(words),))


def _asked(words: str) -> str:
    # The words hold letters and digits only, so that quoting them is enough.
    return " AND ".join(f'"{word}"*' for word in search_words(words))


def _ids(field: str, operator: str, values: tuple[Scalar, ...]) -> Condition:
    kind, comparison, stored = _compared(operator, values)
    column = promoted_column(field)
    if column is None:
        rest = f"path = ? AND type = ? AND {comparison.format('value')}"
        parameters = (stored_key(stored_path(field)), kind, *stored)
        return Condition(f"SELECT doc FROM attr WHERE {rest}", parameters)
    if kind != "s":
        return Condition("SELECT id FROM dataset WHERE 0")
    return Condition(f"SELECT id FROM dataset WHERE {comparison.format(column)}", stored)


def _ids_of_kinds(field: str, values: tuple[Scalar, ...]) -> Condition:
    parts = [_ids(field, "IN", each) for each in _by_kind(values)]
    return _united(parts) if parts else Condition("SELECT id FROM dataset WHERE 0")


def _ids_below(field: str) -> Condition:
    parts = _present(stored_key(stored_path(field)))
    return _united([Condition(f"SELECT doc FROM attr WHERE {sql}", with_) for sql, with_ in parts])


def _united(parts: list[Condition]) -> Condition:
    parameters = tuple(value for part in parts for value in part.parameters)
    return Condition(" UNION ALL ".join(part.sql for part in parts), parameters)
