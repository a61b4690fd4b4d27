"""What is SQLite's own: its file, its tables and their versions, several processes at once."""

import gzip
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lightwell.catalog import SqliteCatalog, export_events, where
from lightwell.catalog.tables import MIGRATIONS, statements
from lightwell.errors import UnreadableFile
from lightwell.testing.catalogs import MIA, contract_dataset

OLDER = Path(__file__).parent / "older"
WRITER = """
import sys
from lightwell.catalog import SqliteCatalog
from lightwell.testing.catalogs import MIA, contract_dataset
catalog = SqliteCatalog(sys.argv[1])
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
    catalog.put(contract_dataset(number), by=MIA)
"""


@pytest.fixture
def catalog(tmp_path: Path) -> SqliteCatalog:
    return SqliteCatalog(tmp_path / "catalog.sqlite")


def test_the_journal_is_appended_to_and_exported(catalog: SqliteCatalog, tmp_path: Path) -> None:
    catalog.put(contract_dataset(1), by=MIA)
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    for statement in ("DELETE FROM journal", "UPDATE journal SET who = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
            connection.execute(statement)
    connection.close()
    assert export_events(catalog.events(), tmp_path / "journal.jsonl") == 1
    assert '"who": "mia"' in (tmp_path / "journal.jsonl").read_text("utf-8")


def test_foreign_files_and_newer_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(UnreadableFile, match="no catalog"):
        SqliteCatalog(tmp_path / "no")
    SqliteCatalog(tmp_path / "new").close()
    connection = sqlite3.connect(tmp_path / "new")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(UnreadableFile, match="Update lightwell"):
        SqliteCatalog(tmp_path / "new")


def test_a_catalog_of_the_first_version_becomes_one_of_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(gzip.decompress((OLDER / "version-1.sqlite.gz").read_bytes()))
    raw, retired, derived = (contract_dataset(n) for n in (1, 2, 3))
    catalog = SqliteCatalog(path)
    assert [each.owner for each in catalog.find()] == ["mia", "mia"]
    assert [(v.value, v.datasets) for v in catalog.facet("owner")] == [("mia", 2)]
    assert [(v.value, v.datasets) for v in catalog.facet("sample")] == [("shell", 2)]
    assert catalog.get(retired.pid).retired
    assert catalog.lineage(raw.pid).descendants == (derived.pid,)
    assert catalog.stats().datasets == 3
    assert all(map(catalog.is_indexed, catalog.pids()))
    assert [event.what for event in catalog.journal()] == [*("ingested",) * 3, "retired"]
    assert catalog.put(contract_dataset(4), by=MIA).rev == 1
    assert [v.datasets for v in catalog.facet("kind")] == [2, 1]
    catalog.close()
    assert layout(path) == layout_of_new(tmp_path / "new.sqlite")


def layout(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, name FROM sqlite_master ORDER BY 1, 2").fetchall()
    connection.close()
    return found


def layout_of_new(path: Path) -> list[tuple[str, str]]:
    SqliteCatalog(path).close()
    return layout(path)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_tables_of_every_version_are_brought_up_to_date(version: int, tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    for script in MIGRATIONS[:version]:
        for statement in statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    catalog = SqliteCatalog(path)
    pid = catalog.put(contract_dataset(1), by=MIA).pid
    assert [each.pid for each in catalog.find(where("kind") == "raw")] == [pid]
    catalog.close()
    assert layout(path) == layout_of_new(tmp_path / "new.sqlite")


def test_several_processes_write_while_threads_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    program = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*program, str(100 * number)]) for number in range(3)]
    catalog = SqliteCatalog(path)
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                for each in catalog.find(limit=5):
                    assert catalog.get(each.pid).manifest.files
        except BaseException as error:  # shown by the assertion below
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for writer in writers:
        writer.wait()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert catalog.count().number == 60
    assert [change.number for change in catalog.changes()] == list(range(1, 61))
    catalog.close()
