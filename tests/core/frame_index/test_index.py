"""Every answer of the index is that of looking at each frame, whatever was gathered or replaced."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from frame_records import Channels, a_query, by_looking, some_datasets
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lightwell.catalog.query import Compare, Contains, Not, Operator, Query, Text, where
from lightwell.errors import ParameterError
from lightwell.frame_index import FrameIndex, FrameRuns, selecting, tables, zones
from lightwell.frame_index import index as index_module
from lightwell.frame_index.channels import channel_values

EXAMPLES = max(30, round(1500 * float(os.environ.get("LIGHTWELL_SOAK") or 0.02)))


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Blocks of 8 values, so that a few dozen frames make many of them; nothing is synchronised."""
    with pytest.MonkeyPatch.context() as patch:
        writing = sys.modules["lightwell.hdf5.writing"]
        patch.setattr(writing, "_synchronise", lambda path: None)
        for module in (zones, tables, selecting):
            patch.setattr(module, "BLOCK", 8)
        yield


def add(index: FrameIndex, pid: str, channels: Channels) -> None:
    index.add(
        pid,
        {
            (name, kept): values
            for name, (kept, values) in (
                (name, channel_values(name, unit, values))
                for name, (unit, values) in channels.items()
            )
        },
    )


def answer(index: FrameIndex, query: Query, pids: set[str] | None = None) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for hits in index.select(query, pids):
        for place, count in enumerate(hits.counts):
            if count:
                pid, length = hits.table.pids[place], int(hits.table.lengths[place])
                frames = FrameRuns(hits.runs(place), length).frames().tolist()
                assert len(frames) == count
                assert pid not in found
                found[pid] = frames
    return found


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck))
@given(datasets=some_datasets(), queries=st.lists(a_query(), min_size=4, max_size=8))
@pytest.mark.soak
@pytest.mark.usefixtures("small_blocks")
def test_tables_of_larger_blocks_answer_the_same(
    datasets: dict[str, Channels], queries: list[Query]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = FrameIndex(Path(folder), threads=2)
        for pid, channels in datasets.items():
            add(index, pid, channels)
        index.gather(at_least=1)
        with pytest.MonkeyPatch.context() as patch:
            for module in (zones, tables, selecting):
                patch.setattr(module, "BLOCK", 4)
            later = FrameIndex(Path(folder), threads=2)
            for query in queries:
                expected = {p: f for p, c in datasets.items() if (f := by_looking(query, c))}
                assert answer(later, query) == expected


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.soak
@pytest.mark.usefixtures("small_blocks")
def test_an_answer_is_that_of_looking_at_every_frame(data: st.DataObject) -> None:
    datasets = data.draw(some_datasets())
    query = data.draw(a_query())
    seen = set(data.draw(st.lists(st.sampled_from(sorted(datasets)), unique=True)))
    with tempfile.TemporaryDirectory() as folder:
        index = FrameIndex(Path(folder), threads=2)
        for pid, channels in datasets.items():
            add(index, pid, channels)
            if data.draw(st.booleans()):
                index.gather(at_least=1)
        expected = {p: f for p, c in datasets.items() if (f := by_looking(query, c))}
        event("some, not all" if expected and expected != datasets else "none")
        for other in data.draw(st.lists(a_query(), min_size=4, max_size=6)):
            looked = {p: f for p, c in datasets.items() if (f := by_looking(other, c))}
            assert answer(index, other) == looked
        assert answer(index, query) == expected
        assert answer(index, query, seen) == {p: f for p, f in expected.items() if p in seen}
        # What replaces a dataset is what counts, also where the old one is in a table.
        pid = data.draw(st.sampled_from(sorted(datasets)))
        datasets[pid] = data.draw(some_datasets())["lw-0"]
        add(index, pid, datasets[pid])
        expected = {p: f for p, c in datasets.items() if (f := by_looking(query, c))}
        assert answer(index, query) == expected
        index.gather(at_least=1)
        assert answer(index, query) == expected
        index.rebuild()
        assert answer(FrameIndex(Path(folder)), query) == expected
        assert index.problems == {}


def one_table(folder: Path, scans: int = 40, frames: int = 500) -> FrameIndex:
    """Scans in which the ring current falls, and positions and noise that repeat."""
    index = FrameIndex(folder)
    rng = np.random.default_rng(1)
    for scan in range(scans):
        time = scan + np.arange(frames) / frames
        channels: Channels = {
            "ring_current": ("mA", (400 - time).astype("f4")),
            "samx": ("mm", np.linspace(0, 10, frames)),
            "noise": ("", rng.normal(size=frames).astype("f4")),
            "dumped": ("mA", np.where(rng.random(frames) < 0.5, 0.0, 400.0)),
        }
        add(index, f"lw-{scan:02d}", channels)
    index.gather(at_least=1)
    return index


def test_blocks_that_are_sure_are_not_read(tmp_path: Path) -> None:
    index = one_table(tmp_path)
    blocks = zones.block_count(40 * 500)
    [rare] = index.select(where("ring_current") < 361)
    assert rare.counts.sum() == 499
    assert rare.blocks_read <= 2
    [most] = index.select(where("ring_current") > 361)
    assert most.counts.sum() == 39 * 500
    assert most.blocks_read <= 2
    [noise] = index.select(where("noise") > 1)
    assert noise.blocks_read == blocks
    # Smallest and largest say nothing here; that nothing lies between them does.
    [between] = index.select((where("dumped") > 100) & (where("dumped") < 300))
    assert (between.counts.sum(), between.blocks_read) == (0, 0)
    [neither] = index.select(Not(Compare("nobody_has_it", "=", 1)))
    assert (neither.counts.sum(), neither.blocks_read) == (40 * 500, 0)


def test_only_blocks_of_what_may_be_looked_at_are_read(tmp_path: Path) -> None:
    index = one_table(tmp_path)
    [hits] = index.select(where("noise") > 0, {"lw-07"})
    assert hits.blocks_read <= 3
    assert set(np.flatnonzero(hits.counts)) == {7}


def test_32_bits_are_compared_as_the_number_that_was_asked(tmp_path: Path) -> None:
    index = FrameIndex(tmp_path)
    values = np.array([0.1, np.nextafter(np.float32(0.1), 0)], "f4")
    index.add("lw-a", {("x", ""): values})
    # As 64-bit numbers, the 32-bit 0.1 lies above 0.1.
    assert answer(index, where("x") > 0.1) == {"lw-a": [0]}
    assert answer(index, where("x") == 0.1) == {}
    assert answer(index, where("x") == float(values[1])) == {"lw-a": [1]}


@pytest.mark.parametrize(
    ("operator", "value", "frames"),
    [
        (">", 2, [2]),
        (">", 1.5, [1, 2]),
        (">=", 2, [1, 2]),
        ("<", 2, [0]),
        ("<", 2.5, [0, 1]),
        ("<=", 2, [0, 1]),
        ("=", 2, [1]),
        ("=", 2.5, []),
        ("<", 1e300, [0, 1, 2]),
        (">", 1e300, []),
    ],
)
@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8"])
def test_ends_of_every_type(
    tmp_path: Path, dtype: str, operator: Operator, value: float, frames: list[int]
) -> None:
    index = FrameIndex(tmp_path)
    index.add("lw-a", {("x", ""): np.array([1, 2, 3], dtype)})
    found = answer(index, Compare("x", operator, value))
    assert found == ({"lw-a": frames} if frames else {})


def test_tables_stay_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_SMALLEST_LEVEL", 16)
    index = FrameIndex(tmp_path)
    for number in range(60):
        index.add(f"lw-{number:02d}", {("x", ""): np.arange(10) + number})
        index.gather(at_least=2)
    index.gather(at_least=1)
    assert len(list((tmp_path / "tables").glob("*.h5"))) <= 12
    assert len(answer(index, where("x") >= 0)) == 60
    assert index.pids() == {f"lw-{number:02d}" for number in range(60)}


def test_a_damaged_file_is_left_out_and_said(tmp_path: Path) -> None:
    index = FrameIndex(tmp_path)
    for pid in ("lw-a", "lw-b"):
        index.add(pid, {("x", ""): np.arange(3)})
    (tmp_path / "new" / "lw-a.h5").write_bytes(b"nothing")
    assert answer(index, where("x") > 1) == {"lw-b": [2]}
    assert list(index.problems) == ["new/lw-a.h5"]
    assert index.gather(at_least=1) == 1
    index.add("lw-a", {("x", ""): np.arange(3)})
    assert answer(index, where("x") > 1) == {"lw-a": [2], "lw-b": [2]}
    assert index.problems == {}


def test_gathering_hides_nothing_from_who_looks_meanwhile(tmp_path: Path) -> None:
    adding, asking = FrameIndex(tmp_path), FrameIndex(tmp_path)
    stop = threading.Event()
    counts: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            counts.append(len(answer(asking, where("x") >= 0)))
            assert asking.problems == {}

    adding.add("lw-000", {("x", ""): np.arange(3)})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        for number in range(1, 40):
            adding.add(f"lw-{number:03d}", {("x", ""): np.arange(3)})
            adding.gather(at_least=1)
        stop.set()
        asked.result()
    assert counts == sorted(counts)
    assert len(answer(asking, where("x") >= 0)) == 40


@pytest.mark.parametrize("query", [Contains("x", "a"), Text("words")])
def test_words_are_refused(tmp_path: Path, query: Query) -> None:
    index = FrameIndex(tmp_path)
    index.add("lw-a", {("x", ""): np.arange(3)})
    with pytest.raises(ParameterError, match="channels of frames are numbers"):
        index.select(query)


def test_a_text_that_is_no_quantity_is_refused(tmp_path: Path) -> None:
    index = FrameIndex(tmp_path)
    index.add("lw-a", {("x", "mm"): np.arange(3)})
    with pytest.raises(ParameterError, match="'high' is not one"):
        index.select(where("x") == "high")
