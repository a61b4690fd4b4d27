"""Loading what is measured: piece by piece, gone on with where it was left, each store timed."""

import json
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from catalog_stores.base import Document, Store
from lightwell.testing.catalog_documents import beamline_documents

__all__ = ["load", "loaded_stores", "rates"]

PIECE = 10_000


def load(stores: dict[str, Any], folder: Path, count: int, attributes: int, minutes: float) -> None:
    """Load the stores that are not whole, a piece of each in turn, for so many minutes."""
    end = time.monotonic() + 60 * minutes
    waiting = {name: store for name, store in stores.items() if not _told(folder, name)["whole"]}
    pieces = {name: _pieces(store, count, attributes) for name, store in waiting.items()}
    while waiting and time.monotonic() < end:
        for name, store in tuple(waiting.items()):
            some = next(pieces[name], None)
            if some is None:
                _timed(folder, name, 0, store.finish, whole=True)
                del waiting[name]
            else:
                _timed(folder, name, len(some), lambda s=store, some=some: s.load(some))
    for store in stores.values():
        store.close()


def _pieces(store: Store, count: int, attributes: int) -> Iterable[list[Document]]:
    first = store.loaded()
    every = beamline_documents(count - first, attributes=attributes, first=first)
    while some := list(islice(every, PIECE)):
        yield some


def loaded_stores(folder: Path, stores: dict[str, Any]) -> dict[str, Any]:
    """Return the stores that are whole."""
    return {name: store for name, store in stores.items() if _told(folder, name)["whole"]}


def rates(folder: Path, stores: Iterable[str]) -> dict[str, float]:
    """Return how many documents each store took in per second, indexes and all."""
    told = {name: _told(folder, name) for name in stores}
    return {
        name: each["documents"] / each["seconds"] for name, each in told.items() if each["seconds"]
    }


def _told(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    return {"documents": 0, "seconds": 0.0, "whole": False}


def _timed(
    folder: Path, name: str, documents: int, act: Callable[[], Any], *, whole: bool = False
) -> None:
    began = time.perf_counter()
    act()
    told = _told(folder, name)
    told["documents"] += documents
    told["seconds"] += time.perf_counter() - began
    (folder / f"{name}.json").write_text(json.dumps({**told, "whole": whole}))
