"""TIFF exports as tifffile, and by its tags ImageJ, reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lightwell.exports import export
from lightwell.exports.grey import Grey
from lightwell.exports.protocol import FACTS_FILE, Export
from lightwell.exports.tiff import write_tiff
from lightwell.exports.volume import open_volume


def pixels_per_unit(page: Any) -> tuple[float, float]:
    x, y = (page.tags[name].value for name in ("XResolution", "YResolution"))
    return x[0] / x[1], y[0] / y[1]


def test_a_stack_has_a_page_per_slice_and_the_pixel_size(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    dataset = volume(ramp)
    done = export(dataset, "tiff", tmp_path / "head.tif")
    with tifffile.TiffFile(done.path) as file:
        assert len(file.pages) == 7
        for index, page in enumerate(file.pages):
            np.testing.assert_array_equal(page.asarray(), ramp[index])
        assert file.is_imagej
        told = file.imagej_metadata or {}
        np.testing.assert_allclose(pixels_per_unit(file.pages[0]), 1 / 0.65, rtol=1e-6)
        assert (told["unit"], told["slices"]) == ("um", 7)
        assert told["spacing"] == pytest.approx(2.0)
        facts = json.loads(told["Info"])
    assert facts["pid"] == facts["voxel_size_from"] == dataset.pid
    assert facts["voxel_size_m"]["x"] == pytest.approx(0.65e-6)
    assert done.facts["dtype"] == "float32"


def test_grey_values_become_values_again_by_the_calibration_of_imagej(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    done = export(volume(ramp), "tiff", tmp_path / "a.tif", dtype="uint16", limits=(-1.0, 1.0))
    with tifffile.TiffFile(done.path) as file:
        told = file.imagej_metadata or {}
        grey = file.asarray()
    assert grey.dtype == np.uint16
    assert told["cf"] == 0
    assert told["vunit"] == "1/pixel"
    np.testing.assert_allclose(told["c0"] + told["c1"] * grey, ramp, atol=told["c1"])
    assert done.clipped == 0


def test_what_is_too_large_for_classic_tiff_is_a_bigtiff_with_ome_metadata(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    whole = open_volume(volume(ramp))
    work = Export(whole, Grey(whole), tmp_path / "big.tif", lambda event: None)
    write_tiff(work, largest_classic=1000)
    with tifffile.TiffFile(work.path) as file:
        assert file.is_bigtiff
        assert file.is_ome
        np.testing.assert_array_equal(file.asarray(), ramp)
        described = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
        assert pixels_per_unit(file.pages[0])[0] == pytest.approx(1 / 0.65, rel=1e-6)
    pixels = described["Pixels"]
    assert pixels["PhysicalSizeX"] == pytest.approx(0.65)
    assert pixels["PhysicalSizeZ"] == pytest.approx(2.0)
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert whole.pid in described["Description"]


def test_a_folder_has_a_file_per_slice_under_its_number_in_the_dataset(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    done = export(volume(ramp), "tiff", tmp_path / "slices", slices=(1, 6, 2))
    names = sorted(path.name for path in done.path.iterdir())
    assert names == [FACTS_FILE, "slice_0001.tif", "slice_0003.tif", "slice_0005.tif"]
    with tifffile.TiffFile(done.path / "slice_0003.tif") as file:
        np.testing.assert_array_equal(file.asarray(), ramp[3])
        assert pixels_per_unit(file.pages[0])[1] == pytest.approx(1 / 0.65, rel=1e-6)
    facts = json.loads((done.path / FACTS_FILE).read_text())
    assert facts == json.loads(json.dumps(done.facts))
    # Every other slice is left out, so the next one is twice as far.
    assert facts["voxel_size_m"]["z"] == pytest.approx(4e-6)


def test_an_unknown_pixel_size_is_not_made_up(volume: Any, ramp: Any, tmp_path: Path) -> None:
    done = export(volume(ramp, pixel=None), "tiff", tmp_path / "a.tif")
    assert done.facts["voxel_size_m"] == {"z": None, "y": None, "x": None}
    with tifffile.TiffFile(done.path) as file:
        assert "unit" not in (file.imagej_metadata or {})
