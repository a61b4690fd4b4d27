"""Eleven faults planted in the compilers, one at a time: random questions find every one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mongod_server import Mongod

from lightwell.catalog import SqliteCatalog, compiler, matches, planner
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.compiler import Condition
from lightwell.catalog.query import Query
from lightwell.testing.catalog_queries import random_queries
from lightwell.testing.catalogs import differing, filled, odd_rows
from lightwell_backends.mongodb import MongoCatalog
from lightwell_backends.mongodb import compiler as mongo_compiler

Plant = Callable[[pytest.MonkeyPatch], None]
QUESTIONS = 1500


def _replacing(module: Any, name: str, change: Callable[[Any], Any]) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, change(getattr(module, name)))

    return plant


def _true_is_one(real: Any) -> Any:
    return lambda value: "n" if isinstance(value, bool) else real(value)


def _some_negation_only(real: Any) -> Any:
    """A value that differs is enough, as in SQL of the obvious kind."""

    def compiled(query: Query, form: Any) -> Condition:
        from lightwell.catalog.query import Compare

        if isinstance(query, Compare) and query.operator == "!=":
            return compiler._some(query.field, "<>", (query.value,), form)
        return real(query, form)  # type: ignore[no-any-return]

    return compiled


def _only_groups(real: Any) -> Any:
    return lambda path: (
        real(path)[0],
        Condition("path > ? AND path < ?", (f"{path}0", f"{path}1")),
    )


def _ascii_case(real: Any) -> Any:
    def on(field: str, kind: str, comparison: str, values: Any, form: Any) -> Condition:
        plain = comparison.replace(compiler.FOLD, "lower")
        return real(field, kind, plain, values, form)  # type: ignore[no-any-return]

    return on


def _any_word(real: Any) -> Any:
    return lambda words: real(words).replace(" AND ", " OR ")


def _first_set_only(real: Any) -> Any:
    """Drives an OR by its first clause alone."""

    def sets(query: Query) -> Iterator[list[Condition]]:
        for each in real(query):
            yield each[:1]

    return sets


def _null_exists(real: Any) -> Any:
    def compiled(query: Query) -> dict[str, Any]:
        found: dict[str, Any] = real(query)
        return {
            key: {"$exists": True} if isinstance(value, dict) and "$exists" in value else value
            for key, value in found.items()
        }

    return compiled


def _folds_forgotten(real: Any) -> Any:
    def containing(path: str, folded: str) -> dict[str, Any]:
        return {path: {"$regex": mongo_compiler._pattern(folded), "$options": "i"}}

    return containing


def _raw_pattern(real: Any) -> Any:
    return lambda text: text.replace("\0", "\\x00").replace("(", "\\(")


def _unescaped_path(real: Any) -> Any:
    from lightwell.catalog.fields import stored_key, stored_path

    return lambda field: stored_key(stored_path(field))


def _negated_leaves(real: Any) -> Any:
    """NOT of an AND becomes an AND of NOTs."""

    def compiled(query: Query) -> dict[str, Any]:
        from lightwell.catalog.query import And, Not

        if isinstance(query, Not) and isinstance(query.clause, And) and query.clause.clauses:
            return {"$nor": [compiled(clause) for clause in query.clause.clauses]}
        return real(query)  # type: ignore[no-any-return]

    return compiled


FAULTS: dict[str, tuple[str, Plant]] = {
    "true is 1": ("sqlite", _replacing(compiler, "type_class", _true_is_one)),
    "some value differs": ("sqlite", _replacing(compiler, "_compiled", _some_negation_only)),
    "members of a group forgotten": ("sqlite", _replacing(compiler, "_present", _only_groups)),
    "case of ASCII alone": ("sqlite", _replacing(compiler, "_on", _ascii_case)),
    "any word will do": ("sqlite", _replacing(compiler, "_asked", _any_word)),
    "half of an OR": ("sqlite", _replacing(planner, "_sets", _first_set_only)),
    "null is there": ("mongodb", _replacing(mongo_compiler, "_compiled", _null_exists)),
    "the server's case": ("mongodb", _replacing(mongo_compiler, "_containing", _folds_forgotten)),
    "dots match all": ("mongodb", _replacing(mongo_compiler, "_pattern", _raw_pattern)),
    "numbers are places": ("mongodb", _replacing(mongo_compiler, "path_of", _unescaped_path)),
    "NOT handed down": ("mongodb", _replacing(mongo_compiler, "_compiled", _negated_leaves)),
}


@pytest.fixture(scope="module")
def stores(
    mongod: Mongod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, DocumentCatalog], list[dict[str, Any]]]]:
    opened: dict[str, DocumentCatalog] = {
        "sqlite": SqliteCatalog(tmp_path_factory.mktemp("faults") / "catalog.sqlite"),
        "mongodb": MongoCatalog(mongod.url("faults")),
    }
    rows = odd_rows(60, attributes=40)
    [documents, *_] = [filled(catalog, rows) for catalog in opened.values()]
    yield opened, documents
    for catalog in opened.values():
        catalog.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(
    fault: str,
    stores: tuple[dict[str, DocumentCatalog], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened, documents = stores
    name, plant = FAULTS[fault]
    plant(monkeypatch)
    for query in random_queries(documents, QUESTIONS, seed=4):
        wanted = [each for each in documents if matches(query, each)]
        shown = sum(not each.get("retired") for each in wanted)
        if differing(opened[name], query, {each["pid"] for each in wanted}, shown=shown):
            return
    pytest.fail(f"{QUESTIONS} questions, and none finds: {fault}")
