"""What changed between two results, said once and by its name, with how far the numbers moved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell import Session
from lightwell.errors import NotFound, ParameterError
from lightwell.session import diff
from lightwell.session.diff import Comparison
from lightwell.stacks import ArrayInMemory


@pytest.fixture
def als(tmp_path: Path) -> Session:
    return lightwell.open()


def scan(als: Session, path: Path, **parameters: Any) -> str:
    als.simulate("tomography", path, width=32, rows=3, angles=24, **parameters)
    return als.ingest(path)[0].pid


def told(found: Comparison) -> list[str]:
    return [str(difference) for difference in found.differences]


def test_parameters_with_their_origin_and_the_numbers(als: Session, tmp_path: Path) -> None:
    raw = scan(als, tmp_path / "a.h5")
    one = als.run("tomography.gridrec", raw, rotation_axis=15.5, workers=1).result()
    other = als.run(
        "tomography.gridrec", raw, rotation_axis=15.0, filter="hann", slices="0:3", workers=1
    ).result()
    found = als.diff(one.pid, other.pid)
    assert told(found) == [
        "parameter filter: ramlak (default) -> hann (given)",
        "parameter rotation_axis: 15.5 pixel (given) -> 15.0 pixel (given)",
        "slices along the result: nothing -> [0, 3, null]",
    ]
    apart = als.array(one).read().astype(float) - als.array(other).read()
    assert found.array is not None
    assert found.array.largest == abs(apart).max()
    assert abs(apart[found.array.at]) == found.array.largest
    assert found.array.rms == pytest.approx(np.sqrt((apart**2).mean()), rel=1e-12)
    assert not found.same

    assert als.diff(one.pid, one.pid).same
    assert als.diff(one.pid, other.pid, arrays=False).why_no_array == "not asked for"
    with pytest.raises(ParameterError, match=r"is a result and .* is a scan"):
        als.diff(one.pid, raw)
    with pytest.raises(NotFound):
        als.diff(one.pid, "lw-none")


def test_two_scans(als: Session, tmp_path: Path) -> None:
    one = scan(als, tmp_path / "a.h5")
    other = scan(als, tmp_path / "b.h5", rotation_axis=14.0)
    found = als.diff(one, other)
    assert any(line.startswith("files a.h5") for line in told(found))
    assert any(line.startswith("files b.h5: nothing") for line in told(found))
    assert found.array is not None
    assert found.array.unequal
    (tmp_path / "a.h5").unlink()
    assert "a.h5" in str(als.diff(one, other).why_no_array)


def test_a_step_applied_twice_is_named() -> None:
    def chain(*steps: str) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = [{"input": "data", "product": "p:Scan"}]
        return {"name": "r", "nodes": nodes + [{"step": f"m:{s}", "bind": {}} for s in steps]}

    found = list(diff._steps(chain("norm", "log"), chain("norm", "norm", "log")))
    assert [str(each) for each in found] == ["recipe step 2: nothing -> norm"]
    assert list(diff._steps(chain("norm"), chain("norm"))) == []


def test_arrays_slab_by_slab_with_places_that_hold_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(7)
    a = chance.normal(size=(11, 4, 5)).astype("f4")
    b = a.copy()
    b[9, 2, 3] += 2
    b[3, 1, 1] -= 0.5
    a[0, 0, 0] = b[0, 0, 0] = np.nan
    a[5, 0, 0], b[6, 0, 0] = np.nan, np.inf
    whole = diff._arrays(ArrayInMemory(a), ArrayInMemory(b))
    assert whole.at == (9, 2, 3)
    assert whole.largest == pytest.approx(2, abs=1e-6)
    assert (whole.unequal, whole.one_sided) == (4, 2)
    monkeypatch.setattr(diff, "_SLAB_BYTES", 200)
    cut = diff._arrays(ArrayInMemory(a), ArrayInMemory(b))
    assert (cut.largest, cut.at, cut.unequal) == (whole.largest, whole.at, whole.unequal)
    assert cut.rms == pytest.approx(whole.rms, rel=1e-12)
    with pytest.raises(ParameterError, match="shapes"):
        diff._arrays(ArrayInMemory(a), ArrayInMemory(b[1:]))


def test_complex_and_whole_numbers() -> None:
    a = np.array([1 + 1j, 2.0])
    found = diff._arrays(ArrayInMemory(a), ArrayInMemory(a + np.array([0, 3j])))
    assert (found.largest, found.at) == (3.0, (1,))
    counts = np.array([0, 65535], "u2")
    assert diff._arrays(ArrayInMemory(counts), ArrayInMemory(counts[::-1])).largest == 65535
