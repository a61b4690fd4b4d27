"""The rotation axis on simulated scans with noise, and on real ones where they are at hand."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightwell_tomography.kernels.axis import find_axis, pair_axis, vo_axis
from lightwell_tomography.phantoms import project, shepp_logan

Floats = NDArray[np.float64]


def _noisy_scan(width: int, angles: Floats, axis: float, seed: int) -> Floats:
    """Four rows with ten thousand photons in each pixel of the open beam."""
    random = np.random.default_rng(seed)
    exact = project(shepp_logan(4, attenuation=4.0 / width), angles, width, axis)
    counts = random.poisson(1e4 * np.exp(-exact.astype(np.float64)))
    return np.asarray(-np.log(np.maximum(counts, 1) / 1e4))


@pytest.mark.parametrize("offset", [-0.15, 0.02, 0.12])
@pytest.mark.parametrize(
    ("width", "views", "last"), [(256, 361, 180.0), (320, 400, 179.55), (256, 600, 359.4)]
)
def test_the_axis_is_found_within_a_twentieth_of_a_pixel(
    offset: float, width: int, views: int, last: float
) -> None:
    axis = 0.5 * (width - 1) + offset * width + 0.237
    angles = np.linspace(0.0, last, views)
    order = np.random.default_rng(1).permutation(views)
    scan = _noisy_scan(width, angles, axis, views)
    fit = find_axis(scan[order], angles[order] - 40.0)
    assert fit.verdict == "good"
    assert abs(fit.value - axis) < 0.05
    assert abs(fit.value - axis) < 4.0 * fit.sigma
    assert fit.sigma < 0.1


def test_a_large_fine_scan_is_found_too() -> None:
    angles, axis = np.linspace(0.0, 180.0, 721), 300.618
    fit = find_axis(_noisy_scan(512, angles, axis, 2), angles)
    assert fit.verdict == "good"
    assert abs(fit.value - axis) < 0.05


def test_few_views_lean_on_opposite_ones() -> None:
    angles, axis = np.linspace(0.0, 180.0, 91), 85.4
    fit = find_axis(_noisy_scan(160, angles, axis, 3), angles)
    assert fit.verdict == "good"
    assert abs(fit.value - axis) < 0.1


def test_a_narrow_detector_inside_the_sample_works() -> None:
    angles, axis = np.linspace(0.0, 180.0, 181), 13.3
    wide = _noisy_scan(128, angles, 51.0 + axis, 4)
    fit = find_axis(wide[:, :, 51:77], angles)
    assert abs(fit.value - axis) < max(0.3, 3.0 * fit.sigma)


def test_each_method_stands_alone() -> None:
    angles, axis = np.linspace(0.0, 180.0, 361), 140.7
    scan = _noisy_scan(256, angles, axis, 5)
    pair = pair_axis(scan[0], scan[-1])
    assert abs(pair.value - axis) < 0.1
    assert pair.correlation > 0.95
    vo = vo_axis(scan.mean(axis=1), angles, 139.0, 5.0)
    assert abs(vo.value - axis) < 0.1
    assert not vo.at_edge
    assert vo_axis(scan[:, 0], angles, 120.0, 4.0).at_edge


def test_a_sample_that_differs_at_the_rim_does_not_pull_the_axis() -> None:
    angles, axis = np.linspace(0.0, 180.0, 181), 134.2
    scan = _noisy_scan(256, angles, axis, 6)
    first, opposite = scan[0].copy(), scan[-1].copy()
    first[:, :20] += 1.5
    opposite[:, 30:40] += 0.5
    assert abs(pair_axis(first, opposite).value - axis) < 0.15


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_not_taken_for_a_sample(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(181, 3, 96))
    assert find_axis(noise, np.arange(181.0)).verdict == "doubtful"


def test_disagreement_of_the_methods_is_told() -> None:
    angles = np.linspace(0.0, 180.0, 361)
    scan = _noisy_scan(256, angles, 130.0, 7)
    # The last view of a scan whose sample has slipped by six pixels.
    scan[-1] = np.roll(scan[-1], 6, axis=-1)
    fit = find_axis(scan, angles)
    assert fit.verdict == "doubtful"
    assert "Vo" in fit.reason


def test_hopeless_scans_fail_in_words() -> None:
    scan = np.random.default_rng(0).normal(size=(90, 2, 64))
    quarter = find_axis(scan, np.arange(90.0))
    assert quarter.verdict == "failed"
    assert "only 89.0 degrees" in quarter.reason
    with_nan = find_axis(scan, np.append(np.arange(89.0) * 3.0, np.nan))
    assert with_nan.verdict == "failed"
    blind = find_axis(np.full((181, 2, 64), np.nan), np.arange(181.0))
    assert blind.verdict == "failed"
    assert blind.value == 31.5
    with pytest.raises(ValueError, match="do not fit"):
        find_axis(scan, np.arange(80.0))


def _line_integrals(frames: Any, flat: Any, dark: Any) -> Floats:
    beam = np.asarray(flat, np.float64) - dark
    ratio = (np.asarray(frames, np.float64) - dark) / np.where(beam > 0, beam, np.inf)
    return np.asarray(-np.log(np.maximum(ratio, 1e-3)))


def test_the_tooth_turns_where_others_put_it(shared_data: Path) -> None:
    h5py = importlib.import_module("h5py")
    with h5py.File(shared_data / "tomography" / "aps_tooth.h5") as file:
        scan = file["exchange"]
        flat, dark = scan["data_white"][:].mean(0), scan["data_dark"][:].mean(0)
        fit = find_axis(_line_integrals(scan["data"][:], flat, dark), scan["theta"][:])
    assert fit.verdict == "good"
    assert abs(fit.value - 295.7) < 0.5


def test_the_diamond_stack_turns_at_86(shared_data: Path) -> None:
    tifffile = importlib.import_module("tifffile")
    folder = shared_data / "tomography" / "diamond_tiff_stack"
    frames = np.stack([tifffile.imread(p) for p in sorted((folder / "tiffs").glob("*.tiff"))])
    flat, dark = (tifffile.imread(folder / f"{n}_00001.tiff") for n in ("flat", "dark"))
    fit = find_axis(_line_integrals(frames, flat, dark), np.arange(91) * 2.0)
    assert fit.verdict == "good"
    assert abs(fit.value - 86.0) < 1.0
