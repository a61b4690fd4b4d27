"""Tables and compiled programs are kept by geometry, and change no bit."""

import os
from pathlib import Path
from typing import Any

import chains
import numpy as np
import pytest
import runs

from lightwell.engines import tables
from lightwell.engines.costs import CostRecord
from lightwell.engines.sources import shapes_only
from lightwell.engines.tables import TableCache


def like(angles: int = 6) -> Any:
    source = runs.dark(8, angles=angles)
    arrays = {name: array.read() for name, array in source.arrays.items()}
    return shapes_only(chains.Sinograms, arrays, "row", 22)


class _Counting:
    def __init__(self, step: Any, product: Any, values: Any) -> None:
        self.step, self.product, self.values = step, product, values
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        return self.step.make_plan(self.product, self.values)


def test_tables_are_made_once_for_a_geometry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LEAST", 1)
    cache = TableCache(tmp_path)
    values = {"axis": 3.0, "kind": "cosine"}
    make = _Counting(chains.project, like(), values)
    first = cache.get(chains.project, like(), values, make)
    again = cache.get(chains.project, like(), {**values, "axis": 4.0}, make)
    assert make.count == 1, "the tables do not depend on the axis"
    assert isinstance(again.cos, np.memmap)
    assert type(again) is chains.BackPlan
    np.testing.assert_array_equal(again.cos, make().cos)
    np.testing.assert_array_equal(first.cos, again.cos)
    for other, changed in [(like(7), values), (like(), {**values, "kind": "flat"})]:
        cache.get(chains.project, other, changed, make)
    assert make.count == 4


def test_a_broken_cache_is_made_anew(tmp_path: Path) -> None:
    cache = TableCache(tmp_path)
    values = {"axis": 3.0, "kind": "cosine"}
    make = _Counting(chains.project, like(), values)
    cache.get(chains.project, like(), values, make)
    [entry] = tmp_path.iterdir()
    (entry / "tree.pickle").write_bytes(b"nothing")
    found = cache.get(chains.project, like(), values, make)
    assert make.count == 2
    np.testing.assert_array_equal(found.cos, make().cos)
    assert TableCache(None).get(chains.project, like(), values, make).width == 32


def test_the_oldest_tables_are_forgotten_and_half_written_ones_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    left = tmp_path / f"abc.{platform.node()}.999999999.part"
    mine = tmp_path / f"abc.{platform.node()}.{os.getpid()}.part"
    for each in (left, mine):
        each.mkdir()
    cache = TableCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    mine.rmdir()
    monkeypatch.setattr(tables, "LEAST", 1)
    for angles in (6, 7, 8):
        make = _Counting(chains.project, like(angles), {"axis": 3.0, "kind": "cosine"})
        cache.get(chains.project, like(angles), make.values, make)
        for place, path in enumerate(sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime)):
            os.utime(path, (place, place))
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(tables, "MOST_BYTES", 1)
    make = _Counting(chains.project, like(9), {"axis": 3.0, "kind": "cosine"})
    cache.get(chains.project, like(9), make.values, make)
    assert len(list(tmp_path.iterdir())) == 1
    assert cache.get(chains.project, like(9), make.values, make).width == 32
    assert make.count == 1


@pytest.mark.slow
def test_what_is_kept_of_programs_and_tables_changes_no_bit(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain = runs.run("volume", tmp_path / "plain")
    first = runs.run("volume", tmp_path / "first", cache=cache)
    [programs] = cache.glob("programs-*")
    made = {path.name for path in programs.iterdir()}
    again = runs.run("volume", tmp_path / "again", cache=cache)
    assert {path.name for path in programs.iterdir()} == made, "all were found"
    assert made
    digests = {outcome.output.digest for outcome in (plain, first, again)}
    assert len(digests) == 1
    assert any(cache.joinpath("tables").iterdir())


def test_costs_are_remembered_and_a_broken_record_is_none(tmp_path: Path) -> None:
    record = CostRecord(tmp_path)
    assert record.find("a") is None
    record.note("a", 1.5)
    record.note("b", 2.5)
    assert CostRecord(tmp_path).find("a") == 1.5
    (tmp_path / "costs.json").write_text("[")
    assert record.find("a") is None
    record.note("a", 1.0)
    assert record.find("a") == 1.0
    CostRecord(None).note("a", 1.0)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        record.note("a", 3.0)
        assert record.find("a") == 1.0
