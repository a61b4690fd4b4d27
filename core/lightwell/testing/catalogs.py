"""What every catalog has to keep, whatever it is kept in: a suite for pytest.

A backend's own tests subclass `CatalogContract` and give the fixture `open_catalog`:

    class TestMine(CatalogContract):
        @pytest.fixture
        def open_catalog(self, tmp_path):
            return lambda **options: MyCatalog(tmp_path / "x", **options)

The same place opened twice is the same catalog; every test gets an empty one.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from lightwell.access import OwnerOnly
from lightwell.catalog import Catalog, export_events, parse_query, where
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.query import Query
from lightwell.catalog.records import CatalogRow
from lightwell.datasets import Dataset, Given
from lightwell.errors import Conflict, NotFound, ParameterError
from lightwell.manifests import Manifest, ManifestFile
from lightwell.model import Entry, Original, Sample
from lightwell.storage import Evidence, Replica
from lightwell.testing.catalog_documents import odd_document
from lightwell.testing.catalog_queries import random_queries
from lightwell.testing.memory import MemoryCatalog
from lightwell.users import User

__all__ = [
    "BO",
    "MIA",
    "CatalogContract",
    "Opener",
    "contract_dataset",
    "differing",
    "filled",
    "odd_rows",
]

# ruff: noqa: S101 - a suite for pytest says what it expects by assert.

MIA, BO = User("mia"), User("bo")

Opener = Callable[..., DocumentCatalog]


def contract_dataset(
    number: int, *, owner: str = "mia", name: str = "shell", **more: Any
) -> Dataset:
    """Return the dataset of a number, the older the smaller."""
    files = (ManifestFile("a.h5", "master", 10, 1, f"{number:064x}"),)
    entry = Entry(sample=Sample(name=name), original={"x.y": Original(value=number)})
    made = Dataset.of(
        entry, Manifest("file:///data", files), kind="raw", importer="test",
        path=f"/data/20130713_{name}_{number:03d}.h5", owner=owner,
    )  # fmt: skip
    created = f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"
    return replace(made, created=created, **more)


def odd_rows(count: int, *, attributes: int = 155) -> list[CatalogRow]:
    """Return rows with what instruments write by mistake."""
    found = [odd_document(number, attributes=attributes) for number in range(count)]
    return [CatalogRow(each, Manifest(each["manifest"]["root"], ()), ()) for each in found]


def filled(catalog: DocumentCatalog, rows: list[CatalogRow]) -> list[dict[str, Any]]:
    """Put rows into an empty catalog; return the documents as the matcher sees them."""
    reference = MemoryCatalog()
    for each in (catalog, reference):
        assert each.rebuild(rows, journal_end=0, by=MIA)
    with reference.reading() as records:
        return records.find(where("pid").exists(), limit=len(rows), before=None, retired=True)


def differing(
    catalog: DocumentCatalog, query: Query, wanted: set[str], *, shown: int
) -> str | None:
    """Return how a catalog's answers to a query differ from the pids wanted, or None.

    `shown` of them are not retired.
    """
    with catalog.reading() as records:
        found = set(records.pids(query))
        counted = records.count(query, at_most=1000)
    if found != wanted:
        return f"{query}: {len(found - wanted)} too many, {len(wanted - found)} missing"
    return None if counted == shown else f"{query}: counts {counted}, not {shown}"


class CatalogContract:
    """The tests; every one of them holds for every catalog."""

    SAME_ANSWERS: Final = 60
    """How many random questions the suite asks; campaigns ask more."""

    @pytest.fixture
    def open_catalog(self) -> Opener:
        """Open the same empty place, as often as it is called; a subclass says how."""
        pytest.fail("a subclass gives the fixture open_catalog")

    @pytest.fixture
    def catalog(self, open_catalog: Opener) -> Iterator[DocumentCatalog]:
        """Open the catalog, and close it afterwards."""
        opened = open_catalog()
        yield opened
        opened.close()

    def test_what_is_put_is_got(self, catalog: DocumentCatalog) -> None:
        _: Catalog = catalog  # a type checker holds it to the protocol
        given = contract_dataset(1, options={"first_angle": Given(0.0, "mia")})
        stored = catalog.put(given, by=MIA)
        assert stored.rev == 1
        got = catalog.get(stored.pid)
        assert got == stored
        assert got.manifest == given.manifest
        assert got.options["first_angle"] == Given(0.0, "mia")
        assert catalog.is_indexed(stored.pid)
        assert catalog.problems() == []

    def test_keys_come_back_as_they_were_and_in_their_order(self, catalog: DocumentCatalog) -> None:
        keys = ("z.y", "$d", "$", "100%", "0", "10", "%2E", "/a/b", "ä", "x\0y", "a.0", "__")
        original = {key: Original(value=number) for number, key in enumerate(keys)}
        given = replace(contract_dataset(1), entry=Entry(original=original))
        pid = catalog.put(given, by=MIA).pid
        assert list(catalog.get(pid).entry.original) == list(keys)
        for number, key in enumerate(keys):
            assert [d.pid for d in catalog.find(where(f"original.{key}") == number)] == [pid], key
            assert catalog.count(where(f"original.{key}") == number + 1).number == 0

    def test_the_same_content_is_one_dataset_and_one_revision(
        self, catalog: DocumentCatalog
    ) -> None:
        first = catalog.put(contract_dataset(1), by=MIA)
        later = replace(contract_dataset(1), created="2027-01-01T00:00:00.000000Z")
        again = catalog.put(later, by=BO)
        assert (again.rev, again.created) == (1, first.created)
        assert catalog.count().number == 1
        assert [event.what for event in catalog.events()] == ["ingested"]
        told_more = contract_dataset(1, options={"first_angle": Given(0, "bo")})
        assert catalog.put(told_more, by=BO).rev == 2
        assert [change.what for change in catalog.changes()] == ["ingested", "described anew"]

    def test_a_stale_revision_is_a_conflict(self, catalog: DocumentCatalog) -> None:
        first = catalog.put(contract_dataset(1), by=MIA)
        catalog.update(replace(first, proposal="als-1"), by=MIA, why="known now")
        with pytest.raises(Conflict, match=r"yours is revision 1, the catalog has 2.*repeat"):
            catalog.update(replace(first, proposal="als-2"), by=BO, why="no")
        assert catalog.get(first.pid).proposal == "als-1"
        assert [event.what for event in catalog.journal()] == ["ingested", "updated"]

    def test_two_open_catalogs_are_one(
        self, catalog: DocumentCatalog, open_catalog: Opener
    ) -> None:
        other = open_catalog()
        pid = catalog.put(contract_dataset(1), by=MIA).pid
        assert other.update(replace(other.get(pid), proposal="als-7"), by=BO, why="told").rev == 2
        assert catalog.get(pid).proposal == "als-7"
        assert [change.number for change in catalog.changes()] == [1, 2]
        other.close()

    def test_a_list_of_files_is_replaced(self, catalog: DocumentCatalog) -> None:
        first = contract_dataset(1)
        catalog.put(first, by=MIA)
        touched = replace(first.manifest.files[0], mtime_ns=99)
        moved = Manifest("file:///elsewhere", (touched,))
        again = replace(first, summary=replace(first.summary, root=moved.root))
        catalog.put(again.with_manifest(moved), by=MIA)
        assert catalog.get(first.pid).manifest == moved

    def test_find_by_words_and_comparisons(self, catalog: DocumentCatalog) -> None:
        catalog.put(contract_dataset(1, name="Chilarchaea_quellon_F_9053427"), by=MIA)
        catalog.put(contract_dataset(2), by=MIA)
        for text in (
            "words chilarch",
            "words quell 9053",
            "sample.name contains ARCHAEA",
            "original.x.y < 2",
            "sample = Chilarchaea_quellon_F_9053427 and kind = raw",
        ):
            found = [each.path for each in catalog.find(parse_query(text))]
            assert found == ["/data/20130713_Chilarchaea_quellon_F_9053427_001.h5"], text

    def test_pages_neither_skip_nor_repeat_while_new_ones_arrive(
        self, catalog: DocumentCatalog
    ) -> None:
        for number in range(13):
            catalog.put(contract_dataset(number), by=MIA)
        seen: list[str] = []
        cursor = None
        while True:
            page = catalog.find(where("kind") == "raw", limit=5, cursor=cursor)
            seen += [each.pid for each in page]
            catalog.put(contract_dataset(1000 + len(seen), name="late"), by=MIA)
            cursor = page.cursor
            if cursor is None:
                break
        expected = [contract_dataset(number).pid for number in reversed(range(13))]
        assert [pid for pid in seen if pid in expected] == expected
        with pytest.raises(ParameterError, match="is no cursor"):
            catalog.find(cursor="nonsense!")
        with pytest.raises(ParameterError, match="a page holds"):
            catalog.find(limit=0)

    def test_pages_of_one_moment_go_by_pid(self, catalog: DocumentCatalog) -> None:
        for number in range(7):
            moment = "2026-01-01T00:00:00.000000Z"
            catalog.put(replace(contract_dataset(number), created=moment), by=MIA)
        pids: list[str] = []
        cursor: str | None = None
        while not pids or cursor:
            page = catalog.find(limit=2, cursor=cursor)
            pids, cursor = [*pids, *(each.pid for each in page)], page.cursor
        assert pids == sorted(pids, reverse=True)
        assert len(pids) == 7

    def test_counts_are_capped_and_facets_sorted(self, catalog: DocumentCatalog) -> None:
        for number in range(6):
            catalog.put(contract_dataset(number, name="b" if number % 3 else "a"), by=MIA)
        assert str(catalog.count(at_most=4)) == "more than 4"
        assert str(catalog.count(where("sample.name") == "a")) == "2"
        for field in ("sample.name", "sample"):
            assert [(v.value, v.datasets) for v in catalog.facet(field)] == [("b", 4), ("a", 2)]
        assert [(v.value, v.datasets) for v in catalog.facet("owner")] == [("mia", 6)]
        old = where("original.x.y") < 2
        assert [(v.value, v.datasets) for v in catalog.facet("sample", old)] == [("a", 1), ("b", 1)]
        assert len(catalog.facet("sample", at_most=1)) == 1

    def test_facets_of_many_are_those_of_the_newest_and_say_so(
        self, catalog: DocumentCatalog
    ) -> None:
        for number in range(6):
            catalog.put(contract_dataset(number, name="b" if number % 3 else "a"), by=MIA)
        kind = where("kind") == "raw"
        newest = [each.pid for each in catalog.find(kind, limit=4)]
        found = catalog.facet("pid", kind, among=4)
        assert {each.value for each in found} == set(newest)
        assert not found.exact
        assert str(catalog.facet("owner", kind, among=4)) == "at least 4 mia"
        assert catalog.facet("owner", kind, among=6).exact
        assert str(catalog.facet("owner", among=1)) == "6 mia"
        seen = catalog.as_seen_through([{"owner": "mia"}])
        assert str(seen.facet("owner", among=5)) == "at least 5 mia"

    def test_facets_follow_what_changes(self, catalog: DocumentCatalog) -> None:
        first = catalog.put(contract_dataset(1, name="a"), by=MIA)
        second = catalog.put(contract_dataset(2, name="a", owner="bo"), by=MIA)
        catalog.update(replace(first, proposal="als-1"), by=MIA, why="known now")
        entry = Entry(sample=Sample(name="b"))
        catalog.update(replace(second, entry=entry), by=MIA, why="mistaken")
        assert [(v.value, v.datasets) for v in catalog.facet("sample")] == [("a", 1), ("b", 1)]
        assert [(v.value, v.datasets) for v in catalog.facet("proposal")] == [("als-1", 1)]
        catalog.retire(first.pid, by=MIA, why="wrong")
        assert [(v.value, v.datasets) for v in catalog.facet("sample")] == [("b", 1)]
        assert [(v.value, v.datasets) for v in catalog.facet("owner")] == [("bo", 1)]
        assert len(catalog.facet("proposal")) == 0

    def test_retired_ones_are_left_out_and_kept(self, catalog: DocumentCatalog) -> None:
        old = catalog.put(contract_dataset(1), by=MIA)
        new = catalog.put(contract_dataset(2), by=MIA)
        catalog.supersede(old.pid, new.pid, by=MIA, why="wrong sample")
        assert catalog.retire(old.pid, by=BO, why="wrong sample").rev == 3
        assert [each.pid for each in catalog.find()] == [new.pid]
        assert len(catalog.find(retired=True)) == 2
        assert catalog.get(old.pid).superseded_by == new.pid
        assert catalog.put(contract_dataset(1), by=MIA).retired, "ingesting again revives nothing"
        [*_, event] = catalog.events(pid=old.pid)
        assert (event.who, event.what, event.detail["why"]) == ("bo", "retired", "wrong sample")
        with pytest.raises(ParameterError, match="cannot take its own place"):
            catalog.supersede(new.pid, new.pid, by=MIA, why="")

    def test_lineage_over_generations(self, catalog: DocumentCatalog) -> None:
        a = catalog.put(contract_dataset(1), by=MIA)
        made = contract_dataset(2, kind="derived", derived_from=(a.pid, "lw-elsewhere"))
        b = catalog.put(made, by=MIA)
        c = catalog.put(contract_dataset(3, kind="derived", derived_from=(b.pid,)), by=MIA)
        assert catalog.lineage(c.pid).ancestors == (b.pid, a.pid, "lw-elsewhere")
        assert catalog.lineage(a.pid).descendants == (b.pid, c.pid)
        assert catalog.lineage(b.pid).ancestors == (a.pid, "lw-elsewhere")

    def test_replicas_are_kept_by_place(self, catalog: DocumentCatalog) -> None:
        evidence = Evidence("2026-01-01T00:00:00.000000Z", "mia", "ingest", "ab")
        copy = Replica("data", "a.h5", "x/a.h5", 10, "ab", "online", evidence)
        pid = catalog.put(contract_dataset(1), by=MIA, replicas=[copy]).pid
        gone = replace(copy, state="lost")
        other = replace(copy, store="tape", state="nearline")
        catalog.put(contract_dataset(1), by=MIA, replicas=[gone, other])
        assert catalog.replicas(pid) == (gone, other)

    def test_what_may_not_be_seen_is_not_there(self, catalog: DocumentCatalog) -> None:
        mine = catalog.put(contract_dataset(1), by=MIA)
        his = catalog.put(contract_dataset(2, owner="bo", derived_from=(mine.pid,)), by=BO)
        seen = catalog.as_seen_through([OwnerOnly().restriction(MIA)])
        assert [each.pid for each in seen.find()] == [mine.pid]
        assert seen.count().number == 1
        assert [v.value for v in seen.facet("owner")] == ["mia"]
        assert seen.lineage(mine.pid).edges == ()
        assert {change.pid for change in seen.changes()} == {mine.pid}
        assert {event.pid for event in seen.events()} == {mine.pid}
        assert (seen.stats().datasets, catalog.stats().datasets) == (1, 2)
        with pytest.raises(ParameterError, match="does not show everything"):
            seen.journal()
        for act in (
            lambda: seen.get(his.pid),
            lambda: seen.replicas(his.pid),
            lambda: seen.retire(his.pid, by=MIA, why=""),
            lambda: seen.lineage(his.pid),
            lambda: seen.supersede(mine.pid, his.pid, by=MIA, why=""),
            lambda: seen.update(his, by=MIA, why=""),
            lambda: seen.grant(his.pid, "user:mia", by=MIA),
        ):
            with pytest.raises(NotFound, match="has no dataset"):
                act()
        with pytest.raises(Conflict, match="you may not see it"):
            seen.put(contract_dataset(2), by=MIA)
        assert catalog.get(his.pid) == his

    def test_grants_are_in_the_documents_and_the_journal(self, catalog: DocumentCatalog) -> None:
        pid = catalog.put(contract_dataset(1), by=MIA).pid
        made = contract_dataset(2, kind="derived", derived_from=(pid,))
        result = catalog.put(made, by=MIA).pid
        before = catalog.row(result).document["access"]
        catalog.grant(pid, "user:bo", by=MIA, why="asked")
        assert set(catalog.grants(pid)) == {"user:bo"}
        assert catalog.grants(result) == {}
        catalog.grant(result, "user:bo", by=MIA)
        assert catalog.row(result).document["access"] != before
        assert catalog.get(pid).rev == 1
        catalog.revoke(pid, "user:bo", by=MIA)
        catalog.revoke(result, "user:bo", by=MIA)
        assert catalog.grants(pid) == {}
        assert catalog.row(result).document["access"] == before
        said = [event.what for event in catalog.journal()]
        assert said == ["ingested", "ingested", "granted", "granted", "revoked", "revoked"]
        assert catalog.is_indexed(pid)

    def test_totals_are_those_of_a_recount(self, catalog: DocumentCatalog) -> None:
        for number in range(4):
            catalog.put(contract_dataset(number, owner=("mia", "bo")[number % 2]), by=MIA)
        kept = catalog.stats()
        assert (kept.datasets, kept.users, kept.total, kept.retired) == (4, 2, 40, 0)
        catalog.retire(contract_dataset(1).pid, by=MIA, why="")
        assert catalog.stats().retired == 1

    def test_search_fields_outlive_the_plugin(self, open_catalog: Opener) -> None:
        class Odd(Entry, definition="NXodd"):
            def canonical(self) -> dict[str, object]:
                return {**super().canonical(), "energy": 7000.0}

        manifest = Manifest("file:///d", (ManifestFile("a", "master", 1, 1, "00"),))
        odd = Dataset.of(Odd(), manifest, kind="raw", importer="odd", path="/d/a", owner="mia")
        knowing, without = open_catalog(schemas={"NXodd": Odd}), open_catalog()
        pid = knowing.put(odd, by=MIA).pid
        assert without.get(pid).definition == "NXodd"
        without.supersede(pid, without.put(contract_dataset(1), by=MIA).pid, by=MIA, why="test")
        assert [each.pid for each in without.find(where("energy") == "7 keV")] == [pid]
        assert isinstance(knowing.get(pid).entry, Odd)
        knowing.close()
        without.close()

    def test_the_journal_is_exported(self, catalog: DocumentCatalog, tmp_path: Path) -> None:
        catalog.put(contract_dataset(1), by=MIA)
        assert export_events(catalog.events(), tmp_path / "journal.jsonl") == 1
        assert '"who": "mia"' in (tmp_path / "journal.jsonl").read_text("utf-8")

    def test_a_lost_journal_is_taken_over_once(self, catalog: DocumentCatalog) -> None:
        source = MemoryCatalog()
        source.put(contract_dataset(1), by=MIA)
        source.retire(contract_dataset(1).pid, by=BO, why="{$.}")
        catalog.take_over_journal(source.journal())
        assert catalog.journal() == source.journal()
        catalog.put(contract_dataset(2), by=MIA)
        assert [event.number for event in catalog.journal()] == [1, 2, 3]
        with pytest.raises(Conflict, match="a journal of its own"):
            catalog.take_over_journal(source.journal())

    def test_documents_no_store_could_keep_are_refused(self, catalog: DocumentCatalog) -> None:
        for job in ({"sigma": float("nan")}, {"sigma": [1.0, float("inf")]}, {"half": "\ud800"}):
            with pytest.raises(ParameterError, match="value of the document"):
                catalog.put(contract_dataset(1, job=job), by=MIA)
        assert catalog.count().number == 0
        assert list(catalog.events()) == [], "nothing of the transaction stays"
        assert catalog.put(contract_dataset(1), by=MIA).rev == 1, "and the lock is given back"

    def test_rebuilt_from_rows(self, catalog: DocumentCatalog) -> None:
        for number in range(3):
            catalog.put(contract_dataset(number), by=MIA)
        kept = [catalog.row(pid) for pid in catalog.pids()]
        gone, changed, same = kept
        again = replace(Dataset.from_document(changed.document), proposal="als-1").to_document()
        rows = [changed._replace(document={**again, "rev": 2}), same]
        assert not catalog.rebuild(rows, journal_end=2, by=BO), "somebody wrote meanwhile"
        assert catalog.count().number == 3
        assert catalog.rebuild(rows, journal_end=3, by=BO)
        assert catalog.pids() == [str(row.document["pid"]) for row in rows]
        assert catalog.row(str(same.document["pid"])) == same
        assert catalog.get(str(changed.document["pid"])).proposal == "als-1"
        said = {event.pid: event.what for event in catalog.journal()[3:]}
        wanted = {gone.document["pid"]: "left out", changed.document["pid"]: "reindexed"}
        assert said == wanted
        assert [v.datasets for v in catalog.facet("owner")] == [2]
        assert catalog.stats().datasets == 2
        assert all(map(catalog.is_indexed, catalog.pids()))
        assert catalog.put(contract_dataset(7), by=MIA).rev == 1

    def test_indexes_are_listed_and_added(self, catalog: DocumentCatalog) -> None:
        catalog.put(contract_dataset(1), by=MIA)
        before = catalog.indexes()
        added = catalog.add_index("original.x.y")
        assert added in catalog.indexes()
        assert len(catalog.indexes()) == len(before) + 1
        catalog.add_index("original.x.y")
        assert len(catalog.indexes()) == len(before) + 1
        catalog.put(contract_dataset(2), by=MIA)
        found = [(v.value, v.datasets) for v in catalog.facet("original.x.y")]
        assert found == [(1, 1), (2, 1)]
        assert catalog.explain(where("original.x.y") == 1)

    def test_random_questions_have_the_matchers_answers(self, catalog: DocumentCatalog) -> None:
        from lightwell.catalog import matches

        documents = filled(catalog, odd_rows(60))
        for query in random_queries(documents, self.SAME_ANSWERS, seed=2013):
            wanted = [each for each in documents if matches(query, each)]
            shown = sum(not each.get("retired") for each in wanted)
            pids = {each["pid"] for each in wanted}
            assert differing(catalog, query, pids, shown=shown) is None

    def test_random_facets_are_those_of_the_matcher(self, catalog: DocumentCatalog) -> None:
        reference = MemoryCatalog()
        rows = odd_rows(60)
        documents = filled(catalog, rows)
        reference.rebuild(rows, journal_end=0, by=MIA)
        fields = ("owner", "flags", "sample", "sample.name", "entry.a", "a.b", "entry.0", "energy")
        queries = [where("pid").exists(), *random_queries(documents, 3, seed=7)]
        for field in (*fields, "kind", "path", "beamline", "replicas.tier", "original.x.y"):
            for query in queries:
                with catalog.reading() as here, reference.reading() as there:
                    for newest in (None, 7):
                        found = here.facet(field, query, at_most=1000, newest=newest)
                        wanted = there.facet(field, query, at_most=1000, newest=newest)
                        assert found == wanted, (field, query, newest)
