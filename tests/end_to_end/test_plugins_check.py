"""`lightwell plugins check`: our own plugins conform, and a plugin that does not is told why."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from lightwell.cli.main import run
from lightwell.testing import conformance


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
    for what in ("promises", "importer", "tiles: within", "truth: rotation_axis", "pictures: 4"):
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
