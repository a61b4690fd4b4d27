"""Refined positions tell scale, rotation and shear within their errors, and the distance."""

import json

import numpy as np
import pytest

from lightwell.errors import InputError
from lightwell_ptychography.calibrations import Refined, positions
from lightwell_ptychography.optics import Optics

FAR = Optics(1e-10, 2.0, 75e-6, 75e-6, 2e-8, 2e-8)


def refined(noise: float = 0.0, far_off: int = 0, seed: int = 0) -> Refined:
    """Told positions, turned by 1.5 degree, scaled by 1.02 and 0.97, sheared by 0.01, shifted."""
    chance = np.random.default_rng(seed)
    told = chance.uniform(0, 300, (80, 2))
    angle = np.radians(1.5)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1.02, 0.97 * 0.01], [0.0, 0.97]])
    found = (told - told.mean(axis=0)) @ matrix.T + told.mean(axis=0) + [2.0, -3.0]
    found += chance.normal(0, noise, found.shape)
    found[:far_off] += 40
    return Refined.of(positions=found, told=told, optics=np.asarray(FAR))


def values(found: object) -> dict[str, tuple[float, float | None]]:
    constants = (*found.constants, *found.derived)  # type: ignore[attr-defined]
    return {one.name: (one.value, one.sigma) for one in constants}


TRUTH = {
    "scale_rows": 1.02,
    "scale_columns": 0.97,
    "rotation": 1.5,
    "shear": 0.01,
    "offset_rows": 2.0,
    "offset_columns": -3.0,
    "distance": 2.0 / 0.995,
}


def test_exact_positions_give_exact_constants() -> None:
    found = values(positions.find(refined()))
    assert {name: pytest.approx(value) for name, value in TRUTH.items()} == {
        name: found[name][0] for name in TRUTH
    }


def test_errors_are_as_large_as_they_say() -> None:
    pulls = []
    for seed in range(60):
        found = values(positions.find(refined(0.3, seed=seed), robust=False))
        pulls.append([(found[n][0] - truth) / (found[n][1] or 0) for n, truth in TRUTH.items()])
    spread = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert spread == pytest.approx(1.0, abs=0.35)


def test_positions_that_went_astray_do_not_count() -> None:
    result = positions.find(refined(0.1, far_off=8))
    found = values(result)
    assert found["rotation"][0] == pytest.approx(1.5, abs=0.1)
    assert "72 of 80" in result.reason
    assert json.loads(result.text)["scale_rows"]["unit"] is None


def test_what_determines_nothing_is_refused() -> None:
    told = np.column_stack([np.arange(20.0), np.zeros(20)])
    with pytest.raises(InputError, match="do not determine"):
        positions.find(Refined.of(positions=told + 1, told=told, optics=np.asarray(FAR)))
    with pytest.raises(InputError, match="those it was given"):
        positions.find(Refined.of(positions=told, told=told, optics=np.asarray(FAR)))
