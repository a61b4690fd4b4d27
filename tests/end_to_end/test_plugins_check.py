"""`lightwell plugins check`: our own plugins conform, and a plugin that does not is told why."""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import pytest

from lightwell import Array, Dims, Product, map_step
from lightwell.cli.main import run
from lightwell.testing import conformance
from lightwell.testing.kernels import check_kernel_sources, check_pure


@pytest.mark.parametrize("name", ["backends", "core", "ptychography", "saxs", "xas"])
def test_plugins_without_simulators_keep_their_promises(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plugins", "check", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"][0]["ok"]


@pytest.mark.slow
def test_tomography_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "check", "lightwell_tomography"]) == 0
    said = capsys.readouterr().out
    looked_at = ("promises", "kernels: ", "importer", "pure: 4 steps", "tiles: within")
    for what in (*looked_at, "truth: rotation_axis", "pictures: 4"):
        assert what in said


@pytest.mark.parametrize("words", [["check", "nosuch"], ["check"], ["inspect", "saxs"]])
def test_what_is_no_check_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", *words]) == 2
    assert "plugin" in capsys.readouterr().err


LYING = """
from lightwell import Simulated, Simulator
from lightwell.hooks import hookimpl
from lightwell_tomography.plugin import (
    lightwell_api, provide_importers, provide_previews, provide_recipes, provide_schemas,
    provide_steps,
)

def lying(path):
    from lightwell_tomography.simulate import simulate
    made = simulate(path, width=64, rows=2, angles=90)
    return Simulated(made.path, {**made.truth, "rotation_axis": 3.0})

@hookimpl
def provide_simulators():
    return [Simulator("lying", lying, recipe="tomography.gridrec")]
"""


@pytest.mark.slow
def test_a_truth_that_is_not_found_again_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lying_plugin.py").write_text(LYING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    checks = {check.what: check for check in conformance(import_module("lying_plugin"))}
    assert checks["promises"].ok, checks["promises"].answer
    assert checks["lying: tiles"].ok, checks["lying: tiles"].answer
    assert not checks["lying: truth"].ok
    assert "the truth 3.0" in checks["lying: truth"].answer


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(x):\n    global seen\n    seen = x", "line 2: a kernel changes seen"),
        ("import os", "line 1: a kernel imports os"),
        ("from pathlib import Path", "imports pathlib"),
        ("def f(x):\n    print(x)", "line 2: a kernel calls print"),
        ("import numpy as np\ndef f(x):\n    return x + np.random.normal()", "without a seed"),
        ("import numpy as np\ndef f(x):\n    return np.random.default_rng()", "without a seed"),
    ],
)
def test_sources_of_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    module = written_module(tmp_path, monkeypatch, source)
    with pytest.raises(AssertionError, match=said):
        check_kernel_sources([module])


def test_a_seed_is_no_impurity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import numpy as np\ndef f(seed):\n    return np.random.default_rng(seed).normal()"
    assert "1 functions" in check_kernel_sources([written_module(tmp_path, monkeypatch, source)])


def written_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> ModuleType:
    name = f"kernels_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return import_module(name)


class Numbers(Product):
    values: Annotated[Array, Dims("point")]


seen: list[int] = []


@map_step(over={"point"}, host=True)
def remembers(numbers: Numbers) -> Numbers:
    seen.append(1)
    return Numbers.of(values=np.asarray(numbers.values) + len(seen))


own_kernels = ModuleType("own_kernels")
own_kernels.calls = 0  # type: ignore[attr-defined]


@map_step(over={"point"}, host=True)
def leaves(numbers: Numbers) -> Numbers:
    own_kernels.calls += 1  # type: ignore[attr-defined]
    return numbers


@map_step(over={"point"}, host=True)
def overwrites(numbers: Numbers) -> Numbers:
    np.asarray(numbers.values)[0] = 0
    return numbers


@map_step(over={"point"})
def branches(numbers: Numbers) -> Numbers:
    return numbers if float(numbers.values[0]) > 0 else Numbers(-numbers.values)


@map_step(over={"point"})
def doubles(numbers: Numbers) -> Numbers:
    return Numbers(2 * numbers.values)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (remembers, "gives another result for the same input"),
        (overwrites, "writes to its input"),
        (branches, "branches cannot be compiled"),
    ],
)
def test_steps_that_are_not_pure(step: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_pure(step, Numbers.of(values=np.ones(4, "f4")), {}, [])


def test_what_a_step_leaves_behind() -> None:
    with pytest.raises(AssertionError, match="leaves something behind"):
        check_pure(leaves, Numbers.of(values=np.ones(4, "f4")), {}, [own_kernels])


def test_a_pure_step_gives_its_result() -> None:
    given = check_pure(doubles, Numbers.of(values=np.ones(4, "f4")), {}, [])
    np.testing.assert_array_equal(given.values, 2)
