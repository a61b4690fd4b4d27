"""How quick catalogs are: SQLite and MongoDB through lightwell, tiled, and a naive JSON column.

    python benchmarks/catalog.py                                # all of it: hours, some 15 GB
    python benchmarks/catalog.py --small 5000 --large 20000     # minutes
    python benchmarks/catalog.py --folder DIR --load 5          # load for 5 minutes, go on later …
    python benchmarks/catalog.py --folder DIR --keep            # … and measure what is whole

Two sizes of documents of about 30 attributes say what grows with the catalog, a third set has 155
attributes. The stores are asked in turn, question by question; answers are compared before times
are. MongoDB is started from the package of the tests, on this machine.
"""

import argparse
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalog_stores.base import Store
from catalog_stores.embedded import MongoStore, SqliteStore
from catalog_stores.loading import load, loaded_stores, rates
from catalog_stores.naive import NaiveStore
from catalog_stores.together import read_and_write

from lightwell.testing.catalog_documents import beamline_document

sys.path.append(str(Path(__file__).parents[1] / "tests" / "backends"))

NAMES = ("sqlite", "mongodb", "naive")
SLOW_SECONDS = 2.0
SERVER_CACHE = 4.0
PROMISED_MS = 50
"""What facets and capped counts of the embedded catalog take at most."""
NAIVE_AT_MOST = 50_000
"""Beyond it one reading of the naive column takes longer than the measurement of all at once."""


def main() -> None:
    """Load, ask, and print what was measured."""
    options = _options()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(TemporaryDirectory(dir=options.tmp)))
        server = _server(folder / "mongo", stack)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
              f"median of {options.rounds}; ms per question, docs/s to load")  # fmt: skip
        found: dict[str, dict[str, dict[str, float]]] = {}
        for size, (count, attributes) in _sizes(options).items():
            stores = _opened(folder / size, server and server.url(size), stack)
            stores = {name: store for name, store in stores.items() if name in options.stores}
            if not options.keep:
                load(stores, folder / size, count, attributes, options.load or math.inf)
            stores = loaded_stores(folder / size, stores)
            title = f"{size}: {count} documents of {attributes} attributes"
            loading = {"load": rates(folder / size, stores)}
            if options.load:
                _show(title, loading)
                continue
            found[size] = {**loading, **_measured(stores, count, attributes, options)}
            _show(title, found[size])
            others = {n: s for n, s in stores.items() if n != "naive" or count <= NAIVE_AT_MOST}
            read_and_write({name: _place(folder / size, server, size, name) for name in others},
                           _fresh() + 1000, attributes, options.seconds)  # fmt: skip
        if options.tiled and not options.load:
            from catalog_stores.tiled import measure_tiled

            measure_tiled(folder, options.tiled, options.rounds)
    _show_ratios(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--wide", type=int, default=100_000, help="documents of 155 attributes")
    parser.add_argument("--tiled", type=int, default=5_000, help="documents in tiled's catalog")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of readers and writers at once")
    parser.add_argument("--folder", type=Path, help="where the stores lie; they stay")
    parser.add_argument("--stores", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--load", type=float, help="minutes; load the stores, measure nothing")
    parser.add_argument("--keep", action="store_true", help="measure what lies there already")
    parser.add_argument("--tmp", type=Path, help="where to make a folder that goes afterwards")
    return parser.parse_args()


def _sizes(options: argparse.Namespace) -> dict[str, tuple[int, int]]:
    every = {
        "small": (options.small, 30),
        "large": (options.large, 30),
        "wide": (options.wide, 155),
    }
    return {name: size for name, size in every.items() if size[0]}


def _server(folder: Path, stack: ExitStack) -> Any:
    from mongod_server import Mongod, mongod_program

    program = mongod_program()
    if program is None:
        print("no MongoDB server: its package is not installed, so it is left out")
        return None
    server = Mongod(program, folder, cache_gb=SERVER_CACHE)
    stack.callback(server.stop)
    return server


def _place(folder: Path, server: Any, size: str, name: str) -> tuple[str, str]:
    return name, server.url(size) if name == "mongodb" else str(folder)


def _opened(folder: Path, url: str | None, stack: ExitStack) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    stores: dict[str, Any] = {"sqlite": SqliteStore(folder), "naive": NaiveStore(folder)}
    if url is not None:
        stores["mongodb"] = MongoStore(url)
    return {name: stores[name] for name in NAMES if name in stores}


def _fresh() -> int:
    """Return the first of 10,000 numbers of documents that no earlier measurement has put in."""
    return 10_000_000 + int(time.time()) % 100_000 * 10_000


def _questions(
    count: int, attributes: int, new: int
) -> dict[str, tuple[Callable[[Store, int], Any], bool]]:
    """Return what is asked, by name, and whether every store has to answer alike."""

    def some(turn: int) -> int:
        return (turn + 1) * (count // 7) % count // 50 * 50  # never a retired one

    def pid(turn: int) -> str:
        return str(beamline_document(some(turn), attributes=30)["pid"])

    def fresh(turn: int) -> Any:
        return beamline_document(new + turn, attributes=attributes)

    return {
        "point lookup": (lambda s, t: s.point(pid(t)), True),
        "newest 20": (lambda s, t: s.newest(), True),
        "newest 20 of a beamline": (lambda s, t: s.newest_of("ALS 7.3.3"), True),
        "nested range, 10 hits": (lambda s, t: s.between(some(t), some(t) + 10), True),
        "prefix text": (lambda s, t: sorted(s.words("quellon"))[:1], False),
        "rare text": (lambda s, t: s.words(f"{some(t):07d}"), False),
        "facet of beamlines": (lambda s, t: s.facet("beamline"), True),
        "facet of owners": (lambda s, t: sorted(s.facet("owner").values()), True),
        "facet of one beamline": (lambda s, t: s.facet_of("owner", "ALS 7.3.3"), True),
        "capped count, half match": (lambda s, t: s.count(30_000), True),
        "update": (lambda s, t: s.update(pid(t), f"new-{t}"), True),
        "insert": (lambda s, t: s.insert(fresh(t)), True),
    }  # fmt: skip


def _measured(
    stores: dict[str, Any], count: int, attributes: int, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Ask every store every question in turn; return medians in milliseconds."""
    opened = {name: store.open() for name, store in stores.items()}
    same = len({store.loaded() for store in opened.values()}) == 1
    if not same:
        print("answers are not compared: writers have put different numbers into the stores since")
    table: dict[str, dict[str, float]] = {}
    for question, (ask, alike) in _questions(count, attributes, _fresh()).items():
        times: dict[str, list[float]] = {name: [] for name in opened}
        for turn in range(options.rounds + 1):
            answers = {}
            for name, store in opened.items():
                if times[name] and times[name][0] > SLOW_SECONDS:
                    continue  # once is enough to see
                began = time.perf_counter()
                answers[name] = ask(store, turn)
                times[name].append(time.perf_counter() - began)
            if same and alike and len(answers) > 1:
                first, *others = answers.values()
                assert all(each == first for each in others), (question, answers)
        # The first of several is for what has to be read once.
        table[question] = {n: 1000 * statistics.median(t[1:] or t) for n, t in times.items()}
    for store in opened.values():
        store.close()
    return table


def _show(title: str, table: dict[str, dict[str, float]]) -> None:
    names = [name for name in NAMES if any(name in row for row in table.values())]
    print(f"\n{title}\n{'':26}" + "".join(f"{name:>12}" for name in names) + "   sqlite : mongodb")
    for question, row in table.items():
        if row:
            ratio = row["mongodb"] / row["sqlite"] if {"mongodb", "sqlite"} <= set(row) else None
            cells = "".join(f"{row[name]:12.2f}" if name in row else f"{'':12}" for name in names)
            said = f"1 : {ratio:.1f}" + (" (loses)" if ratio < 1 else "") if ratio else ""
            slow = question.startswith(("facet", "capped")) and row.get("sqlite", 0) > PROMISED_MS
            print(f"{question:26}{cells}   {said}" + (f" over {PROMISED_MS} ms" if slow else ""))


def _show_ratios(found: dict[str, dict[str, dict[str, float]]]) -> None:
    if not {"small", "large"} <= set(found):
        return
    if not any("mongodb" in row for row in found["large"].values()):
        print("\nsqlite at the large size : mongodb at the small one")
        for question, row in found["large"].items():
            if question != "load" and "mongodb" in found["small"][question]:
                ratio = found["small"][question]["mongodb"] / row["sqlite"]
                print(f"{question:26}1 : {ratio:.1f}")
    print("\nlarge : small, of the same store")
    for question, row in found["large"].items():
        before = found["small"].get(question, {})
        cells = [f"{name} {row[name] / before[name]:.2f}" for name in row if before.get(name)]
        if cells:
            print(f"{question:26}" + "   ".join(cells))


def _timed(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
