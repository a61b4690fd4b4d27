"""One suite over every catalog: matcher, SQLite, MongoDB with and without transactions."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mongod_server import Mongod

from lightwell.catalog import SqliteCatalog
from lightwell.catalog.base import DocumentCatalog
from lightwell.testing.catalogs import CatalogContract, Opener
from lightwell.testing.memory import MemoryCatalog
from lightwell_backends.mongodb import MongoCatalog

NAMES = itertools.count()


class TestMatcher(CatalogContract):
    @pytest.fixture
    def open_catalog(self) -> Opener:
        only = MemoryCatalog()

        def opened(**options: object) -> DocumentCatalog:
            again = only.as_seen_through([])
            again._schemas = dict(options.get("schemas", {}))  # type: ignore[call-overload]
            return again

        return opened


class TestSqlite(CatalogContract):
    @pytest.fixture
    def open_catalog(self, tmp_path: Path) -> Opener:
        return lambda **options: SqliteCatalog(tmp_path / "catalog.sqlite", **options)


class TestMongod(CatalogContract):
    @pytest.fixture
    def open_catalog(self, mongod: Mongod) -> Iterator[Opener]:
        yield from _opened(mongod)


class TestMongodReplicaSet(CatalogContract):
    @pytest.fixture
    def open_catalog(self, mongod_set: Mongod) -> Iterator[Opener]:
        yield from _opened(mongod_set)


def _opened(server: Mongod) -> Iterator[Callable[..., MongoCatalog]]:
    name = f"contract{next(NAMES)}"
    yield lambda **options: MongoCatalog(server.url(name), **options)
    catalog = MongoCatalog(server.url(name))
    catalog._server.client.drop_database(name)
    catalog.close()
