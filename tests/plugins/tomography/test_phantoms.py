"""The phantom's projections and images against what geometry demands."""

import numpy as np

from lightwell_tomography.phantoms import project, rasterise, shepp_logan


def test_every_projection_holds_the_whole_mass() -> None:
    width = 96
    slices = shepp_logan(5)
    sinograms = project(slices, np.linspace(0.0, 340.0, 13), width, 50.3)
    area = [np.pi * np.sum(e.value * e.half_a * e.half_b) * (0.5 * width) ** 2 for e in slices]
    expected = np.broadcast_to(area, sinograms.shape[:2])
    np.testing.assert_allclose(sinograms.sum(axis=2), expected, rtol=1e-5)
    np.testing.assert_allclose(rasterise(slices, width).sum(axis=(1, 2)), area, rtol=5e-3)


def test_half_a_turn_mirrors_a_projection_about_the_axis() -> None:
    angles = np.array([12.0, 77.0])
    axis = 33.25
    before = project(shepp_logan(2), angles, 64, axis)
    after = project(shepp_logan(2), angles + 180.0, 64, 63.0 - axis)
    np.testing.assert_allclose(after, before[:, :, ::-1], atol=1e-4)


def test_projections_along_the_grid_are_sums_of_the_image() -> None:
    width = 128
    slices = shepp_logan(1)
    image = rasterise(slices, width, 8)[0]
    along = project(slices, [0.0, 90.0], width, 0.5 * (width - 1))[:, 0]
    assert np.abs(along[0] - image.sum(axis=0)).max() < 0.02 * along[0].max()
    assert np.abs(along[1] - image.sum(axis=1)).max() < 0.02 * along[1].max()


def test_the_middle_slice_is_the_two_dimensional_phantom() -> None:
    (middle,) = shepp_logan(1)
    assert middle.value.size == 10
    assert middle.half_b[0] == 0.92
    assert abs(rasterise([middle], 64)[0, 31, 31] - 0.2) < 1e-6


def test_attenuation_scales_the_projections() -> None:
    weak = project(shepp_logan(1, attenuation=0.01), [30.0], 64, 31.5)
    strong = project(shepp_logan(1), [30.0], 64, 31.5)
    np.testing.assert_allclose(weak, 0.01 * strong, rtol=1e-5, atol=1e-6)
