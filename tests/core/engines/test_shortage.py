"""Short of memory, a job goes on with smaller slabs and the same tiles, and ends with its bits."""

import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import runs

from lightwell.engines.workers import Workers
from lightwell.errors import LightwellError, MemoryShortage

COUNT = 24


def job(folder: Path, **given: Any) -> tuple[Any, list[Any]]:
    events: list[Any] = []
    found = runs.run(
        "scarcely",
        folder,
        given=given,
        sources={"data": runs.frames(COUNT, 32)},
        on_event=events.append,
    )
    return found, events


@pytest.mark.parametrize("how", ["python", "xla", "loader", "killed"])
def test_slabs_shrink_and_bits_stay(how: str, tmp_path: Path) -> None:
    whole, _ = job(tmp_path / "whole")
    found, events = job(tmp_path / "short", mark=str(tmp_path / "mark"), how=how)
    assert found.output.digest == whole.output.digest
    assert found.output.tile == whole.output.tile
    shortages = [event for event in events if event["event"] == "shortage"]
    assert [event["tiles"] for event in shortages] == [3, 1]
    assert "memory" in shortages[0]["text"]
    slabs = [e["last"] - e["first"] for e in events if e["event"] == "segment"]
    assert slabs[0] == 1
    assert set(slabs[1:]) == {1}
    assert not runs.leftovers(tmp_path)


def test_one_tile_too_many_ends_the_job_resumably(tmp_path: Path) -> None:
    with pytest.raises(MemoryShortage, match="scarce ran out of memory") as error:
        job(tmp_path, mark=str(tmp_path / "mark"), times=1000)
    assert error.value.exit_status == 75
    assert not runs.leftovers(tmp_path)


class TooLarge:
    """What no worker has the memory to take in."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (1 << 62,)


def test_a_worker_without_memory_for_the_recipe_is_short_of_memory(tmp_path: Path) -> None:
    with (
        Workers(lambda event: None, Event(), cache=tmp_path) as workers,
        pytest.raises(MemoryShortage, match="when it loaded the recipe"),
    ):
        workers.call("section", 0, TooLarge())


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
@pytest.mark.parametrize("megabytes", [60, 120, 250, 400])
def test_a_worker_without_memory_to_start_is_short_of_memory(
    megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -v {1024 * megabytes}\nexec "{sys.executable}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(limited))
    with (
        Workers(lambda event: None, Event(), cache=tmp_path) as workers,
        pytest.raises(MemoryShortage) as error,
    ):
        workers.call("ready")
    assert error.value.exit_status == 75


def test_a_worker_that_cannot_be_loaded_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jax.py").write_text("raise ImportError('made for another machine')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        Workers(lambda event: None, Event(), cache=tmp_path) as workers,
        pytest.raises(LightwellError, match=r"could not start \(ImportError: made for") as error,
    ):
        workers.call("ready")
    assert error.value.exit_status == 1
