"""Questions that tell documents apart, made up from what the documents say."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lightwell.catalog.fields import PROMOTED, unit_of
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
from lightwell.catalog.words import document_words, search_words
from lightwell.errors import LightwellError

__all__ = ["random_queries"]

_ORDERS: Final = ("<", "<=", ">", ">=")
_SCALARS: Final = (
    *(0, 1, 1.0, 0.5, -0.0, 2**53, 2**53 + 1, 1e-300, True, False, "", "a", "1", "true", "mia"),
    *("Ärger", "straße", "STRASSE", "x\0y", "$d", "a.b", "%_", "null", "p1", "raw"),
)
_PARTS: Final = ("a", "A", "ss", "ß", "1", "%", "_", "\0", "É", "chae", "i̇", "/", ".", "(", "fi")
_BEGINNINGS: Final = ("chil", "Chilarchaea quellon", "0042", "scan 2013", "str", "2013", "bo 2")
_SHARED: Final = (
    *("kind", "owner", "definition", "importer", "derived_from", "flags", "energy", "temperature"),
    *("sample", "beamline", "technique", "entry.a", "entry.b", "a.b", "entry.0", "b.0", "entry.$d"),
    *("entry.x\\.y", "entry.100%", "entry.ä", "original.x.y", "original.$d", "original.0"),
    *("entry", "canonical.nothing", "entry.a\\.0", "original.scan_number", "sample.name"),
)


def random_queries(
    documents: Sequence[Mapping[str, Any]], count: int, *, seed: int = 0
) -> Iterator[Query]:
    """Yield questions about documents, of one to four clauses, the same for one seed."""
    chance = random.Random(seed)  # noqa: S311 - cases, not keys
    while count:
        try:
            yield _query(chance, documents)
        except LightwellError:
            continue  # what no one may ask, e.g. an energy compared with a text
        count -= 1


def _query(chance: random.Random, documents: Sequence[Mapping[str, Any]], depth: int = 0) -> Query:
    kind = chance.random()
    if depth > 2 or kind < 0.6:
        return _clause(chance, documents)
    if kind < 0.66:
        return Not(_query(chance, documents, depth + 1))
    clauses = tuple(_query(chance, documents, depth + 1) for _ in range(chance.randrange(2, 4)))
    return And(clauses) if kind < 0.8 else Or(clauses)


def _clause(chance: random.Random, documents: Sequence[Mapping[str, Any]]) -> Query:
    document = chance.choice(documents)
    field, value = chance.choice(list(_leaves(document)))
    if chance.random() < 0.15:
        field, value = chance.choice(_SHARED), chance.choice(_SCALARS)
    if chance.random() < 0.06:
        value = chance.choice(_SCALARS)
    kind = chance.random()
    if kind < 0.08:
        return Exists(chance.choice((field, field.rpartition(".")[0] or field)))
    if kind < 0.18:
        return Text(_beginning(chance, document))
    if isinstance(value, str) and kind < 0.5:
        return Contains(field, _part(chance, value))
    if kind < 0.6 and not unit_of(field):
        return In(field, tuple(_some(chance, documents, field, value)))
    return _compare(chance, field, value)


def _compare(chance: random.Random, field: str, value: Scalar) -> Query:
    often_same = isinstance(value, bool) or (isinstance(value, str) and field in PROMOTED)
    if often_same or chance.random() < 0.15:
        return Compare(field, chance.choice(("=", "=", "!=")), value)
    return Compare(field, chance.choice(_ORDERS), value)


def _some(
    chance: random.Random, documents: Sequence[Mapping[str, Any]], field: str, value: Scalar
) -> Iterator[Scalar]:
    yield value
    for document in chance.sample(list(documents), min(4, len(documents))):
        yield from (other for name, other in _leaves(document) if name == field)
    yield chance.choice(_SCALARS)


def _beginning(chance: random.Random, document: Mapping[str, Any]) -> str:
    if chance.random() < 0.3:
        return chance.choice(_BEGINNINGS)
    known = sorted(document_words(document))
    words = [chance.choice(known)[: chance.randrange(1, 4)] for _ in range(chance.randrange(1, 3))]
    joined = " ".join(words)
    return joined if search_words(joined) else "2013"


def _part(chance: random.Random, text: str) -> str:
    if not text or chance.random() < 0.2:
        return chance.choice(_PARTS)
    start = chance.randrange(len(text))
    part = text[start : start + chance.randrange(1, 4)]
    return chance.choice((part, part.upper(), part.casefold()))


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[str, Scalar]]:
    """Yield the fields of a document that have a name, with a value each."""
    for key, value in document.items():
        if key not in ("canonical", "entry"):
            yield from _below(key, value)
    for key, value in document["canonical"].items():
        yield from _below(f"canonical.{_escaped(key)}", value)
    for key, value in document["entry"].items():
        if key == "original":
            for name, each in value.items():
                if name:
                    yield from _below(f"original.{name}", each.get("value"))
        elif key:
            yield from _below(f"entry.{_escaped(key)}", value)


def _below(field: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, bool | int | float | str):
        yield field, value
    elif isinstance(value, Mapping) and not field.startswith("original."):
        for key, child in value.items():
            if key:
                yield from _below(f"{field}.{_escaped(key)}", child)
    elif isinstance(value, list):
        for child in value:
            if not isinstance(child, list):
                yield from _below(field, child)


def _escaped(key: str) -> str:
    return key.replace(".", "\\.")
