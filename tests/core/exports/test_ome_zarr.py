"""OME-Zarr exports, read by zarr, by a reader of other origin, and judged by a validator."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from lightwell.exports import export, ome_zarr


@pytest.fixture
def pyramid(volume: Any, tmp_path: Path) -> Any:
    """A pyramid of three levels with odd edges."""
    values = np.random.default_rng(5).normal(0, 1, (9, 301, 70)).astype(np.float32)
    dataset = volume(values)
    return export(dataset, "ome-zarr", tmp_path / "v.ome.zarr"), values, dataset


def mean_of_blocks(values: Any) -> Any:
    """The plain way: the mean of what is there in every block of two."""
    shape = [-(-length // 2) for length in values.shape]
    result = np.empty(shape, np.float64)
    for place in np.ndindex(*shape):
        block = tuple(slice(2 * i, 2 * i + 2) for i in place)
        result[place] = values[block].astype(np.float64).mean()
    return result


def test_every_level_is_the_mean_of_the_one_before(pyramid: Any) -> None:
    done, values, _ = pyramid
    root = zarr.open_group(str(done.path), mode="r")
    assert sorted(root.array_keys()) == ["0", "1", "2"]
    expected = values
    for number in range(3):
        level = np.asarray(root[str(number)][:])  # type: ignore[index]
        assert level.dtype == np.float32
        np.testing.assert_allclose(level, expected, atol=1e-6)
        expected = mean_of_blocks(level)


def test_the_metadata_are_those_of_ngff(pyramid: Any) -> None:
    done, values, dataset = pyramid
    stored = json.loads((done.path / "zarr.json").read_text())
    assert (stored["zarr_format"], stored["node_type"]) == (3, "group")
    assert stored["attributes"]["ome"]["version"] == "0.5"
    [image] = stored["attributes"]["ome"]["multiscales"]
    axes = [(axis["name"], axis["type"], axis["unit"]) for axis in image["axes"]]
    assert axes == [(name, "space", "micrometer") for name in "zyx"]
    for number, entry in enumerate(image["datasets"]):
        scale, move = entry["coordinateTransformations"]
        assert (scale["type"], move["type"]) == ("scale", "translation")
        factor = 2**number
        np.testing.assert_allclose(scale["scale"], [2 * factor, 0.65 * factor, 0.65 * factor])
        # The first voxel's centre moves by half of what the voxel grew.
        np.testing.assert_allclose(
            move["translation"], np.array([2, 0.65, 0.65]) * (factor - 1) / 2, atol=1e-12
        )
        array = json.loads((done.path / entry["path"] / "zarr.json").read_text())
        assert array["dimension_names"] == ["z", "y", "x"]
        assert array["shape"] == [-(-length // factor) for length in values.shape]
    facts = stored["attributes"]["lightwell"]
    assert facts["pid"] == dataset.pid
    assert facts["clipped_below"] == 0


def test_a_validator_of_ngff_agrees(pyramid: Any, require: Any) -> None:
    yaozarrs = require("yaozarrs")
    done, _, _ = pyramid
    stored = json.loads((done.path / "zarr.json").read_text())
    image = yaozarrs.v05.Image.model_validate(stored["attributes"]["ome"])
    assert [entry.path for entry in image.multiscales[0].datasets] == ["0", "1", "2"]
    yaozarrs.validate_ome_uri(str(done.path))


def test_a_reader_of_other_origin_reads_the_same(pyramid: Any, require: Any) -> None:
    tensorstore = require("tensorstore")
    done, values, _ = pyramid
    kvstore = {"driver": "file", "path": f"{done.path}/0/"}
    store = tensorstore.open({"driver": "zarr3", "kvstore": kvstore}).result()
    np.testing.assert_array_equal(store.read().result(), values)


def test_whole_numbers_are_rounded_not_cut(volume: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(6).integers(0, 65535, (4, 200, 20)).astype(np.uint16)
    done = export(volume(values), "ome-zarr", tmp_path / "v.zarr")
    root = zarr.open_group(str(done.path), mode="r")
    expected = np.rint(mean_of_blocks(values))
    np.testing.assert_allclose(np.asarray(root["1"][:]), expected, atol=1e-9)  # type: ignore[index]


def test_thin_chunks_make_the_same_pyramid(
    pyramid: Any, volume: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, values, dataset = pyramid
    monkeypatch.setattr(ome_zarr, "_SLAB_BYTES", 3 * 301 * 70 * 4)
    done = export(dataset, "ome-zarr", tmp_path / "thin.zarr")
    root = zarr.open_group(str(done.path), mode="r")
    assert root["0"].chunks[0] == 2  # type: ignore[union-attr]
    np.testing.assert_allclose(
        np.asarray(root["1"][:]),  # type: ignore[index]
        mean_of_blocks(values),
        atol=1e-6,
    )


def test_without_pixel_size_the_axes_have_no_unit(volume: Any, ramp: Any, tmp_path: Path) -> None:
    done = export(volume(ramp, pixel=None), "ome-zarr", tmp_path / "v.zarr", slices=(2, None, None))
    stored = json.loads((done.path / "zarr.json").read_text())
    [image] = stored["attributes"]["ome"]["multiscales"]
    assert image["axes"][0] == {"name": "z", "type": "space"}
    scale, move = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1, 1, 1]
    assert move["translation"] == [2, 0, 0]
