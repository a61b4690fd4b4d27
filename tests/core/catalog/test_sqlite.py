import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lightwell.access import OwnerOnly
from lightwell.catalog import Catalog, SqliteCatalog, export_events, where
from lightwell.catalog.tables import MIGRATIONS
from lightwell.datasets import Dataset, Given
from lightwell.errors import Conflict, NotFound, ParameterError, UnreadableFile
from lightwell.manifests import Manifest, ManifestFile
from lightwell.model import Entry, Original, Sample
from lightwell.storage import Evidence, Replica
from lightwell.users import User

MIA, BO = User("mia"), User("bo")


def dataset(number: int, *, owner: str = "mia", name: str = "shell", **more: object) -> Dataset:
    files = (ManifestFile("a.h5", "master", 10, 1, f"{number:064x}"),)
    entry = Entry(sample=Sample(name=name), original={"x.y": Original(value=number)})
    made = Dataset.of(
        entry, Manifest("file:///data", files), kind="raw", importer="test",
        path=f"/data/20130713_{name}_{number:03d}.h5", owner=owner,
    )  # fmt: skip
    return replace(made, created=f"2026-01-01T00:00:{number % 60:02d}.000000Z", **more)  # type: ignore[arg-type]


@pytest.fixture
def catalog(tmp_path: Path) -> SqliteCatalog:
    return SqliteCatalog(tmp_path / "catalog.sqlite")


def test_what_is_put_is_got(catalog: SqliteCatalog) -> None:
    _: Catalog = catalog  # a type checker holds it to the protocol
    given = dataset(1, options={"first_angle": Given(0.0, "mia")})
    stored = catalog.put(given, by=MIA)
    assert stored.rev == 1
    got = catalog.get(stored.pid)
    assert got == stored
    assert got.manifest == given.manifest
    assert got.options["first_angle"] == Given(0.0, "mia")


def test_the_same_content_is_one_dataset_and_one_revision(catalog: SqliteCatalog) -> None:
    first = catalog.put(dataset(1), by=MIA)
    again = catalog.put(replace(dataset(1), created="2027-01-01T00:00:00.000000Z"), by=BO)
    assert (again.rev, again.created) == (1, first.created)
    assert catalog.count().number == 1
    assert [event.what for event in catalog.events()] == ["ingested"]
    told_more = dataset(1, options={"first_angle": Given(0, "bo")})
    assert catalog.put(told_more, by=BO).rev == 2
    assert [change.what for change in catalog.changes()] == ["ingested", "described anew"]


def test_a_stale_revision_is_a_conflict(catalog: SqliteCatalog) -> None:
    first = catalog.put(dataset(1), by=MIA)
    catalog.update(replace(first, proposal="als-1"), by=MIA, why="known now")
    with pytest.raises(Conflict, match=r"yours is revision 1, the catalog has 2.*repeat"):
        catalog.update(replace(first, proposal="als-2"), by=BO, why="no")
    assert catalog.get(first.pid).proposal == "als-1"


def test_find_by_words_and_comparisons(catalog: SqliteCatalog) -> None:
    catalog.put(dataset(1, name="Chilarchaea_quellon_F_9053427"), by=MIA)
    catalog.put(dataset(2), by=MIA)
    from lightwell.catalog import parse_query

    for text in (
        "words chilarch",
        "words quell 9053",
        "sample.name contains ARCHAEA",
        "original.x.y < 2",
        "sample = Chilarchaea_quellon_F_9053427 and kind = raw",
    ):
        found = catalog.find(parse_query(text))
        assert [each.path for each in found] == [
            "/data/20130713_Chilarchaea_quellon_F_9053427_001.h5"
        ], text


def test_pages_neither_skip_nor_repeat_while_new_ones_arrive(catalog: SqliteCatalog) -> None:
    for number in range(25):
        catalog.put(dataset(number), by=MIA)
    seen: list[str] = []
    cursor = None
    while True:
        page = catalog.find(limit=10, cursor=cursor)
        seen += [each.pid for each in page]
        catalog.put(dataset(1000 + len(seen), name="late"), by=MIA)
        cursor = page.cursor
        if cursor is None:
            break
    expected = [dataset(number).pid for number in reversed(range(25))]
    assert [pid for pid in seen if pid in expected] == expected
    with pytest.raises(ParameterError, match="is no cursor"):
        catalog.find(cursor="nonsense!")


def test_counts_are_capped_and_facets_sorted(catalog: SqliteCatalog) -> None:
    for number in range(6):
        catalog.put(dataset(number, name="b" if number % 3 else "a"), by=MIA)
    assert str(catalog.count(at_most=4)) == "more than 4"
    assert str(catalog.count(where("sample.name") == "a")) == "2"
    assert [(v.value, v.datasets) for v in catalog.facet("sample.name")] == [("b", 4), ("a", 2)]
    assert [(v.value, v.datasets) for v in catalog.facet("owner")] == [("mia", 6)]


def test_retired_ones_are_left_out_and_kept(catalog: SqliteCatalog) -> None:
    old = catalog.put(dataset(1), by=MIA)
    new = catalog.put(dataset(2), by=MIA)
    catalog.supersede(old.pid, new.pid, by=MIA, why="wrong sample")
    assert catalog.retire(old.pid, by=BO, why="wrong sample").rev == 3
    assert [each.pid for each in catalog.find()] == [new.pid]
    assert len(catalog.find(retired=True)) == 2
    assert catalog.get(old.pid).superseded_by == new.pid
    assert catalog.put(dataset(1), by=MIA).retired, "ingesting again revives nothing"
    [*_, event] = catalog.events(pid=old.pid)
    assert (event.who, event.what, event.detail["why"]) == ("bo", "retired", "wrong sample")


def test_lineage_over_generations(catalog: SqliteCatalog) -> None:
    a = catalog.put(dataset(1), by=MIA)
    b = catalog.put(dataset(2, kind="derived", derived_from=(a.pid, "lw-elsewhere")), by=MIA)
    c = catalog.put(dataset(3, kind="derived", derived_from=(b.pid,)), by=MIA)
    assert catalog.lineage(c.pid).ancestors == (b.pid, a.pid, "lw-elsewhere")
    assert catalog.lineage(a.pid).descendants == (b.pid, c.pid)
    assert catalog.lineage(b.pid).ancestors == (a.pid, "lw-elsewhere")


def test_replicas_are_kept_by_place(catalog: SqliteCatalog) -> None:
    evidence = Evidence("2026-01-01T00:00:00.000000Z", "mia", "ingest", "ab")
    copy = Replica("data", "a.h5", "x/a.h5", 10, "ab", "online", evidence)
    pid = catalog.put(dataset(1), by=MIA, replicas=[copy]).pid
    gone = replace(copy, state="lost")
    other = replace(copy, store="tape", state="nearline")
    catalog.put(dataset(1), by=MIA, replicas=[gone, other])
    assert catalog.replicas(pid) == (gone, other)


def test_what_may_not_be_seen_is_not_there(catalog: SqliteCatalog) -> None:
    mine = catalog.put(dataset(1), by=MIA)
    his = catalog.put(dataset(2, owner="bo", derived_from=(mine.pid,)), by=BO)
    seen = catalog.as_seen_through([OwnerOnly().restriction(MIA)])
    assert [each.pid for each in seen.find()] == [mine.pid]
    assert seen.count().number == 1
    assert [v.value for v in seen.facet("owner")] == ["mia"]
    assert seen.lineage(mine.pid).edges == ()
    assert {change.pid for change in seen.changes()} == {mine.pid}
    assert {event.pid for event in seen.events()} == {mine.pid}
    with pytest.raises(ParameterError, match="does not show everything"):
        seen.journal()
    for act in (
        lambda: seen.get(his.pid),
        lambda: seen.replicas(his.pid),
        lambda: seen.retire(his.pid, by=MIA, why=""),
        lambda: seen.lineage(his.pid),
        lambda: seen.supersede(mine.pid, his.pid, by=MIA, why=""),
        lambda: seen.update(his, by=MIA, why=""),
    ):
        with pytest.raises(NotFound, match="has no dataset"):
            act()
    with pytest.raises(Conflict, match="you may not see it"):
        seen.put(dataset(2), by=MIA)
    assert catalog.get(his.pid) == his


def test_search_fields_outlive_the_plugin(tmp_path: Path) -> None:
    class Odd(Entry, definition="NXodd"):
        def canonical(self) -> dict[str, object]:
            return {**super().canonical(), "energy": 7000.0}

    path = tmp_path / "catalog.sqlite"
    manifest = Manifest("file:///d", (ManifestFile("a", "master", 1, 1, "00"),))
    odd = Dataset.of(Odd(), manifest, kind="raw", importer="odd", path="/d/a", owner="mia")
    pid = SqliteCatalog(path, schemas={"NXodd": Odd}).put(odd, by=MIA).pid
    without = SqliteCatalog(path)
    assert without.get(pid).definition == "NXodd"
    without.supersede(pid, without.put(dataset(1), by=MIA).pid, by=MIA, why="test")
    assert [each.pid for each in without.find(where("energy") == "7 keV")] == [pid]
    assert isinstance(SqliteCatalog(path, schemas={"NXodd": Odd}).get(pid).entry, Odd)


def test_the_journal_is_appended_to_and_exported(catalog: SqliteCatalog, tmp_path: Path) -> None:
    catalog.put(dataset(1), by=MIA)
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    for statement in ("DELETE FROM journal", "UPDATE journal SET who = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
            connection.execute(statement)
    connection.close()
    assert export_events(catalog.events(), tmp_path / "journal.jsonl") == 1
    assert '"who": "mia"' in (tmp_path / "journal.jsonl").read_text("utf-8")


def test_documents_no_store_could_keep_are_refused(catalog: SqliteCatalog) -> None:
    with pytest.raises(ParameterError, match=r"is nan.*job\.sigma"):
        catalog.put(dataset(1, job={"sigma": float("nan")}), by=MIA)
    assert catalog.count().number == 0
    assert list(catalog.events()) == [], "nothing of the transaction stays"


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


def _write(path: Path, first: int, count: int) -> None:
    catalog = SqliteCatalog(path)
    for number in range(first, first + count):
        catalog.put(dataset(number), by=MIA)


def test_several_processes_write_while_threads_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, 100 * n, 20)) for n in range(3)]
    for writer in writers:
        writer.start()
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
        writer.join()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert catalog.count().number == 60
    assert [change.number for change in catalog.changes()] == list(range(1, 61))
    catalog.close()


def _write_and_tell(path: Path, first: int, said: Path) -> None:
    catalog = SqliteCatalog(path)
    with said.open("a", buffering=1) as out:
        for number in range(first, first + 100_000):
            print(catalog.put(dataset(number), by=MIA).pid, file=out)


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path, said = tmp_path / "catalog.sqlite", tmp_path / "said"
    said.touch()
    context = multiprocessing.get_context("spawn")
    for round_ in range(2):
        before = said.read_text().count("\n")
        writer = context.Process(target=_write_and_tell, args=(path, round_ * 100_000, said))
        writer.start()
        deadline = time.monotonic() + 30
        while said.read_text().count("\n") < before + 20 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        catalog = SqliteCatalog(path)
        acknowledged = said.read_text().splitlines()
        assert len(acknowledged) >= before + 20
        for pid in acknowledged:
            assert catalog.get(pid).manifest.files
        with catalog._connections.reading() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            [in_journal] = connection.execute("SELECT count(*) FROM journal").fetchone()
            [in_changes] = connection.execute("SELECT count(*) FROM change").fetchone()
        assert in_journal == in_changes == catalog.count(at_most=10**6).number
        catalog.close()
