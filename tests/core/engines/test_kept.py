"""Kept outputs are begun from where they fit, never where they do not, and change no bit."""

from pathlib import Path
from typing import Any

import chains
import counting
import pytest
import runs

from lightwell.engines import JobSpec, Keeping, Outcome
from lightwell.engines.kept import Shelf, drop_kept, kept_outputs
from lightwell.engines.local import LocalEngine


class Bench:
    """Jobs on one counted source, with or without the outputs that were kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        self.source = counting.counted(runs.scan(), "frames", self.log)
        self.number = 0

    def job(self, keep: tuple[str, ...] | None, inputs: str = "a", **options: Any) -> JobSpec:
        self.number += 1
        keeping = None if keep is None else Keeping(self.folder / "kept", inputs, keep)
        folder = self.folder / f"job_{self.number}"
        return runs.job("volume", folder, sources={"data": self.source}, keeping=keeping, **options)

    def run(self, keep: tuple[str, ...] | None, **options: Any) -> tuple[Outcome, int]:
        before = counting.read_bytes(self.log)
        found = LocalEngine().run(self.job(keep, **options))
        return found, counting.read_bytes(self.log) - before


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_later_parameter_begins_from_what_was_kept(bench: Bench) -> None:
    whole = bench.source.arrays["frames"].values.nbytes  # type: ignore[attr-defined]
    plain, _ = bench.run(None, given={"weight": 0.4})
    first, read = bench.run(("normalise",), given={"weight": 0.3})
    assert read == whole
    [kept] = kept_outputs(bench.folder / "kept")
    assert (kept.step, kept.recipe) == ("normalise", "test.volume")
    again, read = bench.run((), given={"weight": 0.4})
    assert read == 0
    assert again.output.digest == plain.output.digest != first.output.digest
    assert again.estimates == plain.estimates
    assert again.kept == first.kept == {"normalise": again.kept["normalise"]}
    assert again.report["sections"][-1]["begun_from"] == "normalise"
    # An earlier parameter, other data and whoever does not want it read for themselves.
    for options in ({"given": {"floor": 0.1, "axis": 3.0}}, {"inputs": "b"}):
        other, read = bench.run((), slices=(0, 4, 1), **options)
        assert read > 0
        assert not other.kept


def test_slices_add_what_others_lack(bench: Bench) -> None:
    given = {"axis": 3.0}
    _, read = bench.run(("normalise",), given=given, slices=(0, 4, 1))
    whole = bench.source.arrays["frames"].values.nbytes  # type: ignore[attr-defined]
    assert 0 < read < whole
    found, rest = bench.run(("normalise",), given=given)
    assert read + rest == whole
    assert found.output.digest == bench.run(None, given=given)[0].output.digest


def test_what_is_used_is_not_dropped(bench: Bench) -> None:
    bench.run(("normalise",), given={"axis": 3.0}, slices=(0, 4, 1))
    [kept] = kept_outputs(bench.folder / "kept")
    assert kept.size > 0
    keeping = Keeping(bench.folder / "kept", "a")
    with Shelf(keeping, chains.volume) as shelf:
        key = kept.path.name
        assert shelf.take(key, "normalise", make=False) == kept.path
        assert drop_kept([kept]) == ([], [kept])
    assert drop_kept([kept]) == ([kept], [])
    assert kept_outputs(bench.folder / "kept") == []
    assert not kept.path.exists()
