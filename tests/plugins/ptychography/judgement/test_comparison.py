"""What no intensity can tell is taken away, and nothing else."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell_ptychography.judgement import (
    aligned,
    lit_region,
    object_difference,
    object_error,
    projected,
)
from lightwell_ptychography.phantoms import discs_object

SIDE = 96


def _object(seed: int = 0, side: int = SIDE) -> Any:
    """An object without detail beyond half the frequencies, so that it can be shifted exactly."""
    image = discs_object((side, side), np.random.default_rng(seed))
    reach = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    return np.fft.ifft2(np.fft.fft2(image) * np.exp(-((reach / 0.2) ** 4)))


def _changed(image: Any, factor: complex, shift: Any, ramp: Any) -> Any:
    """factor · image(x - shift) · exp(i ramp·x), periodic."""
    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])
    turn = np.exp(-2j * np.pi * (rows * shift[0] + columns * shift[1]))
    offset = [np.arange(n) - (n - 1) / 2 for n in image.shape]
    slope = np.exp(1j * (ramp[0] * offset[0][:, None] + ramp[1] * offset[1]))
    return factor * np.fft.ifft2(np.fft.fft2(image) * turn) * slope


def _middle(side: int = SIDE, border: int = 20) -> Any:
    region = np.zeros((side, side), bool)
    region[border:-border, border:-border] = True
    return region


@settings(deadline=None, max_examples=12)
@given(
    st.tuples(st.floats(-7, 7), st.floats(-7, 7)),
    st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
    st.floats(0.01, 100.0),
    st.floats(-3.1, 3.1),
    st.integers(0, 5),
)
def test_a_copy_shifted_turned_and_scaled_is_no_other_object(
    shift: Any, ramp: Any, size: float, phase: float, seed: int
) -> None:
    image = _object(seed)
    copy = _changed(image, size * np.exp(1j * phase), shift, ramp)
    straight, _, taken = aligned(copy, image, _middle())
    assert object_difference(copy, image, _middle()) < 1e-3
    np.testing.assert_allclose(taken.shift, shift, atol=2e-3)
    np.testing.assert_allclose(taken.ramp, ramp, atol=2e-4)
    assert abs(taken.factor) == pytest.approx(size, rel=1e-3)
    middle = _middle()
    assert np.abs(straight - image)[middle].max() < 5e-3


def test_canvases_of_other_shapes_are_put_over_each_other() -> None:
    image = _object(3)
    larger = np.ones((SIDE + 40, SIDE + 31), complex)
    larger[17 : 17 + SIDE, 5 : 5 + SIDE] = image
    assert object_difference(larger, image, _middle()) < 1e-3
    assert object_difference(image, larger, np.pad(_middle(), ((17, 23), (5, 26)))) < 1e-3
    part = image[8:-6, 10:]
    assert object_difference(part, image, _middle()) < 1e-3


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_noise_is_an_error_of_its_size(noise: float) -> None:
    image = _object(1)
    rng = np.random.default_rng(0)
    spread = noise * np.sqrt(np.mean(np.abs(image[_middle()]) ** 2) / 2)
    noisy = image + spread * (rng.standard_normal((SIDE, SIDE, 2)) @ [1, 1j])
    found = object_difference(_changed(noisy, 2j, (0, 0), (0.2, -0.1)), image, _middle())
    assert found == pytest.approx(noise, rel=0.1)


def test_what_is_another_object_stays_another() -> None:
    image = _object(1)
    assert object_difference(_object(2), image, _middle()) > 0.2
    assert 0.2 < object_difference(np.ones_like(image), image, _middle()) <= 1
    # The twin is what algorithms get stuck at.
    assert object_difference(image[::-1, ::-1].conj(), image, _middle()) > 0.2


def test_nothing_known_is_an_error_of_one() -> None:
    image = _object(1)
    assert object_difference(np.zeros_like(image), image, _middle()) == 1
    assert object_difference(np.full_like(image, np.nan), image, _middle()) == 1


def test_slices_are_compared_by_their_product() -> None:
    image = _object(1)
    layers = np.stack([np.sqrt(np.abs(image)), image / np.sqrt(np.abs(image))])
    np.testing.assert_allclose(projected(layers), image)
    positions, probe = np.array([[20.0, 20.0], [24.0, 24.0]]), np.ones((1, 50, 50))
    assert object_error(layers, image[None], positions, probe) < 1e-3


def test_what_the_scan_hardly_lit_is_left_out() -> None:
    positions, probe = np.array([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0]]), np.ones((2, 6, 6))
    lit = lit_region((12, 12), positions, probe)
    assert lit[:6, :10].all()
    assert not lit[:, 10:].any()
    assert not lit[9:].any()
    # Beyond the edge of the object nothing is lit, and nothing fails.
    assert lit_region((5, 5), positions, probe).shape == (5, 5)
    image = _object(1)
    far = np.array([[20.0, 20.0], [24.0, 24.0]])
    wrong = image.copy()
    wrong[:15] = 7
    assert object_error(wrong, image, far, np.ones((1, 50, 50))) < 0.02
