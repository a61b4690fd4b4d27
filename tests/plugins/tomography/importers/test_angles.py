"""Angles that a person gives, and where they land among the frames."""

from typing import Any

import numpy as np
import pytest

from lightwell import ArrayRef
from lightwell.errors import InputError, ParameterError
from lightwell.manifests import Manifest
from lightwell.stacks import open_array
from lightwell_tomography.importers.angles import (
    angle_unit,
    cut,
    doubts,
    given_angles,
    over_frames,
)


def _values(ref: ArrayRef) -> Any:
    return open_array(ref, Manifest("file:///", ())).read()


def test_given_angles_include_both_ends() -> None:
    angles = given_angles(0.0, 180.0, 91)
    assert angles is not None
    np.testing.assert_array_equal(_values(angles), np.arange(91) * 2.0)
    assert angles.unit == "degree"
    assert given_angles(None, None, 91) is None


@pytest.mark.parametrize(
    ("first", "last", "word"),
    [(0.0, None, "last_angle"), (None, 180.0, "first_angle"), (5.0, 5.0, "two different")],
)
def test_angles_that_are_no_scan_are_refused_with_the_way_to_give_them(
    first: float | None, last: float | None, word: str
) -> None:
    with pytest.raises(ParameterError, match=word):
        given_angles(first, last, 91)


def test_infinite_angles_are_refused() -> None:
    with pytest.raises(ParameterError):
        given_angles(0.0, float("inf"), 91)


def test_angles_land_on_the_projections_wherever_they_stand_among_the_frames() -> None:
    key = [2, 0, 0, 1, 3, 0, 0, 0, 1]
    angles = given_angles(0.0, 8.0, 5)
    assert angles is not None
    spread = over_frames(angles, key)
    np.testing.assert_allclose(_values(spread), [0, 0, 2, 0, 0, 4, 6, 8, 0])


def test_any_part_of_a_joined_array_can_be_cut_out() -> None:
    joined = ArrayRef.concatenate(
        ArrayRef.even(0, 4, 5), ArrayRef.constant(7, 3), ArrayRef.even(8, 9, 2)
    )
    whole = _values(joined)
    for start in range(10):
        for count in range(1, 11 - start):
            parts = tuple(cut(joined, start, count))
            ref = ArrayRef(shape=(count,), dtype="float64", parts=parts)
            np.testing.assert_allclose(_values(ref), whole[start : start + count])


def test_units_of_angles_are_known_by_their_usual_names() -> None:
    assert angle_unit("degrees", "theta", "a.h5") == ("degree", [])
    assert angle_unit("deg", "theta", "a.h5") == ("degree", [])
    unit, flags = angle_unit("rad", "theta", "a.h5")
    assert (unit, flags) == ("rad", [])
    unit, flags = angle_unit(None, "theta", "a.h5")
    assert unit == "degree"
    assert [flag.code for flag in flags] == ["angle-unit-assumed"]
    with pytest.raises(InputError, match="no unit of angles"):
        angle_unit("mm", "theta", "a.h5")


def test_radian_called_degrees_is_doubted() -> None:
    half_turn = np.linspace(0, np.pi, 181)
    assert [flag.code for flag in doubts(half_turn, "degree", "theta")] == ["angle-unit-doubtful"]
    assert not doubts(half_turn, "rad", "theta")
    assert not doubts(np.rad2deg(half_turn), "degree", "theta")
    assert [flag.code for flag in doubts(np.array([0.0, np.nan]), "degree", "theta")] == [
        "angles-not-numbers"
    ]
