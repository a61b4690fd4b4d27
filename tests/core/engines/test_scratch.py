"""Frames in chunks that cross all tiles are read once, and laid out a block for every tile."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chains
import numpy as np
import pytest
import runs

from lightwell.engines import rechunk, scratch
from lightwell.engines.grains import grain_of
from lightwell.engines.local import LocalEngine
from lightwell.engines.outline import outline
from lightwell.engines.scratch import Scratch, ScratchArray
from lightwell.engines.sources import Source
from lightwell.errors import DamagedResult, InputError, Interrupted
from lightwell.hdf5 import Hdf5Array, writing
from lightwell.stacks import ArrayInMemory, take

WIDTH = 512


def laid_out(folder: Path, values: np.ndarray, along: int, block: int, held: Any) -> ScratchArray:
    found = ScratchArray(
        str(folder / "a.raw"), values.shape, values.dtype, along, block, tuple(held)
    )
    Scratch(folder, {"a": found}).open(held)
    return found


@pytest.mark.parametrize("along", [0, 1, 2])
@pytest.mark.parametrize("held", [range(3), (0, 2), (1,)])
def test_what_is_laid_out_anew_reads_as_before(along: int, held: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9999, (11, 10, 9), np.uint16)
    array = laid_out(tmp_path / "s", values, along, 4, held)
    low = min(held) * 4
    for start in range(0, 11, 3):
        cut = [slice(None)] * 3
        cut[along] = slice(low, None)
        cut[0] = slice(start, start + 3)
        array.write(start, values[tuple(cut)], start if along == 0 else low)
    for number in held:
        for first, last in [(0, 4), (1, 3), (3, 9)]:
            where = [slice(None)] * 3
            stop = min(last, 4 if number + 1 not in held else 9)
            where[along] = slice(number * 4 + first, number * 4 + stop)
            where[2 if along < 2 else 0] = slice(2, 8)
            np.testing.assert_array_equal(array.read(tuple(where)), values[tuple(where)])


def test_a_block_that_is_not_there_is_no_zeros(tmp_path: Path) -> None:
    array = laid_out(tmp_path / "s", np.ones((5, 12), np.float32), 1, 4, (0, 2))
    with pytest.raises(DamagedResult, match="no block 1"):
        array.read((slice(None), slice(3, 6)))


def test_only_what_this_boot_left_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = laid_out(tmp_path / "s", np.ones((5, 12), np.float32), 1, 4, (0, 1, 2))
    first = Scratch(tmp_path / "s", {"a": array})
    first.open({0, 1, 2})
    first.finish("a", 0, 3)
    first.release([1])
    again = Scratch(tmp_path / "s", {"a": array})
    again.open({0, 2})
    assert again.done == {("a", 0, 3)}
    assert again.released == {1}
    again.open({1, 2})
    assert not again.done, "a block was given back that is needed again"
    again.finish("a", 0, 3)
    monkeypatch.setattr(scratch, "boot", lambda: "another")
    restarted = Scratch(tmp_path / "s", {"a": array})
    restarted.open({0})
    assert not restarted.done


def test_no_room_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="of scratch are needed to read the frames only once"):
        laid_out(tmp_path / "s", np.ones((5, 12), np.float32), 1, 4, (0, 1, 2))
    assert not (tmp_path / "s").exists()


@pytest.fixture
def framed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """The scan of the tests in a file, a compressed chunk to a frame."""
    monkeypatch.setattr(rechunk, "SMALL", 0)
    found = {name: array.read() for name, array in runs.scan(width=WIDTH).arrays.items()}
    frames = found.pop("frames")
    with writing(tmp_path / "scan.h5") as file:
        file.create_dataset("frames", data=frames, chunks=(1, *frames.shape[1:]), compression=1)
    stored = take(Hdf5Array.find(tmp_path / "scan.h5", "frames"), np.arange(len(frames)))
    rest = {name: ArrayInMemory(values) for name, values in found.items()}
    return {"data": Source(chains.Scan, {"frames": stored, **rest})}


def test_compressed_frames_are_read_once(framed: dict[str, Source], tmp_path: Path) -> None:
    assert grain_of(framed["data"].arrays["frames"]) == (1, 22, WIDTH)
    plain = runs.run("volume", tmp_path / "plain", sources={"data": runs.scan(width=WIDTH)})
    wanted = [(chains.Sinograms, "row")]
    found = runs.run("volume", tmp_path / "job", sources=framed, workers=2, glimpses=wanted)
    assert found.output.digest == plain.output.digest
    [laid] = found.report["scratch"]
    stored = (tmp_path / "scan.h5").stat().st_size
    # Each of two workers opens the file and has HDF5 read a chunk to compare with.
    assert laid["read_bytes"] <= 1.1 * stored + 2 * (64 << 10)
    assert found.report["sections"][0]["source_bytes"] == 0
    assert set(found.glimpses) == set(wanted)
    assert not list((tmp_path / "job").glob("scratch*"))


class _Stop:
    def __init__(self, engine: LocalEngine, kind: str, number: int) -> None:
        self.engine, self.kind, self.left = engine, kind, number

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.left -= event["event"] == self.kind
        if self.left == 0:
            self.engine.stop()


@pytest.mark.parametrize(("kind", "number"), [("scratch-part", 2), ("sampled", 1), ("segment", 3)])
def test_a_job_stopped_with_scratch_resumes_to_the_same_bits(
    kind: str,
    number: int,
    framed: dict[str, Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rechunk, "_PART_BYTES", 1)
    engine = LocalEngine()
    stopping = _Stop(engine, kind, number)
    spec = runs.job("volume", tmp_path / "job", sources=framed, on_event=stopping)
    with pytest.raises(Interrupted):
        engine.run(spec)
    events: list[str] = []
    told = {"on_event": lambda event: events.append(event["event"])}
    again = runs.run("volume", tmp_path / "job", sources=framed, workers=2, **told)
    assert events.count("scratch-part") == max(6 - number, 0) if kind == "scratch-part" else True
    assert kind == "scratch-part" or "scratch-part" not in events
    plain = runs.run("volume", tmp_path / "plain", sources={"data": runs.scan(width=WIDTH)})
    assert again.output.digest == plain.output.digest


def test_slices_lay_out_no_other_tiles(framed: dict[str, Source], tmp_path: Path) -> None:
    found = runs.run(
        "volume", tmp_path, sources=framed, given={"axis": 12.0}, slices=(9, 10, 1), glimpses=[]
    )
    assert found.report["scratch"] == [], "one slab reads the frames once as they are"
    found = runs.run("volume", tmp_path, sources=framed, given={"axis": 12.0}, slices=(2, 18, 15))
    [laid] = found.report["scratch"]
    # Rows 2 and 17 are in the tiles 0 and 4, which need their neighbours.
    assert laid["bytes"] == 5 * 4 * 6 * WIDTH * 4


@pytest.mark.parametrize("name", ["volume", "labels", "cleaned", "relaxed", "lines", "totals"])
def test_the_outline_tells_what_the_walk_does(name: str, tmp_path: Path) -> None:
    spec = runs.job(name, tmp_path)
    told = outline(spec.recipe, spec.settings)
    found = LocalEngine().run(spec).report["sections"]
    sections = [stretch for stretch in told if stretch.purpose in ("section", "result")]
    assert [[step.name for step in s.steps] for s in sections] == [s["steps"] for s in found]
    assert [s.axis for s in sections] == [s["axis"] for s in found]
