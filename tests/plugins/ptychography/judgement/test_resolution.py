"""Resolution of pairs of objects whose common detail is known."""

from typing import Any

import numpy as np
import pytest

from lightwell.errors import InputError
from lightwell_ptychography.judgement import halves, object_resolution
from lightwell_ptychography.judgement.resolution import _largest_rectangle
from lightwell_ptychography.phantoms import discs_object

SIDE = 160


def _low_passed(image: Any, cutoff: float) -> Any:
    reach = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    return np.fft.ifft2(np.fft.fft2(image) * (reach < cutoff))


def _noise(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((SIDE, SIDE)) + 1j * rng.standard_normal((SIDE, SIDE))


def _region() -> Any:
    region = np.zeros((SIDE, SIDE), bool)
    region[16:-16, 16:-16] = True
    return region


@pytest.mark.parametrize("cutoff", [0.15, 0.25, 0.35])
def test_detail_that_both_show_is_the_resolution(cutoff: float) -> None:
    image = 1.0 + 0.3 * _low_passed(_noise(0), cutoff)
    pair = [image + 0.1 * _noise(seed) for seed in (1, 2)]
    found = object_resolution(*pair, _region())
    assert found.limited
    assert found.half_period == pytest.approx(0.5 / cutoff, rel=0.06)
    assert f"{found.half_period:.2f} pixels" in found.sentence()
    assert "nm" in found.sentence(1e-8)


def test_ramp_shift_and_factor_between_halves_do_not_count() -> None:
    image = _low_passed(discs_object((SIDE, SIDE), np.random.default_rng(0)), 0.3)
    pair = [image + 0.02 * _noise(seed) for seed in (1, 2)]
    plain = object_resolution(*pair, _region()).half_period
    columns = np.arange(SIDE)
    moved = np.roll(pair[0], (3, -2), axis=(0, 1)) * 0.3j * np.exp(0.4j * columns)
    found = object_resolution(moved, pair[1], _region()).half_period
    assert found == pytest.approx(plain, rel=0.02)


def test_objects_of_noise_have_no_resolution() -> None:
    pair = [1.0 + 0.3 * _noise(seed) for seed in (1, 2)]
    found = object_resolution(*pair, _region())
    assert found.limited
    assert found.half_period > 10


def test_equal_halves_are_limited_by_the_pixels_alone() -> None:
    image = discs_object((SIDE, SIDE), np.random.default_rng(0))
    found = object_resolution(image, image, _region())
    assert not found.limited
    assert found.half_period == 1.0
    assert "down to the pixel" in found.sentence()


def test_halves_that_share_nothing_are_said() -> None:
    region = np.zeros((SIDE, SIDE), bool)
    region[50:60, 50:150] = True
    image = discs_object((SIDE, SIDE), np.random.default_rng(0))
    with pytest.raises(InputError, match="too few to compare"):
        object_resolution(image, image, region)


def test_every_frame_is_in_one_half() -> None:
    first, second = halves(11)
    assert sorted([*first, *second]) == list(range(11))
    assert abs(len(first) - len(second)) <= 1


def test_the_largest_rectangle_has_no_hole() -> None:
    region = np.ones((7, 9), bool)
    region[2, 4] = False
    rows, columns = _largest_rectangle(region)
    assert region[rows, columns].all()
    assert (rows.stop - rows.start) * (columns.stop - columns.start) == 36
    rows, _ = _largest_rectangle(np.zeros((3, 3), bool))
    assert rows.stop == 0
