"""Where a catalog can be kept, by the beginning of its address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.sqlite import SqliteCatalog
from lightwell.errors import UnknownName
from lightwell.model import Entry
from lightwell.words import nearest

__all__ = ["EMBEDDED", "CatalogBackend", "embedded_path", "open_catalog"]

EMBEDDED = "sqlite"
"""The beginning of the address of a file."""

Schemas = Mapping[str, type[Entry]]


@dataclass(frozen=True, slots=True)
class CatalogBackend:
    """A kind of catalog: `scheme` begins its addresses, `open` takes one and the schemas."""

    scheme: str
    open: Callable[[str, Schemas], DocumentCatalog]


def open_catalog(
    url: str, backends: Mapping[str, CatalogBackend], schemas: Schemas
) -> DocumentCatalog:
    """Open the catalog at an address, `sqlite:///path` or one of a backend.

    Raises `UnknownName` naming the nearest kind there is; what the backend raises.
    """
    scheme = url.partition("://")[0]
    if scheme == EMBEDDED:
        return SqliteCatalog(embedded_path(url), schemas=schemas)
    if "://" not in url or scheme not in backends:
        known = nearest(scheme, (EMBEDDED, *backends))
        raise UnknownName(f"there is no kind of catalog {scheme!r}", remedy=known)
    return backends[scheme].open(url, schemas)


def embedded_path(url: str) -> Path:
    """Return the file of an address.

    >>> str(embedded_path("sqlite:///data/catalog.sqlite"))
    '/data/catalog.sqlite'
    """
    parts = urlsplit(url)
    return Path(unquote(parts.netloc + parts.path))
