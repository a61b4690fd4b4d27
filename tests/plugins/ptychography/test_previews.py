"""Pictures show what is there: phases in colours, lengths in bars, errors and moves in lines."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwell.previews import write_picture
from lightwell_ptychography.judgement import lit_region
from lightwell_ptychography.plots import (
    colour_wheel,
    error_plot,
    moves_plot,
    round_length,
    with_scale_bar,
)
from lightwell_ptychography.previews import PREVIEWS
from lightwell_ptychography.products import Diffraction, ObjectAndProbe, Optics
from lightwell_ptychography.simulate import ptychography, truth_of

DRAW = {preview.name: preview.draw for preview in PREVIEWS}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ObjectAndProbe:
    """The truth of a scan as a result would have it, with a ramp on the object."""
    folder = tmp_path_factory.mktemp("scan")
    made = ptychography.run(folder / "a.cxi", {"positions": 100, "modes": 2, "position_error": 2.0})
    true = truth_of(made.truth)
    image = true["object"]
    rows, columns = np.indices(image.shape[1:])
    lit = lit_region(image.shape[1:], true["positions"], true["probe"]).astype(np.float32)
    pixel = made.truth["object_pixel"]
    return ObjectAndProbe.of(
        object=image * np.exp(0.2j * rows - 0.13j * columns),
        probe=true["probe"],
        positions=true["positions"],
        told=true["positions_told"],
        error=np.geomspace(0.5, 0.02, 40),
        lit=lit,
        optics=np.asarray(Optics(1e-10, 2.0, 75e-6, 75e-6, pixel, pixel), np.float64),
    )


@pytest.mark.parametrize("name", ["phase", "amplitude", "probe", "error", "moves"])
def test_every_picture_is_written(tmp_path: Path, found: ObjectAndProbe, name: str) -> None:
    assert write_picture(tmp_path / f"{name}.png", DRAW[name](found)).stat().st_size > 1000


def test_the_phase_is_shown_without_its_ramp(found: ObjectAndProbe) -> None:
    shown = DRAW["phase"](found)
    rows, columns = (np.flatnonzero(np.asarray(found.lit).any(axis=a)) for a in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    offset = np.indices(np.asarray(found.object[0]).shape)
    flat = np.asarray(found.object[0]) * np.exp(-0.2j * offset[0] + 0.13j * offset[1])
    # Away from the bar in the lower left corner.
    true = np.angle(flat)[box]
    factor = shown.shape[0] // true.shape[0]
    shown, middle = shown[::factor, ::factor], np.s_[20:-25, 25:-20]
    true = true[middle]
    assert np.corrcoef(shown[middle].ravel(), true.ravel())[0, 1] > 0.98


def test_what_no_light_met_is_not_shown(found: ObjectAndProbe) -> None:
    lit = np.asarray(found.lit).copy()
    lit[:70] = 0
    shown = DRAW["amplitude"](ObjectAndProbe.of(**{**found.arrays(), "lit": lit}))
    assert shown.shape[0] / shown.shape[1] < 0.7


def test_a_pattern_has_its_zero_frequency_in_the_middle() -> None:
    frame = np.zeros((1, 16, 16))
    frame[0, 8, 8], frame[0, 2, 2] = 100.0, 50.0
    mask = np.ones((16, 16))
    mask[2, 2] = 0
    given: dict[str, Any] = {"positions": np.zeros((1, 2)), "mask": mask}
    shown = DRAW["pattern"](Diffraction.taken(frame, **given))
    assert np.unravel_index(shown.argmax(), shown.shape) == (8, 8)
    assert shown[2, 2] == 0


@pytest.mark.parametrize(("phase", "colour"), [(0, 0), (2 * np.pi / 3, 1), (4 * np.pi / 3, 2)])
def test_hue_is_phase_and_brightness_is_amplitude(phase: float, colour: int) -> None:
    wave = np.array([[1.0, 0.5, 0.0]]) * np.exp(1j * phase)
    shown = colour_wheel(wave)
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown[0, :, colour], [255, 128, 0], atol=1)
    assert np.delete(shown, colour, axis=2).max() <= 1


def test_every_phase_is_as_bright_at_its_brightest() -> None:
    shown = colour_wheel(np.exp(1j * np.linspace(0, 2 * np.pi, 100))[None])
    assert shown.max(axis=2).min() > 250


@pytest.mark.parametrize("pixel", [7e-9, 3.2e-8, 1e-6])
def test_the_bar_is_as_long_as_it_says(pixel: float) -> None:
    image = np.random.default_rng(0).uniform(0.2, 0.8, (200, 240))
    image[0, 0], image[0, 1] = 0.0, 1.0
    length, _ = round_length(0.3 * 240 * pixel)
    shown = with_scale_bar(image, pixel)
    factor = shown.shape[1] // 240
    bar = max((row > 0.95).sum() for row in shown[-60:])
    assert abs(bar - factor * length / pixel) <= 4
    assert 0.1 * 240 <= length / pixel <= 0.3 * 240
    assert with_scale_bar(image, float("nan")) is image


def test_an_error_that_falls_is_drawn_falling() -> None:
    shown = error_plot(np.geomspace(1.0, 1e-3, 300))
    dark = shown < 60
    left, right = (np.median(np.flatnonzero(dark[40:520, column])) for column in (120, 800))
    assert right > left + 200
    assert error_plot(np.full(4, np.nan)).shape == shown.shape


def test_moves_are_counted_without_their_mean() -> None:
    told = np.stack(np.divmod(np.arange(49.0), 7), axis=1) * 10
    still = moves_plot(told, told + 5.0)
    moved = moves_plot(told, told + np.random.default_rng(0).normal(0, 1, told.shape))
    assert (moved < 60).sum() > (still < 60).sum() + 500
