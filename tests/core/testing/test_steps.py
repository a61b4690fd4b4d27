"""The kit finds the step that does not keep its promise, and passes those that do."""

from pathlib import Path

import kit_chains
import pytest
import runs

from lightwell.engines import JobSpec
from lightwell.recipes import Recipe
from lightwell.testing import StepCheck, step_checks


def checks(recipe: Recipe, folder: Path, **given: float) -> list[StepCheck]:  # type: ignore[type-arg]
    settings = recipe.settings(given, lambda _: None)
    sources = {role: runs.MAKERS[product]() for role, product in recipe.inputs().items()}
    spec = JobSpec(recipe, sources, settings, folder, 4 * runs.GB, 4, cache=folder / "cache")
    return list(step_checks(spec, settings, folder))


@pytest.mark.slow
def test_steps_that_keep_their_promise_pass(tmp_path: Path) -> None:
    found = checks(runs.recipe_of("volume"), tmp_path, axis=12.0)
    assert [check.step for check in found] == ["normalise", "soften", "project"]
    assert [check.problem for check in found] == [None] * 3
    assert all(check.difference is not None and check.difference < 1e-5 for check in found)


@pytest.mark.slow
def test_a_step_gets_what_stands_beside_it(tmp_path: Path) -> None:
    [_, kept, blind] = checks(kit_chains.blinded, tmp_path, scale=0.5)
    assert (kept.step, kept.problem) == ("subtract", None)
    assert kept.difference is not None
    assert kept.difference < 1e-5
    assert blind.step == "levelled"
    assert "depends on more along 'row' than it declares" in (blind.problem or "")


@pytest.mark.slow
def test_steps_that_break_it_are_found(tmp_path: Path) -> None:
    [kept, nosy, remembering] = checks(kit_chains.broken, tmp_path)
    assert (kept.step, kept.problem) == ("normalise", None)
    assert nosy.step == "centred"
    assert "depends on more along 'row' than it declares" in (nosy.problem or "")
    assert remembering.step == "counted"
    assert "other bits in slabs" in (remembering.problem or "")
