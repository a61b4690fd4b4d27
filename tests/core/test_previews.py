"""Previews are small grey pictures that show something, whatever the numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightwell.errors import LightwellError
from lightwell.previews import write_picture


def drawn(path: Path, image: np.ndarray) -> np.ndarray:
    with Image.open(write_picture(path / "p.png", image)) as picture:
        return np.asarray(picture)


def test_contrast_is_stretched_and_extremes_are_clipped(tmp_path: Path) -> None:
    image = np.tile(np.linspace(10, 20, 300), (300, 1))
    image[0, 0], image[1, 1] = 1e9, -1e9
    picture = drawn(tmp_path, image)
    assert picture.shape == (300, 300)
    assert (picture[5, 0], picture[5, -1]) == (0, 255)
    assert abs(int(picture[5, 150]) - 128) < 4


@pytest.mark.parametrize("value", [0.0, -3.5, np.nan, np.inf])
def test_pictures_of_nothing(value: float, tmp_path: Path) -> None:
    picture = drawn(tmp_path, np.full((4, 6), value))
    assert len(np.unique(picture)) == 1


def test_gaps_do_not_spoil_the_rest(tmp_path: Path) -> None:
    image = np.tile(np.linspace(0, 1, 300), (300, 1))
    image[:10] = np.nan
    picture = drawn(tmp_path, image)
    assert picture[50, -1] == 255
    assert picture[0].max() == 0


def test_pictures_are_at_most_1024_pixels_wide(tmp_path: Path) -> None:
    assert drawn(tmp_path, np.zeros((300, 3000))).shape == (102, 1024)
    # Whole pixels, enlarged so that they can be seen.
    assert drawn(tmp_path, np.zeros((5, 7), np.uint16)).shape == (185, 259)


def test_colours_are_shown_as_they_are(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 280, 3)).astype(np.uint8)
    np.testing.assert_array_equal(drawn(tmp_path, image), image)
    # Three numbers per pixel that are no bytes say nothing about colours.
    with pytest.raises(LightwellError, match="cannot be drawn as a picture"):
        write_picture(tmp_path / "q.png", image.astype(float))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 5)])
def test_what_is_no_picture(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(LightwellError, match="cannot be drawn as a picture"):
        write_picture(tmp_path / "p.png", np.zeros(shape))
    assert not list(tmp_path.iterdir())
