"""Questions about the frames of thousands of scans: the frame index against DuckDB over Parquet.

    python benchmarks/frames.py                       # 10 million frames, a minute
    python benchmarks/frames.py --records 100000000   # 100 million: 5 GB of disk, 4 GB of memory
    python benchmarks/frames.py --folder DIR --write  # written once …
    python benchmarks/frames.py --folder DIR --keep   # … and asked, as often as wanted

Both hold the same values of every frame, in the order of time; Parquet with row groups of 20,480
rows and zstd. Two questions are asked: which frames of which scans match (DuckDB gives (scan,
frame) as NumPy arrays, the index runs of frames), and how many (DuckDB gives count(*), the index
the number of each scan). They take turns, both sides warm, with the same number of threads; every
answer is compared before it is timed. Needs `lightwell[bench]`.
"""

# ruff: noqa: S608 - questions to DuckDB are built from our own numbers.

import argparse
import gc
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lightwell.frame_index import FrameIndex, parse_frames_query
from lightwell.frame_index.tables import Records, write_table
from lightwell.frame_index.zones import block_count

PER_TABLE = 1 << 24
COLUMNS = {
    "ring_current": "mA",
    "sample_x": "mm",
    "rotation_angle": "degree",
    "temperature": "K",
    "exposure_time": "s",
    "noise": "",
}
FILL = 60
"""Scans between two fills of the ring."""


def scans_of(first: int, count: int, frames: int) -> dict[str, np.ndarray[Any, Any]]:
    """The values of some scans: a current that decays from fill to fill, motors, and noise."""
    rng = np.random.default_rng(first)
    scan = np.repeat(np.arange(first, first + count), frames)
    inside = np.tile(np.arange(frames) / frames, count)
    since = (scan % FILL + inside) / FILL
    length = count * frames
    return {
        "ring_current": (400 * np.exp(-0.3 * since) + rng.normal(0, 0.01, length)).astype("f4"),
        "sample_x": (10 * inside + rng.normal(0, 0.001, length)).astype("f4"),
        "rotation_angle": 180 * inside,
        "temperature": (295 + np.sin(scan / 700 + inside) + rng.normal(0, 0.05, length)).astype(
            "f4"
        ),
        "exposure_time": np.full(length, 0.1, "f4"),
        "noise": rng.normal(size=length).astype("f4"),
    }


def write_both(folder: Path, records: int, frames: int, connection: Any) -> dict[str, float]:
    """Write the same frames for both, a part at a time; seconds each took."""
    spent = {"index": 0.0, "parquet": 0.0}
    (folder / "parquet").mkdir(parents=True)
    scans = max(1, records // frames)
    at_once = max(1, PER_TABLE // frames)
    for number, first in enumerate(range(0, scans, at_once)):
        count = min(at_once, scans - first)
        values = scans_of(first, count, frames)
        began = time.perf_counter()
        path = folder / "index" / "tables" / f"{number:04d}.h5"
        write_table(path, list(_records(values, first, count, frames)))
        spent["index"] += time.perf_counter() - began
        began = time.perf_counter()
        part = {
            "scan": np.repeat(np.arange(first, first + count, dtype="i4"), frames),
            "frame": np.tile(np.arange(frames, dtype="i4"), count),
            **values,
        }
        connection.register("part", part)
        connection.execute(
            f"COPY (SELECT * FROM part) TO '{folder}/parquet/{number:04d}.parquet' "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
        )
        connection.unregister("part")
        spent["parquet"] += time.perf_counter() - began
        del values, part
        gc.collect()
    return spent


def _records(values: Any, first: int, count: int, frames: int) -> Iterator[Records]:
    for scan in range(count):
        cut = slice(scan * frames, (scan + 1) * frames)
        channels = {(name, COLUMNS[name]): array[cut] for name, array in values.items()}
        yield Records.of(f"lw-{first + scan:016d}", 1 + first + scan, channels)


def questions(scans: int, frames: int) -> list[tuple[str, str, str]]:
    """(kind, question to the index, the same in SQL), about 0.01 %, 1 % and 10 % of the frames."""
    # A whole number of fills, so that shares of the sample are those of everything.
    sample = scans_of(0, min(scans, FILL), min(frames, 2000))
    found = []
    for share in (1e-4, 0.01, 0.1):
        found.append(
            ("prunable", *below("ring_current", np.quantile(sample["ring_current"], share)))
        )
        found.append(("prunable", *between("sample_x", 3, 3 + 10 * share)))
    ring = below("ring_current", np.quantile(sample["ring_current"], 0.1))
    x = between("sample_x", 1, 2)
    found.append(("prunable", f"{ring[0]} and {x[0]}", f"{ring[1]} AND {x[1]}"))
    quantiles = np.quantile(sample["noise"], (1e-4, 0.01, 0.1))
    found += [("noise", *below("noise", value)) for value in quantiles]
    noise, warm = below("noise", -1), below("temperature", np.median(sample["temperature"]))
    found.append(("noise", f"{noise[0]} and {warm[0]}", f"{noise[1]} AND {warm[1]}"))
    return found


def below(name: str, value: Any) -> tuple[str, str]:
    """A comparison for both, with a number that 32 bits hold: what one means, both mean."""
    number = float(np.float32(value))
    return f"{name} < {number!r}", f"{name} < {number!r}::FLOAT"


def between(name: str, low: float, high: float) -> tuple[str, str]:
    """A range for both, likewise."""
    a, b = float(np.float32(low)), float(np.float32(high))
    return f"{name} in [{a!r}, {b!r}]", f"{name} BETWEEN {a!r}::FLOAT AND {b!r}::FLOAT"


def timed(work: Callable[[], Any]) -> float:
    """Seconds a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(folder: Path, connection: Any, arguments: Any) -> list[tuple[str, str, float]]:
    """Ask both every question in turn and print what it took; (kind, question, ratio)."""
    index = FrameIndex(folder / "index", threads=arguments.threads)
    source = f"read_parquet('{folder}/parquet/*.parquet')"
    records = sum(len(each.table) for each in index.tables())
    print(
        f"{'':8} {'share':>8} {'which':>9} {'DuckDB':>9} {'ratio':>7} "
        f"{'count':>9} {'count(*)':>9} {'ratio':>7}  blocks read  question"
    )
    ratios = []
    for kind, text, sql in questions(arguments.records // arguments.frames, arguments.frames):
        query = parse_frames_query(text)

        def which(query: Any = query) -> Any:
            hits = index.select(query)
            return hits, sum(len(each.starts) for each in hits)

        def many(query: Any = query) -> Any:
            return sum(int(each.counts.sum()) for each in index.select(query))

        def theirs(sql: str = sql) -> Any:
            return connection.execute(f"SELECT scan, frame FROM {source} WHERE {sql}").fetchnumpy()

        def counted(sql: str = sql) -> Any:
            return connection.execute(f"SELECT count(*) FROM {source} WHERE {sql}").fetchone()

        hits, _ = which()
        check_equal(hits, theirs(), arguments.frames)
        count = many()
        assert (count,) == counted()
        asked = (which, theirs, many, counted)
        seconds = [[timed(each) for each in asked] for _ in range(arguments.repeat)]
        mine, rows, few, number = map(statistics.median, zip(*seconds, strict=True))
        ratios += [(kind, "which", rows / mine), (kind, "how many", number / few)]
        blocks = sum(each.blocks_read for each in hits)
        total = sum(block_count(len(each.table)) for each in hits)
        print(
            f"{kind:8} {count / records:8.3%} {mine * 1e3:7.1f}ms {rows * 1e3:7.1f}ms "
            f"{rows / mine:7.2f} {few * 1e3:7.1f}ms {number * 1e3:7.1f}ms {number / few:7.2f}  "
            f"{blocks / max(total, 1):10.2%}  {text}",
            flush=True,
        )
    return ratios


def check_equal(hits: Any, rows: Any, frames: int) -> None:
    """Raise AssertionError unless both found the same frames."""
    theirs = np.sort(rows["scan"].astype("i8") * frames + rows["frame"])
    mine = []
    for each in hits:
        first = int(each.table.pids[0][3:]) * frames
        lengths = each.stops - each.starts
        before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
        mine.append(np.arange(lengths.sum()) + np.repeat(each.starts - before, lengths) + first)
    assert np.array_equal(np.sort(np.concatenate(mine)), theirs)


def main() -> None:
    """Write, ask, print."""
    import duckdb

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--frames", type=int, default=20_000, help="frames of a scan")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to write")
    parser.add_argument("--write", action="store_true", help="write, ask nothing; it stays")
    parser.add_argument("--keep", action="store_true", help="ask what lies there; it stays")
    arguments = parser.parse_args()
    stays = arguments.write or arguments.keep
    folder = arguments.folder
    if not stays:
        folder = Path(tempfile.mkdtemp(prefix="lightwell-frames-", dir=folder))
    connection = duckdb.connect()
    connection.execute(f"SET threads = {arguments.threads}")
    connection.execute("SET parquet_metadata_cache = true")
    try:
        spent = {}
        if not arguments.keep:
            spent = write_both(folder, arguments.records, arguments.frames, connection)
        print(
            f"{arguments.records:,} frames in scans of {arguments.frames:,}, {arguments.threads} "
            f"threads each, median of {arguments.repeat}; NumPy {np.__version__}, "
            f"DuckDB {duckdb.__version__}, Python {sys.version.split()[0]}"
        )
        for name, suffix in (("index", "*.h5"), ("parquet", "*.parquet")):
            size = sum(path.stat().st_size for path in (folder / name).rglob(suffix))
            written = f"written in {spent[name]:6.1f} s, " if spent else ""
            print(
                f"{name:8} {written}{size / 1e9:.2f} GB, "
                f"{size / arguments.records:.1f} bytes per frame"
            )
        ratios = [] if arguments.write else compare(folder, connection, arguments)
    finally:
        connection.close()
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)
    for kind, question in dict.fromkeys(each[:2] for each in ratios):
        worst = min(ratio for *each, ratio in ratios if each == [kind, question])
        print(f"{kind}, {question}: never below {worst:.2f} times as fast as DuckDB")


if __name__ == "__main__":
    main()
