"""The truth explains its frames to within the noise of counting, and what is wrong does not."""

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_ptychography.exit_waves import illuminate, intensity
from lightwell_ptychography.judgement import (
    Fit,
    fourier_fit,
    judge_fit,
    mode_powers,
    noise_of_roots,
    propagator_sentence,
)
from lightwell_ptychography.problem import Patterns, Reconstruction
from lightwell_ptychography.propagators import FarField, NearField
from lightwell_ptychography.simulate import ptychography, truth_of


def _scan(folder: Path, **given: Any) -> tuple[Patterns, Reconstruction, Any]:
    made = ptychography.run(folder / "scan.cxi", {"frame": 32, "positions": 49, **given})
    true, facts = truth_of(made.truth), made.truth
    with h5py.File(made.path) as file:
        frames = file["entry_1/data_1/data"][()].astype(np.float32)
        mask = file["entry_1/instrument_1/detector_1/mask"][()] == 0
    propagator: Any = FarField()
    if facts["field"] == "near":
        pixel = facts["object_pixel"]
        propagator = NearField(facts["wavelength"], facts["distance"], (pixel, pixel))
    else:
        frames, mask = np.fft.ifftshift(frames, axes=(1, 2)), np.fft.ifftshift(mask)
    positions = jnp.asarray(true["positions"])
    found = Reconstruction(jnp.asarray(true["object"]), jnp.asarray(true["probe"]), positions)
    return Patterns(jnp.asarray(frames), jnp.asarray(mask), positions), found, propagator


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"field": "near"},
        {"modes": 3, "dead_pixels": 20},
        {"photons": 300.0},
        {"photons": 1e8},
    ],
)
def test_the_truth_leaves_what_counting_leaves(tmp_path: Path, given: dict[str, Any]) -> None:
    patterns, found, propagator = _scan(tmp_path, **given)
    fit = fourier_fit(patterns, found, propagator)
    assert fit.floor is not None
    assert fit.error == pytest.approx(fit.floor, rel=0.03)
    verdict = judge_fit(fit, given.get("field", "far"))
    assert verdict.grade == "good"
    assert "The frames are explained." in verdict.sentences


@pytest.mark.parametrize("propagator", [FarField(), NearField(1e-10, 0.2, (1e-6, 1e-6))])
def test_the_detector_stands_with_the_light(propagator: Any) -> None:
    # Behind nothing every frame is the same, wherever between pixels the light fell.
    window = np.hanning(32)[:, None] * np.hanning(32)
    phase = 3.0 * window - 0.2 * np.arange(32)
    probe = jnp.asarray((window * np.exp(1j * phase))[None], jnp.complex64)
    positions = jnp.asarray([[4.0, 4.0], [4.3, 4.0], [5.45, 3.6]], jnp.float32)
    seen = illuminate(jnp.ones((1, 44, 44), jnp.complex64), probe, positions, subpixel=True)
    frames = np.asarray(intensity(propagator.forward(seen.exit, seen.ramps)))
    np.testing.assert_allclose(frames[1:], frames[:1].repeat(2, 0), atol=2e-3 * frames.max())
    made = propagator.forward(propagator.backward(seen.exit, seen.ramps), seen.ramps)
    np.testing.assert_allclose(made, seen.exit, atol=2e-2)


def test_the_wrong_propagator_is_said(tmp_path: Path) -> None:
    patterns, found, near = _scan(tmp_path, field="near")
    right, wrong = (fourier_fit(patterns, found, way).error for way in (near, FarField()))
    assert wrong > 2 * right
    verdict = judge_fit(fourier_fit(patterns, found, FarField()), "far")
    assert verdict.grade == "bad"
    assert "Is it really the far field, and not the near?" in verdict.sentences[-1]
    assert "near field explains the frames" in propagator_sentence(
        {"near field": right, "far field": wrong}
    )
    assert "do not tell" in propagator_sentence({"near field": right, "far field": 1.5 * right})


def test_background_and_intensity_are_part_of_the_fit(tmp_path: Path) -> None:
    patterns, found, propagator = _scan(tmp_path, background=20.0, fluctuation=0.2)
    made = truth_of({"arrays": str(tmp_path / "scan.truth.npz")})
    plain = fourier_fit(patterns, found, propagator)
    assert judge_fit(plain, "far").grade == "bad"
    told = dataclasses.replace(
        found,
        background=jnp.full(patterns.frame_shape, 20.0),
        intensity=jnp.asarray(made["beam"]),
    )
    fit = fourier_fit(patterns, told, propagator)
    assert fit.floor is not None
    assert fit.error == pytest.approx(fit.floor, rel=0.03)


def test_a_frame_that_is_off_is_named(tmp_path: Path) -> None:
    patterns, found, propagator = _scan(tmp_path)
    moved = found.positions.at[17].add(6.0)
    fit = fourier_fit(patterns, dataclasses.replace(found, positions=moved), propagator)
    assert np.argmax(fit.frames) == 17
    sentences = " ".join(judge_fit(fit, "far").sentences)
    assert "Frames far worse than the others: 17." in sentences


def test_numbers_that_are_none_are_bad() -> None:
    assert judge_fit(Fit(float("nan"), 0.1, np.zeros(3)), "far").grade == "bad"


@pytest.mark.parametrize(("error", "grade"), [(0.05, "good"), (0.2, "fair"), (0.4, "bad")])
def test_frames_without_counts_are_judged_by_the_error_alone(error: float, grade: str) -> None:
    assert judge_fit(Fit(error, None, np.zeros(3)), "far").grade == grade


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 60.0, 1e5])
def test_noise_of_roots_is_that_of_drawn_counts(mean: float) -> None:
    counts = np.random.default_rng(0).poisson(mean, 400_000)
    drawn = np.mean((np.sqrt(counts) - np.sqrt(mean)) ** 2)
    assert float(noise_of_roots(mean)) == pytest.approx(drawn, rel=0.02)


def test_mode_powers_do_not_change_when_modes_are_mixed(tmp_path: Path) -> None:
    _, found, _ = _scan(tmp_path, modes=3, mode_power=0.5)
    probe = np.asarray(found.probe)
    np.testing.assert_allclose(mode_powers(probe), np.array([4, 2, 1]) / 7, rtol=1e-3)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    mixed = np.tensordot(turn, probe, axes=1)
    np.testing.assert_allclose(mode_powers(mixed), np.array([4, 2, 1]) / 7, rtol=1e-3)
