"""No question that is promised to be quick looks at every document, in either store."""

from collections.abc import Callable, Iterator

import pytest
from mongod_server import Mongod

from lightwell.catalog import EVERY, Query, SqliteCatalog, parse_query, where
from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.records import CatalogRow
from lightwell.manifests import Manifest
from lightwell.testing.catalog_documents import beamline_documents
from lightwell.testing.catalogs import MIA
from lightwell_backends.mongodb import MongoCatalog

SMALL, LARGE = 400, 4000
PROMISED: dict[str, Query] = {
    "the newest": EVERY,
    "a pid": where("pid") == "lw-x",
    "a path": where("path") == "/data/x",
    "the newest of a kind": where("kind") == "raw",
    "the newest of a definition": where("definition") == "NXsas",
    "the newest of an owner": where("owner") == "user7",
    "the newest of a proposal": where("proposal") == "ALS-00007",
    "the newest of a beamline": where("beamline") == "ALS 8.3.2",
    "a range": parse_query("energy > 30 keV and energy < 31 keV"),
    "a nested number": parse_query("original.scan_number >= 20 and original.scan_number < 30"),
    "a value of a list": where("flags") == "missing-source",
    "one of several": where("sample.name").one_of("Hornby_shale", "AgB"),
    "what is there": where("entry.nothing").exists(),
    "the beginning of a word": parse_query("words chil"),
    "two words": parse_query("words 2013 chil"),
    "this or that": parse_query("owner = user7 or proposal = ALS-00007"),
    "results of a dataset": where("derived_from") == "lw-x",
    "rare among many": parse_query("kind = raw and original.scan_number = 7"),
}


def rows(count: int) -> Iterator[CatalogRow]:
    for each in beamline_documents(count, attributes=30):
        yield CatalogRow(each, Manifest(each["manifest"]["root"], ()), ())


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[int, SqliteCatalog]:
    folder = tmp_path_factory.mktemp("explain")
    found = {count: SqliteCatalog(folder / f"{count}.sqlite") for count in (SMALL, LARGE)}
    for count, catalog in found.items():
        assert catalog.rebuild(rows(count), journal_end=0, by=MIA)
    return found


@pytest.fixture(scope="module")
def served(mongod: Mongod) -> Iterator[DocumentCatalog]:
    catalog = MongoCatalog(mongod.url("explain"))
    assert catalog.rebuild(rows(SMALL), journal_end=0, by=MIA)
    yield catalog
    catalog.close()


@pytest.mark.parametrize("name", PROMISED)
def test_sqlite_uses_an_index(name: str, embedded: dict[int, SqliteCatalog]) -> None:
    reason, *steps = embedded[LARGE].explain(PROMISED[name])
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert not scans, (reason, steps)
    assert any("INDEX" in step or "PRIMARY KEY" in step for step in steps), steps


@pytest.mark.parametrize("name", PROMISED)
def test_mongodb_uses_an_index(name: str, served: DocumentCatalog) -> None:
    steps = served.explain(PROMISED[name])
    assert not any("COLLSCAN" in step for step in steps), steps
    assert any("IXSCAN" in step or "IDHACK" in step for step in steps), steps


def _work(catalog: SqliteCatalog, ask: Callable[[SqliteCatalog], object]) -> int:
    """Return how many hundred steps the database's machine takes to answer."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    connection = catalog._connections.connection()
    connection.set_progress_handler(count, 100)
    ask(catalog)
    connection.set_progress_handler(None, 0)
    return steps[0]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda c: c.find(), id="newest 20"),
        pytest.param(lambda c: c.find(where("beamline") == "ALS 8.3.2"), id="of a beamline"),
        pytest.param(lambda c: c.find(PROMISED["a nested number"]), id="range"),
        pytest.param(lambda c: c.find(PROMISED["a pid"]), id="lookup"),
        pytest.param(lambda c: c.count(at_most=100), id="count"),
        pytest.param(lambda c: c.count(where("energy") > 6000, at_most=100), id="count of many"),
        pytest.param(lambda c: c.facet("beamline"), id="facet"),
        pytest.param(lambda c: c.facet("owner"), id="facet of a column"),
        pytest.param(
            lambda c: c.facet("owner", where("beamline") == "ALS 8.3.2", among=100),
            id="facet of a beamline",
        ),
        pytest.param(
            lambda c: c.as_seen_through([{"kind": "raw"}]).facet("sample", among=100),
            id="facet of what is seen",
        ),
        pytest.param(lambda c: c.pids(where("frames.count").exists()), id="who has frames"),
    ],
)
def test_the_work_does_not_grow_with_the_catalog(
    ask: Callable[[SqliteCatalog], object], embedded: dict[int, SqliteCatalog]
) -> None:
    small, large = (_work(embedded[count], ask) for count in (SMALL, LARGE))
    # A scan would take ten times as many; the slack is for estimates, which end at a root.
    assert large <= 4 * small + 60, (small, large)


def test_a_range_whose_bounds_are_each_common(embedded: dict[int, SqliteCatalog]) -> None:
    number = where("original.scan_number")
    work = {}
    for count, catalog in embedded.items():
        middle = (number >= count // 2) & (number < count // 2 + 10)
        work[count] = _work(catalog, lambda c, query=middle: c.find(query))
        assert len(catalog.find(middle)) == 10
    assert work[LARGE] <= 4 * work[SMALL] + 60, work
