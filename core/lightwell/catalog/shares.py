"""The totals inside the embedded catalog: one row per dataset, and their sums per owner."""

# ruff: noqa: S608 - compiled conditions and our own columns; values are parameters.

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lightwell.catalog.compiler import Condition
from lightwell.catalog.totals import COUNTED, Share, Totals, share_of

__all__ = ["counted_totals", "seen_totals", "write_new_shares", "write_share"]

_COLUMNS: Final = ", ".join(COUNTED)
_ADDED: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTED)
_MARKS: Final = ", ".join("?" * len(COUNTED))


def write_share(connection: sqlite3.Connection, number: int, document: Mapping[str, Any]) -> None:
    """Bring the totals up to date with what a document says now."""
    owner, share = str(document.get("owner", "")), share_of(document)
    before = connection.execute(
        f"SELECT owner, {_COLUMNS} FROM share WHERE doc = ?", (number,)
    ).fetchone()
    if before == (owner, *share):
        return
    if before is not None:
        _add(connection, before[0], Share(*(-value for value in before[1:])))
    _add(connection, owner, share)
    connection.execute(
        f"INSERT OR REPLACE INTO share (doc, owner, {_COLUMNS}) VALUES (?, ?, {_MARKS})",
        (number, owner, *share),
    )


def write_new_shares(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, Mapping[str, Any]]]
) -> None:
    """Add what documents say that had no share yet."""
    found = [(number, str(each.get("owner", "")), share_of(each)) for number, each in rows]
    connection.executemany(
        f"INSERT INTO share (doc, owner, {_COLUMNS}) VALUES (?, ?, {_MARKS})",
        [(number, owner, *share) for number, owner, share in found],
    )
    sums: dict[str, Share] = {}
    for _, owner, share in found:
        before = sums.get(owner, Share(0))
        sums[owner] = Share(*(a + b for a, b in zip(before, share, strict=True)))
    for owner, share in sums.items():
        _add(connection, owner, share)


def _add(connection: sqlite3.Connection, owner: str, share: Share) -> None:
    connection.execute(
        f"INSERT INTO total (owner, {_COLUMNS}) VALUES (?, {_MARKS}) "
        f"ON CONFLICT (owner) DO UPDATE SET {_ADDED}",
        (owner, *share),
    )


def counted_totals(connection: sqlite3.Connection) -> Totals:
    """Return the totals as they are kept, and what the catalog takes."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in COUNTED)
    *sizes, users = connection.execute(
        f"SELECT {sums}, count(*) FILTER (WHERE datasets > 0) FROM total"
    ).fetchone()
    pages, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    return Totals(**Share(*sizes)._asdict(), users=users, catalog=pages * size)


def seen_totals(connection: sqlite3.Connection, condition: Condition) -> Totals:
    """Return the totals of the datasets that fulfil a condition."""
    sums = ", ".join(f"coalesce(sum(s.{name}), 0)" for name in COUNTED)
    *sizes, users = connection.execute(
        f"SELECT {sums}, count(DISTINCT s.owner) FROM dataset AS d "
        f"JOIN share AS s ON s.doc = d.id WHERE {condition.sql}",
        condition.parameters,
    ).fetchone()
    return Totals(**Share(*sizes)._asdict(), users=users)
