"""Random questions have one answer: the matcher's, SQLite's, and that of real MongoDB servers."""

# ruff: noqa: T201 - the campaign says what it did.

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from mongod_server import Mongod

from lightwell.catalog import SqliteCatalog, from_json, matches, to_json
from lightwell.catalog.base import DocumentCatalog
from lightwell.testing.catalog_documents import attribute_count
from lightwell.testing.catalog_queries import random_queries
from lightwell.testing.catalogs import differing, filled, odd_rows
from lightwell_backends.mongodb import MongoCatalog

DOCUMENTS = 100
CAMPAIGN = 20_000
TELLING = 0.6


@pytest.fixture(scope="module")
def stores(
    mongod: Mongod, mongod_set: Mongod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, DocumentCatalog], list[dict[str, Any]]]]:
    opened: dict[str, DocumentCatalog] = {
        "sqlite": SqliteCatalog(tmp_path_factory.mktemp("same") / "catalog.sqlite"),
        "mongod": MongoCatalog(mongod.url("same")),
        "replica set": MongoCatalog(mongod_set.url("same")),
    }
    rows = odd_rows(DOCUMENTS)
    assert min(attribute_count(row.document) for row in rows) >= 155
    [documents, *_] = [filled(catalog, rows) for catalog in opened.values()]
    yield opened, documents
    for catalog in opened.values():
        catalog.close()


@pytest.mark.soak
def test_every_store_has_the_matchers_answers(
    stores: tuple[dict[str, DocumentCatalog], Sequence[dict[str, Any]]], soak_share: float
) -> None:
    opened, documents = stores
    count = max(int(CAMPAIGN * soak_share), 200)
    differences: list[str] = []
    telling = 0
    began = time.monotonic()
    for query in random_queries(documents, count, seed=count):
        wanted = [each for each in documents if matches(query, each)]
        telling += 0.01 <= len(wanted) / len(documents) <= 0.9
        pids = {each["pid"] for each in wanted}
        shown = sum(not each.get("retired") for each in wanted)
        for name, catalog in opened.items():
            differs = differing(catalog, query, pids, shown=shown)
            differences += [f"{name}: {differs}"] if differs else []
        assert to_json(from_json(to_json(query))) == to_json(query)
    share = telling / count
    print(f"{count} questions, {len(differences)} differences, {share:.1%} tell documents apart, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    assert not differences, differences[:5]
    assert share >= TELLING
