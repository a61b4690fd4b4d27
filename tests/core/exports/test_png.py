"""PNG exports as Pillow reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightwell.errors import ParameterError
from lightwell.exports import export


@pytest.mark.parametrize(
    ("dtype", "mode", "white"), [("uint8", "L", 255), ("uint16", "I;16", 65535)]
)
def test_pictures_say_their_contrast_and_pixel_size(
    volume: Any, ramp: Any, tmp_path: Path, dtype: str, mode: str, white: int
) -> None:
    dataset = volume(ramp)
    done = export(dataset, "png", tmp_path / "p", dtype=dtype, limits=(0.0, 0.1))
    assert len(list(done.path.glob("*.png"))) == 7
    with Image.open(done.path / "slice_0002.png") as picture:
        assert picture.mode == mode
        values = np.asarray(picture).astype(float)
        text: dict[str, Any] = picture.text  # type: ignore[attr-defined]
        # Stored as whole pixels per metre, which Pillow gives per inch.
        assert picture.info["dpi"][0] == pytest.approx(0.0254 / 0.65e-6, rel=1e-3)
    expected = np.clip(ramp[2], 0, 0.1) / 0.1 * white
    np.testing.assert_allclose(values, expected, atol=0.51)
    facts = json.loads(text["Description"])
    assert (facts["black"], facts["white"], facts["values"]) == (0.0, 0.1, "range given")
    assert text["Source"] == dataset.pid


def test_floats_become_eight_bits_by_percentiles_that_are_told(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    done = export(volume(ramp), "png", tmp_path / "p")
    assert done.facts["dtype"] == "uint8"
    assert done.facts["values"] == f"percentiles 0.1 and 99.9 of {ramp.size} values"
    low, high = np.percentile(ramp.astype(float), [0.1, 99.9])
    assert (done.facts["black"], done.facts["white"]) == pytest.approx((low, high))
    assert done.clipped == np.count_nonzero((ramp < low) | (ramp > high)) > 0


def test_floats_do_not_fit_into_png(volume: Any, ramp: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="uint8 or uint16"):
        export(volume(ramp), "png", tmp_path / "p", dtype="float32")
