"""A simulated scan holds the photons, positions and modes that its truth says."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import Conflict, ParameterError
from lightwell.stacks import ArrayInMemory
from lightwell_ptychography.phantoms import AMPLITUDE, PHASE, scan_path
from lightwell_ptychography.simulate import draw, object_error, ptychography, truth_of

SMALL: dict[str, Any] = {"frame": 32, "positions": 25}


def _simulated(folder: Path, **given: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Facts of a scan, its true arrays and its frames."""
    made = ptychography.run(folder / "scan.cxi", {**SMALL, **given})
    with h5py.File(made.path) as file:
        frames = file["entry_1/data_1/data"][()]
    return dict(made.truth), truth_of(made.truth), frames


def test_the_object_has_the_structure_that_is_promised(tmp_path: Path) -> None:
    _, true, _ = _simulated(tmp_path)
    amplitude, phase = np.abs(true["object"]), np.angle(true["object"])
    np.testing.assert_allclose([amplitude.min(), amplitude.max()], AMPLITUDE, atol=1e-5)
    np.testing.assert_allclose([phase.min(), phase.max()], PHASE, atol=1e-5)
    # One is no function of the other.
    assert abs(np.corrcoef(amplitude.ravel(), phase.ravel())[0, 1]) < 0.9


@pytest.mark.parametrize("field", ["far", "near"])
def test_frames_are_poisson_counts_of_the_wave(tmp_path: Path, field: str) -> None:
    facts, true, frames = _simulated(tmp_path, field=field, whole_pixels=True)
    assert frames.sum(axis=(1, 2)).mean() == pytest.approx(facts["photons"], rel=0.01)
    place = true["positions"].astype(int)
    side = frames.shape[-1]
    expected = []
    for row, column in place:
        wave = true["probe"][0] * true["object"][0, row : row + side, column : column + side]
        if field == "far":
            seen = np.abs(np.fft.fftshift(np.fft.fft2(wave, norm="ortho"))) ** 2
        else:
            # Fresnel's paraxial form, not the one the simulation has.
            q = np.fft.fftfreq(side, facts["object_pixel"])
            delay = np.pi * facts["wavelength"] * facts["distance"] * (q[:, None] ** 2 + q**2)
            seen = np.abs(np.fft.ifft2(np.fft.fft2(wave) * np.exp(-1j * delay))) ** 2
        expected.append(seen)
    bright = np.array(expected) > 5
    chi = (frames - np.array(expected))[bright] / np.sqrt(np.array(expected)[bright])
    assert chi.std() == pytest.approx(1.0, abs=0.05)
    assert abs(chi.mean()) < 0.05


def test_modes_are_orthogonal_and_share_the_power(tmp_path: Path) -> None:
    _, true, _ = _simulated(tmp_path, modes=3, mode_power=0.5)
    flat = true["probe"].reshape(3, -1)
    products = flat.conj() @ flat.T
    power = np.diag(products).real
    np.testing.assert_allclose(power / power.sum(), np.array([4, 2, 1]) / 7, rtol=1e-4)
    assert np.abs(products - np.diag(np.diag(products))).max() < 1e-4 * power[0]


def test_the_defocus_is_that_of_the_probe(tmp_path: Path) -> None:
    facts, true, _ = _simulated(tmp_path, frame=64)
    q = np.fft.fftfreq(64, facts["object_pixel"])
    delay = np.pi * facts["wavelength"] * facts["defocus"] * (q[:, None] ** 2 + q**2)
    focus = np.abs(np.fft.ifft2(np.fft.fft2(true["probe"][0]) * np.exp(1j * delay))) ** 2
    behind = np.abs(true["probe"][0]) ** 2
    # Back at the focus the light is on few pixels.
    assert focus.max() > 20 * behind.max()
    assert np.unravel_index(focus.argmax(), focus.shape) == (32, 32)


def test_positions_in_the_file_are_off_by_what_was_asked(tmp_path: Path) -> None:
    _, true, _ = _simulated(tmp_path, position_error=3.0, positions=100)
    off = true["positions"] - true["positions_told"]
    assert 2.5 < np.abs(off).max() <= 3.0
    assert np.abs(off.mean(axis=0)).max() < 0.6


@pytest.mark.parametrize("kind", ["raster", "spiral"])
def test_neighbours_are_a_step_apart(kind: Any) -> None:
    places = scan_path(400, 5.0, kind, 0.0, np.random.default_rng(0))
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    apart[np.diag_indices(400)] = np.inf
    assert np.median(apart.min(axis=1)) == pytest.approx(5.0, rel=0.15)


def test_an_incoherent_source_blurs_frames_and_keeps_photons(tmp_path: Path) -> None:
    for name in ("sharp", "blurred"):
        (tmp_path / name).mkdir()
    _, _, sharp = _simulated(tmp_path / "sharp", photons=1e8)
    _, _, blurred = _simulated(tmp_path / "blurred", photons=1e8, source_blur=1.0)
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=1e-3)
    assert blurred.std() < 0.95 * sharp.std()


def test_dead_pixels_count_nothing_and_are_in_the_mask(tmp_path: Path) -> None:
    made = ptychography.run(tmp_path / "a.cxi", {**SMALL, "dead_pixels": 7, "background": 50.0})
    with h5py.File(made.path) as file:
        mask = file["entry_1/instrument_1/detector_1/mask"][()] != 0
        frames = file["entry_1/data_1/data"][()]
    assert mask.sum() == 7
    assert not frames[:, mask].any()
    # Where there is hardly light, the background is.
    assert np.percentile(frames[:, ~mask], 20) == pytest.approx(50, abs=8)


def test_slices_are_as_thick_together_as_one(tmp_path: Path) -> None:
    _, true, frames = _simulated(tmp_path, slices=3)
    assert true["object"].shape[0] == 3
    assert np.abs(true["object"]).min() >= AMPLITUDE[0] ** (1 / 3) - 1e-6
    assert frames.sum(axis=(1, 2)).mean() == pytest.approx(6.8e5, rel=0.02)


def test_one_seed_is_one_scan_and_the_truth_has_no_error(tmp_path: Path) -> None:
    frames = []
    for index, seed in enumerate((draw(0.5)["seed"], draw(0.5)["seed"], draw(0.6)["seed"])):
        made = ptychography.run(tmp_path / f"{index}.cxi", {**SMALL, "seed": seed})
        true = truth_of(made.truth)
        assert object_error(ArrayInMemory(3j * true["object"]), made.truth) < 1e-3
        assert object_error(ArrayInMemory(np.ones_like(true["object"])), made.truth) > 0.1
        with h5py.File(made.path) as file:
            frames.append(file["entry_1/data_1/data"][()])
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"photons": 0.0}, "photons = 0 is not above 0"),
        ({"photons": 1e12}, "do not fit into 32 bits"),
        ({"modes": 0}, "modes = 0 is not from 1 to 10"),
        ({"aperture": 1.5}, "aperture = 1.5 is not between 0 and 1"),
        ({"fluctuation": -0.1}, "fluctuation = -0.1 is below 0"),
        ({"dead_pixels": 10_000}, "dead_pixels = 10000 is not from 0 to"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        ptychography.run(tmp_path / "a.cxi", {**SMALL, **given})
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    ptychography.run(tmp_path / "a.cxi", SMALL)
    before = (tmp_path / "a.truth.npz").read_bytes()
    with pytest.raises(Conflict):
        ptychography.run(tmp_path / "a.cxi", {**SMALL, "seed": 1})
    assert (tmp_path / "a.truth.npz").read_bytes() == before
