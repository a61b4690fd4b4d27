"""Questions as JSON: a closed subset of MongoDB's filters, version 1."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lightwell.catalog.query import (
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Operator,
    Or,
    Query,
    Text,
    check_size,
)
from lightwell.errors import ParameterError
from lightwell.words import nearest

__all__ = ["JSON_VERSION", "OPERATOR_NAMES", "from_json", "to_json"]

JSON_VERSION: Final = 1
"""The version of the subset; a later one only adds."""

_DEEPEST: Final = 40  # each level of a query is at most two levels of JSON
OPERATOR_NAMES: Final[Mapping[Operator, str]] = {
    "=": "$eq",
    "!=": "$ne",
    "<": "$lt",
    "<=": "$lte",
    ">": "$gt",
    ">=": "$gte",
}
"""MongoDB's names of the comparisons."""

_COMPARISONS: Final[Mapping[str, Operator]] = {name: each for each, name in OPERATOR_NAMES.items()}
_GROUPS: Final = ("$and", "$or", "$nor")
_CLAUSES: Final = (*_COMPARISONS, "$in", "$exists", "$regex")


def to_json(query: Query) -> dict[str, Any]:
    """Return a query as JSON values that `from_json` reads back.

    >>> from lightwell.catalog.query import where
    >>> to_json((where("energy") > "30 keV") & where("sample.name").contains("ab"))
    {'$and': [{'energy': {'$gt': 30000.0}}, {'sample.name': {'$regex': 'ab', '$options': 'i'}}]}
    """
    match query:
        case And(clauses):
            return {"$and": [to_json(clause) for clause in clauses]} if clauses else {}
        case Or(clauses):
            return {"$or": [to_json(clause) for clause in clauses]} if clauses else {"$nor": [{}]}
        case Not(clause):
            return {"$nor": [to_json(clause)]}
        case Text(words):
            return {"$text": {"$search": words}}
        case Compare() | In() | Contains() | Exists():
            return {query.field: _operators(query)}
        case _:
            raise ParameterError(f"{query!r} is no query")


def _operators(query: Compare | In | Contains | Exists) -> dict[str, Any]:
    match query:
        case Compare(_, operator, value):
            return {OPERATOR_NAMES[operator]: value}
        case In(_, values):
            return {"$in": list(values)}
        case Contains(_, text):
            return {"$regex": re.escape(text), "$options": "i"}
        case Exists():
            return {"$exists": True}


def from_json(document: Mapping[str, Any], *, limited: bool = True) -> Query:
    """Return the query that JSON values stand for; `limited` to what people may ask at once.

    >>> from_json({"energy": {"$gte": "30 keV"}, "kind": "raw"})
    And(clauses=(Compare(field='energy', operator='>=', value=30000.0), \
Compare(field='kind', operator='=', value='raw')))

    Raises `ParameterError` for an operator that is not part of the language, saying the nearest.
    """
    query = _read(document, 0)
    if limited:
        check_size(query)
    return query


def _read(document: Any, depth: int) -> Query:
    if not isinstance(document, Mapping):
        raise ParameterError(f"{document!r} is no filter", remedy='Write e.g. {"kind": "raw"}')
    if depth > _DEEPEST:
        raise ParameterError("the filter is nested too deep", remedy="Ask several questions")
    clauses = tuple(_member(key, value, depth) for key, value in document.items())
    return clauses[0] if len(clauses) == 1 else And(clauses)


def _member(key: str, value: Any, depth: int) -> Query:
    if key == "$text":
        words = value.get("$search") if isinstance(value, Mapping) and len(value) == 1 else None
        if not isinstance(words, str):
            raise ParameterError("$text is not understood", remedy='Write {"$search": "words"}')
        return Text(words)
    if key.startswith("$"):
        return _group(key, value, depth)
    if not isinstance(value, Mapping):
        return Compare(key, "=", value)
    return _field(key, value)


def _group(key: str, value: Any, depth: int) -> Query:
    if key not in _GROUPS:
        known = nearest(key, (*_GROUPS, "$text"))
        raise ParameterError(f"{key} is not part of the query language", remedy=known)
    if not isinstance(value, list) or not value:
        raise ParameterError(f"{key} needs a list of filters, at least one")
    clauses = tuple(_read(each, depth + 1) for each in value)
    if key == "$and":
        return And(clauses)
    return Or(clauses) if key == "$or" else Not(clauses[0] if len(clauses) == 1 else Or(clauses))


def _field(field: str, operators: Mapping[str, Any]) -> Query:
    """Return the query for `{field: {operator: value, …}}`."""
    names = [name for name in operators if name != "$options"]
    for name in names:
        if name not in _CLAUSES:
            known = nearest(name, _CLAUSES)
            raise ParameterError(
                f"{name} is not part of the query language", where=field, remedy=known
            )
    if not names or ("$options" in operators and "$regex" not in operators):
        raise ParameterError(f"{field} is compared with nothing", remedy='Write {"$eq": value}')
    readers: Mapping[str, Callable[[str, Any], Query]] = {
        "$in": _in,
        "$exists": _exists,
        "$regex": lambda field, text: _contains(field, text, operators.get("$options")),
    }
    clauses = tuple(
        readers[name](field, operators[name])
        if name in readers
        else Compare(field, _COMPARISONS[name], operators[name])
        for name in names
    )
    return clauses[0] if len(clauses) == 1 else And(clauses)


def _in(field: str, values: Any) -> Query:
    if not isinstance(values, list):
        raise ParameterError(f"{field}: $in needs a list")
    return In(field, tuple(values))


def _exists(field: str, wanted: Any) -> Query:
    if not isinstance(wanted, bool):
        raise ParameterError(f"{field}: $exists is true or false")
    return Exists(field) if wanted else Not(Exists(field))


def _contains(field: str, pattern: Any, options: Any) -> Query:
    """Return the search for a plain text; a pattern with any other meaning is refused."""
    if isinstance(pattern, str) and options == "i":
        text = re.sub(r"\\(\W)", r"\1", pattern, flags=re.DOTALL)
        if re.escape(text) == pattern:
            return Contains(field, text)
    raise ParameterError(
        f"{field}: $regex is only understood for a plain text in whatever case",
        remedy='Escape what has a meaning in patterns, and add "$options": "i"',
    )
