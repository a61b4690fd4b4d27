"""Iterations tile by tile: the same bits in memory or streamed, resumed, within a budget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chains
import h5py
import numpy as np
import pytest
import runs

from lightwell.engines import Source
from lightwell.engines.iterating import IterationWork, Needs
from lightwell.engines.local import LocalEngine
from lightwell.engines.plan import plan_job
from lightwell.errors import InputError, Interrupted, LightwellError
from lightwell.hdf5 import Hdf5Array
from lightwell.steps import iterate_step


def stored(folder: Path, rows: int = 22, width: int = 32) -> Source:
    """Slices in a file, a few in a chunk, so that tiles and chunks do not fall together."""
    values = np.random.default_rng(3).random((rows, width, width), np.float32)
    path = folder / "slices.h5"
    if path.exists():
        path.unlink()
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(3, width, width))
    return Source(chains.Volume, {"data": Hdf5Array.find(path, "data")})


def test_streamed_equals_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runs.run("clustered", tmp_path / "a", sources={"data": stored(tmp_path)})
    monkeypatch.setattr(IterationWork, "fits_whole", lambda *_: False)
    streamed = runs.run("clustered", tmp_path / "b", sources={"data": stored(tmp_path)})
    assert streamed.output.digest == whole.output.digest
    assert streamed.metrics == whole.metrics
    assert len(whole.metrics["distance"]) == 15
    assert whole.metrics["distance"][-1] < whole.metrics["distance"][0]


def test_the_tile_is_the_steps_and_the_notebook_takes_the_same(tmp_path: Path) -> None:
    source = stored(tmp_path)
    found = runs.run("clustered", tmp_path / "a", sources={"data": source}, given={"rows": 5})
    product = chains.Volume.of(data=source.arrays["data"].read())
    called = chains.cluster(product, iterations=15, kinds=3, rows=5)
    arrays = runs.arrays_of(found, tmp_path)
    np.testing.assert_allclose(arrays["mean"], called.mean, rtol=1e-5)
    np.testing.assert_array_equal(arrays["kind"], called.kind)
    assert arrays["kind"].shape == (22,)


class _Stop:
    def __init__(self, engine: LocalEngine, iteration: int) -> None:
        self.engine, self.iteration = engine, iteration

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event.get("iteration") == self.iteration:
            self.engine.stop()


@pytest.mark.parametrize("iteration", [0, 9])
def test_a_stopped_one_resumes_to_the_same_bits(tmp_path: Path, iteration: int) -> None:
    sources = {"data": stored(tmp_path)}
    whole = runs.run("clustered", tmp_path / "whole", sources=sources)
    engine = LocalEngine()
    stopping = _Stop(engine, iteration)
    with pytest.raises(Interrupted):
        engine.run(runs.job("clustered", tmp_path / "job", sources=sources, on_event=stopping))
    rounds: list[int] = []
    again = runs.run(
        "clustered",
        tmp_path / "job",
        sources=sources,
        on_event=lambda event: rounds.append(event.get("iteration", -1)),
    )
    assert again.output.digest == whole.output.digest
    assert again.metrics == whole.metrics
    # It went on for some iterations until it heard of it; states are stored after every fourth.
    resumed_at = min(i for i in rounds if i >= 0)
    assert resumed_at % 4 == 0
    assert resumed_at >= (iteration + 1) // 4 * 4


def test_it_stops_by_its_own_rule_and_says_why(tmp_path: Path) -> None:
    events: list[Mapping[str, Any]] = []
    given = {"tolerance": 0.5}
    found = runs.run("clustered", tmp_path, given=given, on_event=events.append)
    assert len(found.metrics["distance"]) == 4
    assert "small enough" in next(e["reason"] for e in events if e["event"] == "iteration-stopped")
    # Resumed after it stopped, it has nothing left to do.
    (tmp_path / "whole_0").rename(tmp_path / "gone")
    again = runs.run("clustered", tmp_path, given=given)
    assert again.metrics == found.metrics


def test_a_step_that_holds_too_much_is_refused_with_the_number(tmp_path: Path) -> None:
    source = stored(tmp_path)
    with pytest.raises(InputError, match=r"cluster needs 1\.10 GB: 0\.00 GB for 4 points"):
        IterationWork.of(chains.cluster, {"rows": 4}, source).check(Needs(10**9, 10**8), 2**29)
    with pytest.raises(InputError, match=r"relax needs .* for all its data, 2\.00 GB for what it"):
        IterationWork.of(chains.relax, {}, source).check(Needs(10**9, 10**9), 2**29)


def test_the_plan_knows_what_it_takes(tmp_path: Path) -> None:
    plan = plan_job(runs.job("clustered", tmp_path, sources={"data": stored(tmp_path)}))
    section = plan.sections[0]
    assert (section.purpose, section.steps, section.tile) == ("iterate", ("cluster",), 4)
    assert section.tiles == 6
    assert section.unknown is None
    assert section.peak_bytes > section.stored == 22 * 32 * 32 * 4


def test_what_is_wrong_is_said_where_the_step_is_defined() -> None:
    with pytest.raises(LightwellError, match="without over"):
        iterate_step(tile=3)(chains.relax.function)
    with pytest.raises(LightwellError, match="has to be TiledIteration"):
        iterate_step(over="row")(chains.relax.function)
    with pytest.raises(LightwellError, match="no parameter 'lines'"):
        iterate_step(over="row", tile="lines")(chains.cluster.function)
    with pytest.raises(LightwellError, match="no axis"):
        iterate_step(over="rows")(chains.cluster.function)
