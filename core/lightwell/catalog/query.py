"""Questions to the catalog: a closed, typed tree, and `where("…")` to write it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, TypeAlias, get_args

from lightwell.catalog.fields import is_time, stored_path, unit_of
from lightwell.catalog.quantities import quantity_in
from lightwell.catalog.words import search_words
from lightwell.datasets import moment_text
from lightwell.errors import ParameterError

__all__ = [
    "EVERY",
    "And",
    "Compare",
    "Contains",
    "Exists",
    "Field",
    "In",
    "Not",
    "Operator",
    "Or",
    "Query",
    "Scalar",
    "Text",
    "check_size",
    "fields_of",
    "is_every",
    "where",
]

Scalar: TypeAlias = str | int | float | bool
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

_OPERATORS: Final = get_args(Operator)
_LARGEST_DEPTH: Final = 20
_MOST_CLAUSES: Final = 200
_MOST_VALUES: Final = 1000
_LONGEST_TEXT: Final = 1000
_INT64: Final = 1 << 63


class Query:
    """A question; join several by `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: "Query") -> "Query":
        return And((*_members(self, And), *_members(other, And)))

    def __or__(self, other: "Query") -> "Query":
        return Or((*_members(self, Or), *_members(other, Or)))

    def __invert__(self) -> "Query":
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise ParameterError(
            "a query is a question, it is neither true nor false",
            remedy="Join queries by & | ~ with brackets around each, not by and, or, not, and "
            "write a range as (where(x) > 1) & (where(x) < 2)",
        )


@dataclass(frozen=True, slots=True)
class And(Query):
    """All clauses hold; without any, everything matches."""

    clauses: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Or(Query):
    """At least one clause holds; without any, nothing matches."""

    clauses: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Not(Query):
    """The clause does not hold."""

    clause: Query


@dataclass(frozen=True, slots=True)
class Compare(Query):
    """Some value of the field compares so with `value`; numbers, texts, booleans never mix.

    `!=` is the opposite of `=`: no value of the field is equal, also where there is none.
    Raises `ParameterError` or `UnitError`.
    """

    field: str
    operator: Operator
    value: Scalar

    def __post_init__(self) -> None:
        if self.operator not in _OPERATORS:
            raise ParameterError(
                f"{self.operator!r} is no comparison", remedy=f"Use one of {' '.join(_OPERATORS)}"
            )
        value = _comparable(self.field, self.value)
        if isinstance(value, bool) and self.operator not in ("=", "!="):
            raise ParameterError(
                f"true and false have no order, so {self.field} {self.operator} "
                f"{str(value).lower()} means nothing",
                remedy="Use = or !=",
            )
        object.__setattr__(self, "value", value)


@dataclass(frozen=True, slots=True)
class In(Query):
    """Some value of the field is equal to one of `values`."""

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        values = tuple(_comparable(self.field, value) for value in self.values)
        object.__setattr__(self, "values", values)
        stored_path(self.field)


@dataclass(frozen=True, slots=True)
class Contains(Query):
    """Some text of the field holds `text`, in whatever case."""

    field: str
    text: str

    def __post_init__(self) -> None:
        stored_path(self.field)
        if not isinstance(self.text, str) or not self.text or len(self.text) > _LONGEST_TEXT:
            raise ParameterError(
                f"{self.field} contains needs a text of 1 to {_LONGEST_TEXT} characters"
            )
        _encodable(self.text)


@dataclass(frozen=True, slots=True)
class Exists(Query):
    """The field is there and is not null."""

    field: str

    def __post_init__(self) -> None:
        stored_path(self.field)


@dataclass(frozen=True, slots=True)
class Text(Query):
    """Each of the words begins a word of the document or of its file's name."""

    words: str

    def __post_init__(self) -> None:
        if not isinstance(self.words, str) or len(self.words) > _LONGEST_TEXT:
            raise ParameterError(f"words to search are a text of up to {_LONGEST_TEXT} characters")
        if not search_words(self.words):
            raise ParameterError(
                f"there is no word in {self.words!r}", remedy="Give letters or digits to look for"
            )


EVERY: Final[Query] = And()


class Field:
    """A field to compare; made by `where`."""

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        stored_path(name)
        self.name = name

    def __eq__(self, value: object) -> Query:  # type: ignore[override]
        return Compare(self.name, "=", value)  # type: ignore[arg-type]

    def __ne__(self, value: object) -> Query:  # type: ignore[override]
        return Compare(self.name, "!=", value)  # type: ignore[arg-type]

    def __lt__(self, value: Scalar) -> Query:
        return Compare(self.name, "<", value)

    def __le__(self, value: Scalar) -> Query:
        return Compare(self.name, "<=", value)

    def __gt__(self, value: Scalar) -> Query:
        return Compare(self.name, ">", value)

    def __ge__(self, value: Scalar) -> Query:
        return Compare(self.name, ">=", value)

    def __bool__(self) -> NoReturn:
        raise ParameterError(
            f"where({self.name!r}) alone asks nothing",
            remedy=f"Write where({self.name!r}).exists(), or compare it",
        )

    def contains(self, text: str) -> Query:
        """Ask for a text somewhere in the field, in whatever case."""
        return Contains(self.name, text)

    def one_of(self, *values: Scalar) -> Query:
        """Ask for equality with one of several values."""
        return In(self.name, values)

    def exists(self) -> Query:
        """Ask for the field to be there."""
        return Exists(self.name)


def where(field: str) -> Field:
    """Begin a question about a field, e.g. `energy`, `sample.name`, `original.KEY`.

    >>> where("energy") > "30 keV"
    Compare(field='energy', operator='>', value=30000.0)
    >>> where("sample.name").contains("chilarch") & ~(where("kind") == "derived")
    And(clauses=(Contains(field='sample.name', text='chilarch'), \
Not(clause=Compare(field='kind', operator='=', value='derived'))))

    Raises `ParameterError` for a name that cannot be one.
    """
    return Field(field)


def check_size(query: Query) -> None:
    """Raise `ParameterError` if a query is nested too deep, too long, or no query at all."""
    clauses = 0
    waiting = [(query, 1)]
    while waiting:
        node, depth = waiting.pop()
        clauses += 1
        if not isinstance(node, Query):
            raise ParameterError(f"{node!r} is no query", remedy="Write where('field') == value")
        if depth > _LARGEST_DEPTH or clauses > _MOST_CLAUSES:
            raise ParameterError(
                f"the query has more than {_MOST_CLAUSES} clauses or {_LARGEST_DEPTH} levels",
                remedy="Ask several smaller questions",
            )
        if isinstance(node, In) and len(node.values) > _MOST_VALUES:
            raise ParameterError(f"{node.field} is compared with more than {_MOST_VALUES} values")
        waiting += [(child, depth + 1) for child in _children(node)]


def is_every(query: Query) -> bool:
    """Tell whether a query asks nothing, however deep that is wrapped."""
    return isinstance(query, And) and all(map(is_every, query.clauses))


def fields_of(query: Query) -> Iterator[str]:
    """Yield the fields a query asks for.

    >>> list(fields_of((where("kind") == "raw") & where("energy").exists()))
    ['kind', 'energy']
    """
    if isinstance(query, Compare | In | Contains | Exists):
        yield query.field
    for child in _children(query):
        yield from fields_of(child)


def _children(query: Query) -> Iterator[Query]:
    if isinstance(query, And | Or):
        yield from query.clauses
    elif isinstance(query, Not):
        yield query.clause


def _members(query: Query, kind: type[And] | type[Or]) -> tuple[Query, ...]:
    """Return the clauses of a query of the same kind, so that chains stay flat."""
    if isinstance(query, kind) and query.clauses:
        return query.clauses
    return (query,)


def _comparable(field: str, value: Scalar) -> Scalar:
    """Return a value as the documents keep it: in their unit, finite, of a type they have."""
    stored_path(field)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ParameterError(
                f"{field} cannot be compared with {value}", remedy="Give a finite number"
            )
        return value
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ParameterError(f"a text longer than {_LONGEST_TEXT} is compared with {field}")
        unit = unit_of(field)
        if unit is not None:
            return quantity_in(value, unit, field)
        return moment_text(value) if is_time(field) else _encodable(value)
    raise ParameterError(
        f"{field} cannot be compared with {value!r}",
        remedy=f"Give a text, a number, True or False, or ask where({field!r}).exists()",
    )


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParameterError(f"{text!r} holds half a character", remedy="Correct it") from error
    return text
