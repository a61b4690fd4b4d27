"""What one writes in an afternoon: a JSON column in SQLite, searched by json_extract."""

import json
import sqlite3
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from catalog_stores.base import Document

__all__ = ["NaiveStore"]

_AT_ONCE = 10_000
_FIND = "SELECT pid FROM dataset WHERE {} ORDER BY json_extract(doc, '$.created') DESC LIMIT 20"


class NaiveStore:
    """One table, one JSON column, an index on the pid alone."""

    name = "naive"

    def __init__(self, folder: Path) -> None:
        self._file = sqlite3.connect(folder / "naive.sqlite", timeout=30, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute("CREATE TABLE IF NOT EXISTS dataset (pid TEXT PRIMARY KEY, doc TEXT)")

    def loaded(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM dataset").fetchone()[0])

    def load(self, documents: Iterable[Document]) -> None:
        waiting = iter(documents)
        while batch := list(islice(waiting, _AT_ONCE)):
            self._file.execute("BEGIN")
            rows = [(each["pid"], json.dumps(each, ensure_ascii=False)) for each in batch]
            self._file.executemany("INSERT INTO dataset VALUES (?, ?)", rows)
            self._file.execute("COMMIT")

    def finish(self) -> None:
        self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def open(self) -> "NaiveStore":
        return self

    def insert(self, document: Document) -> None:
        row = (document["pid"], json.dumps(document, ensure_ascii=False))
        self._file.execute("INSERT INTO dataset VALUES (?, ?)", row)

    def point(self, pid: str) -> str:
        [text] = self._file.execute("SELECT doc FROM dataset WHERE pid = ?", (pid,)).fetchone()
        return str(json.loads(text)["pid"])

    def newest(self) -> list[str]:
        return self._pids(_FIND.format("NOT json_extract(doc, '$.retired')"))

    def newest_of(self, beamline: str) -> list[str]:
        condition = (
            "NOT json_extract(doc, '$.retired') AND json_extract(doc, '$.canonical.beamline') = ?"
        )
        return self._pids(_FIND.format(condition), beamline)

    def between(self, low: int, high: int) -> list[str]:
        number = "json_extract(doc, '$.entry.original.scan_number.value')"
        condition = f"NOT json_extract(doc, '$.retired') AND {number} >= ? AND {number} < ?"
        return self._pids(_FIND.format(condition), low, high)

    def words(self, beginning: str) -> list[str]:
        condition = "NOT json_extract(doc, '$.retired') AND doc LIKE ?"
        return self._pids(_FIND.format(condition), f"%{beginning}%")

    def facet(self, field: str) -> dict[str, int]:
        place = f"$.{field}" if field == "owner" else f"$.canonical.{field}"
        sql = (
            "SELECT json_extract(doc, ?) AS v, count(*) AS n FROM dataset "
            "WHERE NOT json_extract(doc, '$.retired') GROUP BY v ORDER BY n DESC LIMIT 50"
        )
        return {str(value): n for value, n in self._file.execute(sql, (place,))}

    def facet_of(self, field: str, beamline: str) -> dict[str, int]:
        sql = (
            "SELECT v, count(*) FROM (SELECT json_extract(doc, ?) AS v FROM dataset "
            "WHERE NOT json_extract(doc, '$.retired') "
            "AND json_extract(doc, '$.canonical.beamline') = ? "
            "ORDER BY json_extract(doc, '$.created') DESC LIMIT 1000) GROUP BY v"
        )
        return {str(value): n for value, n in self._file.execute(sql, (f"$.{field}", beamline))}

    def count(self, energy: float) -> int:
        sql = (
            "SELECT count(*) FROM (SELECT 1 FROM dataset WHERE NOT json_extract(doc, '$.retired') "
            "AND json_extract(doc, '$.canonical.energy') > ? LIMIT 1000)"
        )
        return int(self._file.execute(sql, (energy,)).fetchone()[0])

    def update(self, pid: str, proposal: str) -> None:
        sql = "UPDATE dataset SET doc = json_set(doc, '$.proposal', ?) WHERE pid = ?"
        self._file.execute(sql, (proposal, pid))

    def close(self) -> None:
        """The file stays open: it is asked again later."""

    def _pids(self, sql: str, *values: object) -> list[str]:
        return [pid for (pid,) in self._file.execute(sql, values)]
