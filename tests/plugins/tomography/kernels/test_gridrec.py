"""Gridding reconstruction against truth, against sums done by hand, and against geometry."""

import importlib
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from lightwell_tomography.kernels.gridrec import (
    GridrecPlan,
    circular_mask,
    gridrec_plan,
    reconstruct,
)
from lightwell_tomography.kernels.gridrec_plan import Filter, angle_weights, ramp_filter
from lightwell_tomography.phantoms import project, rasterise, shepp_logan

Floats = NDArray[np.float64]

RUN = jax.jit(reconstruct)


def _finufft() -> Any:
    if os.environ.get("CI") == "true":
        return importlib.import_module("finufft")
    return pytest.importorskip("finufft", reason="the oracle finufft is not installed")


def _even_angles(count: int) -> Floats:
    return np.linspace(0.0, 180.0, count, endpoint=False)


def _radius(width: int) -> Floats:
    offset = (np.arange(width, dtype=np.float64) - 0.5 * (width - 1)) / (0.5 * width)
    return np.asarray(np.hypot(offset[:, None], offset))


def _samples(
    sinogram: NDArray[np.float32], angles: Floats, axis: float, plan: GridrecPlan, filter: Filter
) -> tuple[Floats, Floats, NDArray[np.complex128]]:
    """Frequencies (radian per pixel) and filtered spectra, written down anew in float64."""
    frequencies = plan.coefficients.shape[1]
    length = 2 * (frequencies - 1)
    k = np.arange(frequencies) / length
    spectra = np.fft.rfft(sinogram.astype(np.float64), n=length) * np.exp(2j * np.pi * k * axis)
    spectra *= 2.0 * ramp_filter(length, filter) * angle_weights(angles)[:, None] / length
    spectra[:, [0, -1]] *= 0.5
    theta = np.deg2rad(angles)
    kx, ky = np.outer(np.cos(theta), 2 * np.pi * k), np.outer(np.sin(theta), 2 * np.pi * k)
    return kx, ky, spectra


def _dense(kx: Floats, ky: Floats, spectra: NDArray[np.complex128], width: int) -> Floats:
    y, x = (np.mgrid[:width, :width] - 0.5 * (width - 1)).reshape(2, -1)
    phase = np.outer(x, kx.ravel()) + np.outer(y, ky.ravel())
    return np.asarray((np.exp(1j * phase) @ spectra.ravel()).real.reshape(width, width))


def _error(found: Any, expected: Any, where: NDArray[np.bool_]) -> float:
    difference = np.asarray(found, np.float64) - np.asarray(expected, np.float64)
    scale = np.linalg.norm(np.asarray(expected, np.float64)[where])
    return float(np.linalg.norm(difference[where]) / scale)


def _against_truth(width: int, views: int) -> tuple[float, float]:
    axis, slices = 0.5 * (width - 1) + 7.3, shepp_logan(1)
    angles = _even_angles(views)
    image = RUN(project(slices, angles, width, axis), gridrec_plan(angles, width, axis))[0]
    truth = rasterise(slices, width)[0].astype(np.float64)
    inside = _radius(width) < 0.9
    slope = np.polyfit(truth[inside], np.asarray(image, np.float64)[inside], 1)[0]
    return _error(image, truth, inside), float(slope)


def test_the_phantom_comes_back_at_512_pixels() -> None:
    error, gain = _against_truth(512, 721)
    assert error <= 0.055
    assert abs(gain - 1.0) <= 0.004


@pytest.mark.slow
def test_the_phantom_comes_back_at_1024_pixels() -> None:
    error, gain = _against_truth(1024, 1601)
    assert error <= 0.040
    assert abs(gain - 1.0) <= 0.004


@pytest.mark.parametrize(
    ("width", "views", "axis", "filter"),
    [(512, 721, 262.8, "ramlak"), (255, 200, 106.8, "hann")],
)
def test_gridding_agrees_with_finufft(width: int, views: int, axis: float, filter: Filter) -> None:
    finufft = _finufft()
    angles = _even_angles(views)
    sinogram = project(shepp_logan(1), angles, width, axis)
    plan = gridrec_plan(angles, width, axis, filter)
    kx, ky, spectra = _samples(sinogram[:, 0], angles, axis, plan, filter)
    between = 0.0 if width % 2 else 0.5
    spectra = spectra * np.exp(1j * between * (kx + ky))
    oracle = finufft.nufft2d1(
        ky.ravel(), kx.ravel(), spectra.ravel(), (width, width), isign=1, eps=1e-9
    ).real
    inside = _radius(width) < 0.98
    assert _error(RUN(sinogram, plan)[0], oracle, inside) < 1.5e-3


@pytest.mark.parametrize(("width", "filter"), [(24, "ramlak"), (25, "hann")])
def test_gridding_is_the_sum_it_approximates(width: int, filter: Filter) -> None:
    random = np.random.default_rng(width)
    # All four quadrants, both axes, a repeated and a turned view.
    angles = np.append(random.uniform(-200.0, 400.0, 30), [0.0, 90.0, 180.0, 270.0, 270.0])
    sinograms = random.normal(size=(angles.size, 3, width)).astype(np.float32)
    axis = 0.5 * width - 2.3
    plan = gridrec_plan(angles, width, axis, filter, support=6, oversampling=2.0)
    slices = RUN(sinograms, plan)
    for row in range(3):
        samples = _samples(sinograms[:, row], angles, axis, plan, filter)
        everywhere = np.ones((width, width), np.bool_)
        assert _error(slices[row], _dense(*samples, width), everywhere) < 2e-5


def test_rows_do_not_mix_and_sums_stay_sums() -> None:
    angles = _even_angles(40)
    plan = gridrec_plan(angles, 32, 14.2)
    random = np.random.default_rng(5)
    one, two = random.normal(size=(2, 40, 5, 32)).astype(np.float32)
    both = RUN(one + 2.0 * two, plan)
    np.testing.assert_allclose(both, RUN(one, plan) + 2.0 * RUN(two, plan), atol=2e-5)
    np.testing.assert_allclose(RUN(one, plan)[3:4], RUN(one[:, 3:4], plan), atol=2e-6)


def test_the_transpose_is_the_adjoint() -> None:
    plan = gridrec_plan(_even_angles(20), 16, 7.0)
    random = np.random.default_rng(6)
    sinograms = jnp.asarray(random.normal(size=(20, 2, 16)), jnp.float32)
    slices = jnp.asarray(random.normal(size=(2, 16, 16)), jnp.float32)
    image = RUN(sinograms, plan)
    back = jax.jit(jax.grad(lambda s: jnp.vdot(reconstruct(s, plan), slices)))(sinograms)
    assert float(jnp.vdot(image, slices)) == pytest.approx(
        float(jnp.vdot(sinograms, back)), rel=1e-4, abs=1e-4
    )


def test_turning_the_angles_turns_the_image() -> None:
    angles, width = _even_angles(120), 64
    sinogram = project(shepp_logan(1), angles, width, 30.0)
    straight = RUN(sinogram, gridrec_plan(angles, width, 30.0))[0]
    turned = RUN(sinogram, gridrec_plan(angles + 90.0, width, 30.0))[0]
    assert _error(turned, np.rot90(straight, -1), _radius(width) < 0.95) < 2e-3


@pytest.mark.parametrize("axis", [47.5, 52.5, 38.2])
def test_the_axis_carries_the_image_with_it(axis: float) -> None:
    angles, width = _even_angles(150), 96
    theta = np.deg2rad(angles)[:, None]
    # A blob without edges, so that nothing but the geometry can differ.
    t = np.arange(width) - axis - (9.0 * np.cos(theta) - 14.0 * np.sin(theta))
    sinogram = np.exp(-np.square(t) / 18.0).astype(np.float32)[:, None]
    y, x = np.mgrid[:width, :width] - 0.5 * (width - 1)
    blob = np.exp(-(np.square(x - 9.0) + np.square(y + 14.0)) / 18.0) / np.sqrt(18.0 * np.pi)
    image = RUN(sinogram, gridrec_plan(angles, width, axis))[0]
    assert _error(image, blob, _radius(width) < 0.75) < 2e-3


def test_a_full_turn_and_uneven_angles_weigh_as_they_should() -> None:
    width, axis = 96, 50.4
    truth = rasterise(shepp_logan(1), width)[0]
    random = np.random.default_rng(7)
    uneven = np.sort(random.uniform(0.0, 180.0, 300))
    for angles in (np.arange(300) * 1.2, np.linspace(0.0, 180.0, 151), uneven):
        assert angle_weights(angles).sum() == pytest.approx(np.pi)
        plan = gridrec_plan(angles, width, axis)
        image = RUN(project(shepp_logan(1), angles, width, axis), plan)[0]
        inside = _radius(width) < 0.9
        gain = np.vdot(truth[inside], image[inside]) / np.vdot(truth[inside], truth[inside])
        assert gain == pytest.approx(1.0, abs=0.02)


def test_holes_in_the_coverage_are_not_bridged() -> None:
    weights = np.rad2deg(angle_weights(np.arange(-60.0, 61.0)))
    np.testing.assert_allclose(weights, 1.0)
    np.testing.assert_allclose(np.rad2deg(angle_weights([0.0, 0.0, 90.0])), [45.0, 45.0, 90.0])


def test_the_ramp_has_the_right_mean_and_slope() -> None:
    ramp = ramp_filter(2048, "ramlak")
    assert 0.0 < ramp[0] < 1e-3
    np.testing.assert_allclose(ramp[64:], np.arange(64, 1025) / 2048, rtol=2e-3)
    assert ramp_filter(2048, "hann")[-1] == pytest.approx(0.0, abs=1e-12)


def test_the_mask_keeps_the_circle_only() -> None:
    masked = np.asarray(circular_mask(jnp.ones((1, 50, 50)), 0.8, -1.0))[0]
    assert masked[25, 25] == 1.0
    assert masked[0, 0] == -1.0
    assert (masked > 0).sum() == pytest.approx(np.pi * 20.0**2, rel=0.02)


def test_senseless_geometries_are_refused() -> None:
    with pytest.raises(ValueError, match="outside the detector"):
        gridrec_plan([0.0, 1.0], 32, 40.0)
    with pytest.raises(ValueError, match="finite"):
        gridrec_plan([0.0, np.nan], 32, 15.0)
    with pytest.raises(ValueError, match="at least one angle"):
        gridrec_plan([], 32, 15.0)
    with pytest.raises(ValueError, match="unknown filter"):
        gridrec_plan([0.0], 32, 15.0, "cosine")  # type: ignore[arg-type]
