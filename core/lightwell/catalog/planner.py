"""Which index answers a query in the embedded catalog: the one that leads to the fewest rows."""

# ruff: noqa: S608 - only compiled conditions and names of our own; values are parameters.

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from lightwell.catalog.compiler import (
    Condition,
    compile_query,
    found_between,
    found_by,
    promoted_column,
)
from lightwell.catalog.query import And, Compare, Or, Query

__all__ = ["ORDERED", "Plan", "plan_count", "plan_facet", "plan_find"]

ORDERED: Final = ("kind", "definition", "owner", "proposal")
"""The columns with an index that holds the newest of each value first."""

_FEW: Final = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to look at as FROM and WHERE over `dataset AS d`, and why these."""

    source: str
    condition: Condition
    reason: str

    def select(self, columns: str, rest: str = "", *more: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the statement and its parameters; `rest` follows the condition."""
        sql = f"SELECT {columns} FROM {self.source} WHERE {self.condition.sql} {rest}"
        return sql, (*self.condition.parameters, *more)


def plan_find(connection: sqlite3.Connection, query: Query, *, limit: int, retired: bool) -> Plan:
    """Return how to find the `limit` newest rows that match, or all of a moment that does."""
    # Looking up and sorting m rows costs m; walking from the newest until enough are found
    # costs limit · total / m. The two are equal here.
    worth = math.isqrt(limit * _total(connection)) + _FEW
    walk = "dataset_newest" if retired else "dataset_created"
    return _planned(connection, query, worth, walk=walk, retired=retired)


def plan_count(connection: sqlite3.Connection, query: Query, *, at_most: int) -> Plan:
    """Return how to count rows that match and are not retired, up to `at_most`."""
    # Collecting the ids of m rows is some ten times cheaper than looking the rows up.
    worth = math.isqrt(10 * at_most * _total(connection)) + _FEW
    return _planned(connection, query, worth, walk="dataset_created", retired=False)


def plan_facet(connection: sqlite3.Connection, query: Query) -> Plan:
    """Return how to look at every row that matches and is not retired."""
    worth = _total(connection) // 10 + _FEW
    return _planned(connection, query, worth, walk="dataset_created", retired=False)


def _planned(
    connection: sqlite3.Connection, query: Query, worth: int, *, walk: str, retired: bool
) -> Plan:
    check = compile_query(query, "probe")
    if not retired:
        check = Condition(f"{check.sql} AND d.retired = 0", check.parameters)
    parts, few = _smallest(connection, query, worth)
    if parts:
        ids = " UNION ALL ".join(part.sql for part in parts)
        values = tuple(value for part in parts for value in part.parameters)
        # NOT INDEXED leaves the primary key, and nothing that would look at every row.
        return Plan(
            "dataset AS d NOT INDEXED",
            Condition(f"d.id IN ({ids}) AND {check.sql}", (*values, *check.parameters)),
            f"looks up {few} rows found by an index",
        )
    column = next(_equal_columns(query), None)
    if column is not None:
        return Plan(
            f"dataset AS d INDEXED BY dataset_{column}",
            check,
            f"walks from the newest of one {column}, more than {worth} rows match each clause",
        )
    return Plan(
        f"dataset AS d INDEXED BY {walk}",
        check,
        f"walks from the newest, more than {worth} rows match each clause",
    )


def _total(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM dataset").fetchone()[0])


def _smallest(
    connection: sqlite3.Connection, query: Query, worth: int
) -> tuple[list[Condition], int]:
    """Return SELECTs that together hold every row that matches, if they are worth it."""
    sets = list(_sets(query))
    best: list[Condition] = []
    for cap in (min(_FEW, worth), worth):
        # A first look costs next to nothing and often ends the search.
        for each in sets:
            size = _size(connection, each, cap)
            if size < cap:
                best, cap = each, size
        if best:
            return best, cap
    return best, worth


def _sets(query: Query) -> Iterator[list[Condition]]:
    """Yield sets of rows an index has, each of which holds every row that matches."""
    match query:
        case And(clauses):
            yield from _ranges(clauses)
            for clause in clauses:
                yield from _sets(clause)
        case Or(clauses):
            parts = [next(_sets(clause), None) for clause in clauses]
            if parts and None not in parts:
                yield [each for part in parts for each in part or ()]
        case _:
            found = found_by(query)
            if found is not None:
                yield [found]


def _ranges(clauses: tuple[Query, ...]) -> Iterator[list[Condition]]:
    """Yield the sets of two bounds of one field, each of which may hold for half of the rows."""
    lower = {each.field: each for each in clauses if _is_bound(each, ">", ">=")}
    upper = {each.field: each for each in clauses if _is_bound(each, "<", "<=")}
    for field in lower.keys() & upper.keys():
        found = found_between(lower[field], upper[field])
        if found:
            yield found


def _is_bound(query: Query, *operators: str) -> TypeGuard[Compare]:
    return isinstance(query, Compare) and query.operator in operators


def _size(connection: sqlite3.Connection, parts: list[Condition], cap: int) -> int:
    """Return how many rows SELECTs have together, counting no further than `cap`."""
    size = 0
    for part in parts:
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({part.sql}) LIMIT ?)"
        size += connection.execute(sql, (*part.parameters, cap - size)).fetchone()[0]
        if size >= cap:
            break
    return int(size)


def _equal_columns(query: Query) -> Iterator[str]:
    match query:
        case And(clauses):
            for clause in clauses:
                yield from _equal_columns(clause)
        case Compare(field, "=", _):
            column = promoted_column(field)
            if column in ORDERED:
                yield column
