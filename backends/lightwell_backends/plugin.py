"""What the backends offer lightwell: a catalog in MongoDB.

A backend ships once it passes the contract shared by all of its kind.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lightwell import hookimpl

if TYPE_CHECKING:
    from lightwell.catalog.backends import CatalogBackend
    from lightwell.catalog.base import DocumentCatalog

lightwell_api = 1


@hookimpl
def provide_catalogs() -> "Iterable[CatalogBackend]":
    from lightwell.catalog.backends import CatalogBackend

    return [CatalogBackend("mongodb", _mongodb), CatalogBackend("mongodb+srv", _mongodb)]


def _mongodb(url: str, schemas: Mapping[str, Any]) -> "DocumentCatalog":
    from lightwell_backends.mongodb import MongoCatalog

    return MongoCatalog(url, schemas=schemas)
