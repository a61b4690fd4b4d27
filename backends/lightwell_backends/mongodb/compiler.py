"""Queries as MongoDB filters over stored documents."""

import re
from typing import Any, Final, TypeAlias

from lightwell.catalog.json_form import OPERATOR_NAMES
from lightwell.catalog.query import (
    And,
    Compare,
    Contains,
    Exists,
    In,
    Not,
    Or,
    Query,
    Text,
)
from lightwell.catalog.words import search_words
from lightwell.errors import ParameterError
from lightwell_backends.mongodb.documents import FOLDS, TERMS, path_of

__all__ = ["Filter", "compile_filter"]

Filter: TypeAlias = dict[str, Any]

_PRESENT: Final = ["double", "int", "long", "string", "bool", "object", "array"]
_NOTHING: Final[Filter] = {"_id": {"$in": []}}


def compile_filter(query: Query) -> Filter:
    """Return the filter that holds for exactly the stored documents that match.

    >>> from lightwell.catalog.query import where
    >>> compile_filter(where("energy") > "30 keV")
    {'canonical.energy': {'$gt': 30000.0}}

    The query is not checked for its size: that of a user is, where it is asked (`View.question`).
    """
    return _compiled(query)


def _compiled(query: Query) -> Filter:
    match query:
        case And(clauses):
            return _joined("$and", clauses) if clauses else {}
        case Or(clauses):
            return _joined("$or", clauses) if clauses else _NOTHING
        case Not(clause):
            return {"$nor": [_compiled(clause)]}
        case Compare(field, "!=", value):
            # The opposite of =, also where the field is missing or a list.
            return {"$nor": [{path_of(field): {"$eq": value}}]}
        case Compare(field, operator, value):
            return {path_of(field): {OPERATOR_NAMES[operator]: value}}
        case In(field, values):
            return {path_of(field): {"$in": list(values)}}
        case Exists(field):
            # The first half uses the index, the second leaves out null.
            return {path_of(field): {"$exists": True, "$type": _PRESENT}}
        case Contains(field, text):
            return _containing(path_of(field), text.casefold())
        case Text(words):
            return {"$and": [{TERMS: {"$regex": f"^{word}"}} for word in search_words(words)]}
        case _:
            raise ParameterError(f"{query!r} is no query")


def _joined(operator: str, clauses: tuple[Query, ...]) -> Filter:
    return {operator: [_compiled(clause) for clause in clauses]}


def _containing(path: str, folded: str) -> Filter:
    """Return the search for a folded text: in texts of ASCII, and in the folded others."""
    pattern = _pattern(folded)
    folds = {FOLDS: {"$elemMatch": {"path": path, "text": {"$regex": pattern}}}}
    if not folded.isascii():
        return folds
    return {"$or": [{path: {"$regex": pattern, "$options": "i"}}, folds]}


def _pattern(text: str) -> str:
    """Return a pattern for a text as it is; a zero character would end it."""
    return re.escape(text).replace("\0", "\\x00")
