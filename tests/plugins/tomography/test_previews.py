"""Pictures are the right way up, and everything in them can be seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightwell.errors import LightwellError
from lightwell.previews import write_picture
from lightwell_tomography.previews import PREVIEWS
from lightwell_tomography.products import Projections, Scan, Sinograms, Volume

BY_NAME = {preview.name: preview for preview in PREVIEWS}


def _drawn(path: Path, image: Any) -> Any:
    return np.asarray(Image.open(write_picture(path / "picture.png", image)))


def test_there_is_a_picture_of_every_stage() -> None:
    stages = {name: (preview.of, preview.along) for name, preview in BY_NAME.items()}
    assert stages == {
        "raw": (Scan, "angle"),
        "norm": (Projections, "angle"),
        "sino": (Sinograms, "row"),
        "rec": (Volume, "row"),
    }


def test_each_picture_shows_its_plane() -> None:
    frame = np.arange(6.0).reshape(1, 2, 3)
    angles = np.zeros(1)
    scan = Scan.taken(frame, frame, frame, angles)
    np.testing.assert_array_equal(BY_NAME["raw"].draw(scan), frame[0])
    projections = Projections.of(transmission=frame, angles=angles)
    np.testing.assert_array_equal(BY_NAME["norm"].draw(projections), frame[0])
    sinogram = np.arange(6.0).reshape(2, 1, 3)
    sinograms = Sinograms.of(attenuation=sinogram, angles=np.zeros(2))
    np.testing.assert_array_equal(BY_NAME["sino"].draw(sinograms), sinogram[:, 0])


def test_y_grows_upwards_in_the_picture_of_a_slice() -> None:
    slices = np.zeros((1, 3, 3))
    slices[0, 2, 1] = 1.0
    drawn = BY_NAME["rec"].draw(Volume.of(data=slices))
    assert drawn[0, 1] == 1.0


def test_the_first_row_is_at_the_top_and_bright_is_much(tmp_path: Path) -> None:
    drawn = _drawn(tmp_path, np.linspace(0, 1, 300)[:, None] * np.ones(400))
    assert drawn.shape == (300, 400)
    assert drawn[0, 0] == 0
    assert drawn[-1, 0] == 255
    assert abs(int(drawn[150, 0]) - 128) <= 3


def test_a_scan_of_two_rows_can_be_seen(tmp_path: Path) -> None:
    drawn = _drawn(tmp_path, np.array([[0.0] * 640, [1.0] * 640]))
    assert drawn.shape == (64, 640)
    np.testing.assert_array_equal(drawn[:, 0], [0] * 32 + [255] * 32)


def test_a_small_picture_is_enlarged_by_whole_pixels_in_proportion(tmp_path: Path) -> None:
    image = np.arange(22 * 26).reshape(22, 26)
    drawn = _drawn(tmp_path, image)
    assert drawn.shape == (220, 260)
    np.testing.assert_array_equal(drawn, np.kron(drawn[::10, ::10], np.ones((10, 10))))


def test_a_large_picture_is_averaged_down(tmp_path: Path) -> None:
    checks = np.indices((2048, 2048)).sum(axis=0) % 2
    drawn = _drawn(tmp_path, checks)
    assert drawn.shape == (1024, 1024)
    assert np.ptp(drawn) <= 1


def test_one_hot_pixel_does_not_hide_the_rest(tmp_path: Path) -> None:
    image = np.linspace(0, 1, 300)[:, None] * np.ones(300)
    image[7, 7] = 1e9
    assert _drawn(tmp_path, image)[200, 50] > 160


def test_little_on_much_nothing_is_seen(tmp_path: Path) -> None:
    image = np.zeros((300, 300))
    image[150, 150] = 1.0
    drawn = _drawn(tmp_path, image)
    assert (drawn[150, 150], drawn[0, 0]) == (255, 0)


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0, np.inf])
def test_what_has_no_contrast_is_a_picture_all_the_same(tmp_path: Path, value: float) -> None:
    assert np.ptp(_drawn(tmp_path, np.full((300, 300), value))) == 0


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int32", "float32", "float64"])
def test_numbers_of_any_type_are_drawn(tmp_path: Path, dtype: str) -> None:
    image = np.zeros((300, 300), dtype)
    image[150:] = np.finfo(dtype).max if dtype.startswith("float") else 1
    drawn = _drawn(tmp_path, image)
    assert (drawn[0, 0], drawn[-1, -1]) == (0, 255)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for shape in ((3,), (2, 3, 4), (0, 5)):
        with pytest.raises(LightwellError, match="cannot be drawn"):
            write_picture(tmp_path / "none.png", np.zeros(shape))
    assert not list(tmp_path.iterdir())
