"""Tiled's own catalog on SQLite, through its client in this process, as a notebook uses it."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalog_stores.embedded import SqliteStore
from lightwell.testing.catalog_documents import beamline_document, beamline_documents

__all__ = ["measure_tiled"]


def measure_tiled(folder: Path, count: int, rounds: int) -> None:
    """Load documents into tiled and SQLite, and ask both the questions tiled has words for."""
    try:
        from tiled.catalog import from_uri
        from tiled.client import Context, from_context
        from tiled.queries import Comparison, Eq
        from tiled.server.app import build_app
    except ImportError as error:
        print(f"\ntiled is left out: {error}; pip install 'lightwell[bench]'")
        return
    place = folder / "tiled"
    place.mkdir(parents=True, exist_ok=True)
    documents = list(beamline_documents(count, attributes=30))
    ours = SqliteStore(place)
    load = {"sqlite": _seconds(lambda: (ours.load(documents), ours.finish()))}
    ours.open()
    tree = from_uri(f"sqlite:///{place / 'tiled.sqlite'}", init_if_not_exists=True,
                    writable_storage=str(place / "data"))  # fmt: skip
    with Context.from_app(build_app(tree)) as context:
        client: Any = from_context(context)
        load["tiled"] = _seconds(lambda: [
            client.create_container(key=each["pid"], metadata=each) for each in documents
        ])  # fmt: skip
        print(f"\ntiled: {count} documents, {count / load['tiled']:.0f} docs/s one "
              f"at a time, sqlite {count / load['sqlite']:.0f} in bulk; ms")  # fmt: skip
        number = "entry.original.scan_number.value"
        questions: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
            "point lookup": (
                lambda t: ours.point(_pid(t, count)),
                lambda t: client[_pid(t, count)].metadata["pid"],
            ),
            "newest 20": (
                lambda t: len(ours.newest()),
                lambda t: len(client.sort(("created", -1)).keys().head(20)),
            ),
            "nested range, 10 hits": (
                lambda t: len(ours.between(50 * t, 50 * t + 10)),
                lambda t: len(list(
                    client.search(Comparison("ge", number, 50 * t))
                    .search(Comparison("lt", number, 50 * t + 10))
                )),
            ),
            "facet of beamlines": (
                lambda t: len(ours.facet("beamline")),
                lambda t: len(client.distinct("canonical.beamline", counts=True)["metadata"][
                    "canonical.beamline"]),
            ),
            "newest 20 of a beamline": (
                lambda t: len(ours.newest_of("ALS 7.3.3")),
                lambda t: len(client.search(Eq("canonical.beamline", "ALS 7.3.3"))
                              .sort(("created", -1)).keys().head(20)),
            ),
        }  # fmt: skip
        for name, (mine, theirs) in questions.items():
            times: dict[str, list[float]] = {"sqlite": [], "tiled": []}
            for turn in range(rounds + 1):
                times["sqlite"].append(_seconds(lambda mine=mine, turn=turn: mine(turn)))
                times["tiled"].append(_seconds(lambda theirs=theirs, turn=turn: theirs(turn)))
            a, b = (1000 * statistics.median(times[each][1:]) for each in ("sqlite", "tiled"))
            print(f"{name:26}{a:12.2f}{b:12.2f}   1 : {b / a:.1f}")
    ours.close()


def _pid(turn: int, count: int) -> str:
    return str(beamline_document(turn * 50 % count, attributes=30)["pid"])


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
