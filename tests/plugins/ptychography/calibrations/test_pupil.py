"""The phase of a pupil tells the distance from the focus, whatever else the probe has."""

import numpy as np
import pytest

from lightwell_ptychography.calibrations.pupil import bent, curvature, diameter, edge
from lightwell_ptychography.phantoms import aperture_modes

PIXEL = (2e-8, 2e-8)
SHARES = [np.array([1.0]), np.array([0.7, 0.2, 0.1])]


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("size", [0.01, 0.2, 0.5])
def test_the_distance_of_a_probe_is_exact(shares: np.ndarray, size: float) -> None:
    probe, defocus = aperture_modes(96, shares, aperture=0.33, diameter=size)
    np.testing.assert_allclose(curvature(probe, (1.0, 1.0)), defocus * np.eye(2), atol=0.02)
    # Light that runs the other way: complex conjugate, and before the focus.
    np.testing.assert_allclose(curvature(probe.conj(), (1.0, 1.0)), -defocus * np.eye(2), atol=0.02)


def test_place_ramp_and_mixed_modes_do_not_matter() -> None:
    probe, defocus = aperture_modes(96, SHARES[1], aperture=0.33, diameter=0.3)
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    mixed = probe.copy()
    mixed[1:] = np.einsum("ij,jyx->iyx", turn, probe[1:])
    moved = np.roll(mixed, (9, -6), axis=(1, 2)) * np.exp(0.1j * np.arange(96))
    np.testing.assert_allclose(curvature(moved, (1.0, 1.0)), defocus * np.eye(2), atol=0.2)


def test_both_distances_of_an_astigmatic_beam_with_oblong_pixels() -> None:
    probe, _ = aperture_modes(128, SHARES[0], aperture=0.33, diameter=0.01)
    pixel = (2e-8, 3e-8)
    focused = bent(probe, pixel, -curvature(probe, pixel))
    form = np.array([[3e-14, 5e-15], [5e-15, 2e-14]])
    np.testing.assert_allclose(curvature(bent(focused, pixel, form), pixel), form, atol=2e-17)


def test_noise_moves_the_distance_by_little_and_to_no_side() -> None:
    probe, defocus = aperture_modes(96, SHARES[0], aperture=0.33, diameter=0.4)
    chance = np.random.default_rng(3)
    level = 0.03 * np.abs(probe).max()
    away = []
    for _ in range(20):
        noise = chance.normal(0, level, (2, *probe.shape))
        form = curvature(probe + noise[0] + 1j * noise[1], (1.0, 1.0))
        away.append(0.5 * np.trace(form) - defocus)
    depth = edge(probe, (1.0, 1.0)) ** -2
    assert np.std(away) < 0.03 * depth
    assert abs(np.mean(away)) < 3 * np.std(away) / np.sqrt(len(away))


def test_the_edge_of_a_disc_is_its_radius() -> None:
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    probe = np.fft.ifft2(frequency < 0.2)[None]
    assert edge(probe, PIXEL) == pytest.approx(0.2 / 2e-8, rel=0.01)


@pytest.mark.parametrize("place", [(0, 0), (31, 5)])
def test_half_of_the_light_of_a_gaussian_is_in_its_full_width(place: tuple[int, int]) -> None:
    y, x = np.indices((64, 64)) - 32
    amplitude = np.exp(-(y**2 + x**2) / (4 * 5.0**2))
    probe = np.roll(amplitude, place, axis=(0, 1))[None]
    # Of a beam in two dimensions, half of the light is within the full width at half maximum.
    width = 2 * np.sqrt(2 * np.log(2)) * 5.0 * 2e-8
    assert diameter(probe, PIXEL) == pytest.approx(width, rel=0.02)
