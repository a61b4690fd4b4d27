"""Iterations are looked at while they run: what is shown is true, and results keep their bits."""

import dataclasses
import itertools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chains
import jax.numpy as jnp
import numpy as np
import pytest
import runs

from lightwell.engines import Outcome, iterating, walk
from lightwell.engines.drawing import Drawing, Glimpses
from lightwell.engines.glimpses import EVERY_S, GLIMPSE, REST, Glimpsing, Looks
from lightwell.engines.iterating import IterationWork, Needs, foresee_iteration
from lightwell.engines.local import LocalEngine
from lightwell.engines.workers import Workers
from lightwell.errors import MemoryShortage
from lightwell.products import Product
from lightwell.steps import Input

KINDS: Mapping[str, tuple[type[Product], str]] = {
    # Tile by tile, along an axis that only one of its arrays has.
    "clustered": (chains.Mixture, "row"),
    # On all data, and of a volume one slice alone.
    "relaxed": (chains.Volume, "row"),
}


class Album:
    """Keeps what it is asked to draw, and what was told of it."""

    def __init__(self) -> None:
        self.shown: list[Glimpses] = []
        self.events: list[Mapping[str, Any]] = []

    def draw(self, glimpses: Glimpses) -> tuple[list[Path], list[str]]:
        self.shown.append(glimpses)
        return [Path("folder", "picture.png")], []

    def told(self) -> list[Mapping[str, Any]]:
        return [event for event in self.events if event["event"] == "pictures"]


@pytest.fixture
def album(monkeypatch: pytest.MonkeyPatch) -> Album:
    """Looked at after every iteration."""
    monkeypatch.setattr(walk, "EVERY_S", 0.0)
    monkeypatch.setattr(walk, "REST", 0.0)
    return Album()


def watched(name: str, folder: Path, album: Album, **options: Any) -> Outcome:
    job = runs.job(name, folder, on_event=album.events.append, **options)
    return LocalEngine().run(
        dataclasses.replace(job, glimpses=list(KINDS.values()), draw=album.draw)
    )


@pytest.mark.parametrize("name", KINDS)
def test_what_is_shown_is_what_a_shorter_run_gives(tmp_path: Path, album: Album, name: str) -> None:
    unseen = runs.run(name, tmp_path / "unseen")
    seen = watched(name, tmp_path / "seen", album)
    assert seen.output.digest == unseen.output.digest
    assert seen.metrics == unseen.metrics
    assert len(album.shown) == len(album.told()) > 0
    product, axis = KINDS[name]
    # Compared now, when the memory of those states has long been used for others.
    pairs = list(zip(album.told(), album.shown, strict=True))
    for event, glimpses in {0: pairs[0], -1: pairs[-1]}.values():
        folder, iteration = tmp_path / f"{event['iteration']}", event["iteration"]
        shorter = runs.run(name, folder, given={"iterations": iteration + 1})
        arrays = runs.arrays_of(shorter, folder)
        for array, dims in product.dims().items():
            whole = arrays[array]
            if axis in dims.names:
                middle = whole.shape[dims.names.index(axis)] // 2
                whole = whole.take([middle], axis=dims.names.index(axis))
            np.testing.assert_array_equal(getattr(glimpses[product, axis], array), whole)
    assert album.told()[0]["names"] == ["picture.png"]
    assert album.told()[0]["folder"] == "folder"


def test_the_middle_of_a_selection_is_shown(tmp_path: Path, album: Album) -> None:
    watched("relaxed", tmp_path, album, slices=(2, 5, None))
    once = runs.run("relaxed", tmp_path / "once", given={"iterations": 1})
    first = runs.arrays_of(once, tmp_path / "once")["data"]
    assert album.told()[0]["iteration"] == 0
    [shown] = album.shown[0][chains.Volume, "row"].arrays().values()
    np.testing.assert_array_equal(shown, first[3:4])


def test_only_the_last_step_is_looked_at(tmp_path: Path, album: Album) -> None:
    recipe = (Input("data", chains.Volume) | chains.relax | chains.segment).named("test.marked")
    job = runs.job("relaxed", tmp_path, on_event=album.events.append)
    job = dataclasses.replace(
        job,
        recipe=recipe,
        sources={"data": runs.slices()},
        settings=recipe.settings({"threshold": 0.5}, lambda _: None),
        glimpses=[(chains.Volume, "row")],
        draw=album.draw,
    )
    found = LocalEngine().run(job)
    assert list(found.glimpses) == [(chains.Volume, "row")]
    assert album.shown == []


def test_nothing_is_shown_where_the_budget_has_no_room_for_it(
    tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iterating, "_DRAWING", 4 * runs.GB)
    watched("clustered", tmp_path, album)
    assert album.shown == []


def test_where_memory_was_short_the_next_try_goes_without_pictures(
    tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Looks | None] = []
    call = Workers.call

    def short(workers: Workers, command: str, *arguments: Any) -> Any:
        if command == "iterate_tiles":
            asked.append(arguments[-1])
            if len(asked) == 1:
                raise MemoryShortage("a worker was killed")
        return call(workers, command, *arguments)

    monkeypatch.setattr(Workers, "call", short)
    found = watched("clustered", tmp_path, album)
    assert len(found.metrics["distance"]) == 15
    assert asked == [Looks({"row": 4}, 0.0, 0.0), None]
    assert album.shown == []


def test_room_is_what_the_iteration_leaves_of_the_budget() -> None:
    source = runs.slices(22, 32)
    work = IterationWork.of(chains.cluster, {"rows": 4}, source)
    small = foresee_iteration(
        chains.cluster, chains.cluster.complete({}), source, work.tile, "shapes"
    )
    assert small.gives == {"mean": ((3, 32, 32), "float32"), "kind": ((22,), "int32")}
    assert small.product == 4 * (3 * 32 * 32 + 22)
    assert work.may_be_shown(small, 4 * runs.GB)
    assert not work.may_be_shown(small, runs.GB // 4)
    large = dataclasses.replace(small, gives={"mean": ((3, 8192, 8192), "float32")})
    assert not work.may_be_shown(large, 4 * runs.GB)
    assert work.may_be_shown(large, 16 * runs.GB)
    assert not work.may_be_shown(Needs(small.state, small.working), 4 * runs.GB)


class Watch:
    """A clock that goes when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_looking_takes_a_fiftieth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = Watch(), []
    monkeypatch.setattr("lightwell.engines.glimpses.time", clock)

    def finish(state: Any) -> Product:
        clock.now += 3.0
        return chains.Volume(state)

    def say(_: str, **facts: Any) -> None:
        told.append((clock.now, facts["iteration"]))

    glimpsing = Glimpsing("relax", finish, Looks({"row": 1}, EVERY_S, REST), say)
    for iteration in range(2000):
        clock.now += 0.5
        glimpsing.look(jnp.zeros((3, 4, 4)), iteration)
    assert told[0] == (113.0, 19)
    ends = [end for end, _ in told]
    assert len(ends) > 3
    # From the end of one look to the end of the next: 3 s of looking are a fiftieth of it.
    assert all(150.0 <= end - before <= 151.0 for before, end in itertools.pairwise(ends))


def test_a_fault_costs_further_glimpses_and_nothing_else() -> None:
    told: list[Mapping[str, Any]] = []
    asked: list[int] = []

    def finish(state: Any) -> Product:
        asked.append(1)
        raise ZeroDivisionError("of nothing")

    looks = Looks({"row": 1}, 0.0, 0.0)
    glimpsing = Glimpsing("relax", finish, looks, lambda event, **facts: told.append(facts))
    for iteration in range(3):
        glimpsing.look(jnp.zeros((3, 4, 4)), iteration)
    assert len(asked) == 1
    assert [facts["iteration"] for facts in told] == [0]
    assert "relax, looked at while it runs, failed with ZeroDivisionError" in told[0]["fault"]
    events: list[Mapping[str, Any]] = []
    with Drawing(lambda _: ([], []), events.append) as drawing:
        drawing.tell({"event": GLIMPSE, **told[0]})
    [event] = events
    assert (event["event"], event["names"]) == ("pictures", [])
    assert event["undrawn"] == [told[0]["fault"]]


def test_who_draws_slowly_is_shown_the_newest() -> None:
    events: list[Mapping[str, Any]] = []
    may_end = threading.Event()
    threads = set()

    def draw(products: Any) -> tuple[list[Path], list[str]]:
        assert may_end.wait(60)
        return [Path("folder", f"{products}.png")], []

    def tell(event: Mapping[str, Any]) -> None:
        threads.add(threading.current_thread())
        events.append(event)

    with Drawing(draw, tell) as drawing:
        for number in range(4):
            drawing.tell({"event": GLIMPSE, "iteration": number, "products": number})
        drawing.tell({"event": "iteration-done", "iteration": 4})
        assert [event["event"] for event in events] == ["iteration-done"]
        may_end.set()
        assert drawing._drawn is not None
        drawing._drawn[1].result(60)
        drawing.tell({"event": "iteration-done", "iteration": 5})
    pictures = [event["names"] for event in events if event["event"] == "pictures"]
    assert pictures == [["0.png"], ["3.png"]]
    assert threads == {threading.current_thread()}


def test_without_anybody_who_draws_glimpses_go_nowhere() -> None:
    events: list[Mapping[str, Any]] = []
    with Drawing(None, events.append) as drawing:
        drawing.tell({"event": GLIMPSE, "iteration": 0, "products": {}})
    assert events == []
