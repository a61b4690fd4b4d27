"""Folders of TIFF images, tidy and untidy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell.errors import InputError, MissingMetadata, NoImporter, ParameterError
from lightwell.manifests import verify

tifffile = pytest.importorskip("tifffile")

TURN = {"first_angle": 0.0, "last_angle": 180.0}


def _image(path: Path, value: float, shape: tuple[int, ...] = (3, 4), dtype: str = "u2") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full(shape, value, dtype))


def _scan(folder: Path, *, darks: str = "dark_{}.tif", flats: str = "flat_{}.tif") -> Path:
    for index in range(11):
        _image(folder / f"proj_{index}.tif", 100 + index)
    for index in range(2):
        _image(folder / darks.format(index), 1 + index)
        _image(folder / flats.format(index), 1000 + index)
    return folder


@pytest.mark.parametrize(
    ("darks", "flats"),
    [
        ("dark_{}.tif", "flat_{}.tif"),
        ("darks/img_{}.tiff", "flats/img_{}.tiff"),
        ("DarkField_{}.TIF", "FlatField_{}.TIF"),
        ("df-{}.tif", "white{}.tif"),
        ("scandrk_000{}_0000.tif", "scanbak_000{}_0000.tif"),
    ],
)
def test_kinds_of_image_are_told_apart_by_their_names(
    scans: Any, tmp_path: Path, darks: str, flats: str
) -> None:
    [found] = scans.describe(_scan(tmp_path / "s", darks=darks, flats=flats), **TURN)
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(11))
    np.testing.assert_array_equal(arrays["flats"][:, 0, 0], [1000, 1001])
    np.testing.assert_array_equal(arrays["darks"][:, 0, 0], [1, 2])
    np.testing.assert_allclose(arrays["angles"], np.arange(11) * 18.0)
    assert len(found.parts) == 15
    assert scans.codes(found) == []


def test_what_a_person_knows_is_kept(scans: Any, tmp_path: Path) -> None:
    known = {"energy": "25 keV", "pixel_size": "0.65 um", "sample": "tooth"}
    entry = scans.describe(_scan(tmp_path / "s"), **TURN, **known)[0].entry
    canonical = entry.canonical()
    assert (canonical["energy"], canonical["sample"]) == (25000.0, "tooth")
    assert canonical["pixel_size"] == pytest.approx(6.5e-7)


def test_angles_are_asked_for(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    with pytest.raises(MissingMetadata, match="first_angle=0 --set last_angle=180"):
        scans.describe(folder)
    with pytest.raises(ParameterError, match="last_angle is missing"):
        scans.describe(folder, first_angle=0.0)


def test_folders_of_anybody_s_images_are_not_claimed(scans: Any, tmp_path: Path) -> None:
    for index in range(3):
        _image(tmp_path / "saxs" / f"frame_{index}.tif", 1)
    assert scans.claiming(tmp_path / "saxs") == []
    assert scans.claiming(tmp_path) == []
    _scan(tmp_path / "scans" / "one")
    assert scans.claiming(tmp_path / "scans") == []
    assert scans.claiming(tmp_path / "scans" / "one") == ["tiff-folder"]


@pytest.mark.parametrize(
    ("gone", "words"),
    [("proj_*", "no projections"), ("dark_*", "no dark images"), ("flat_*", "no flat images")],
)
def test_a_kind_that_is_missing_is_named(scans: Any, tmp_path: Path, gone: str, words: str) -> None:
    folder = _scan(tmp_path / "s")
    for path in folder.glob(gone):
        path.unlink()
    with pytest.raises(MissingMetadata, match=words):
        scans.describe(folder, **TURN)


def test_an_image_of_another_size_is_named(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    _image(folder / "proj_5.tif", 1, (5, 6))
    with pytest.raises(InputError, match=r"proj_5\.tif is 1 x 5 x 6 uint16"):
        scans.describe(folder, **TURN)


def test_flats_of_another_size_are_named(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    for index in range(2):
        _image(folder / f"flat_{index}.tif", 1, (5, 6))
    with pytest.raises(InputError, match="flat images are 5 x 6 pixels, projections 3 x 4"):
        scans.describe(folder, **TURN)


def test_averaged_flats_keep_their_fractions(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    for index in range(2):
        _image(folder / f"flat_{index}.tif", 1000.5, dtype="f4")
    arrays = scans.arrays(scans.describe(folder, **TURN)[0])
    np.testing.assert_array_equal(arrays["flats"], np.full((2, 3, 4), 1000.5))


def test_files_of_many_pages_are_stacks(scans: Any, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    for name, first, count in (("proj", 100, 11), ("dark", 1, 2), ("flat", 1000, 3)):
        frames = np.broadcast_to((first + np.arange(count))[:, None, None], (count, 3, 4))
        tifffile.imwrite(folder / f"{name}.tif", frames.astype("u2"), photometric="minisblack")
    arrays = scans.arrays(scans.describe(folder, **TURN)[0])
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(11))
    assert (len(arrays["darks"]), len(arrays["flats"])) == (2, 3)


def test_a_file_of_many_pages_among_images_is_named(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    tifffile.imwrite(folder / "proj_5.tif", np.zeros((2, 3, 4), "u2"), photometric="minisblack")
    with pytest.raises(InputError, match=r"proj_5\.tif is 2 x 3 x 4"):
        scans.describe(folder, **TURN)


def test_pictures_beside_the_scan_are_left_out_and_flagged(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    _image(folder / "preview.tif", 9, (50, 50))
    _image(folder / "._proj_3.tif", 9)
    (folder / "notes.txt").write_text("not an image")
    [found] = scans.describe(folder, **TURN)
    assert scans.codes(found) == ["image-left-out"]
    assert len(scans.arrays(found)["frames"]) == 11


def test_two_series_in_one_folder_are_refused(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    for index in range(3):
        _image(folder / "recon" / f"slice_{index}.tif", 9)
    with pytest.raises(InputError, match="several series of images") as caught:
        scans.describe(folder, **TURN)
    assert "one scan per folder" in str(caught.value)


def test_what_is_no_grey_picture_is_refused(scans: Any, tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    tifffile.imwrite(folder / "proj_0.tif", np.zeros((3, 4, 3), "u1"), photometric="rgb")
    with pytest.raises(InputError, match="expected grey values"):
        scans.describe(folder, **TURN)
    (folder / "proj_0.tif").write_bytes(b"II*\0 not much of a picture")
    with pytest.raises(InputError, match=r"proj_0\.tif cannot be read as TIFF"):
        scans.describe(folder, **TURN)


def test_diamond_s_folder_is_one_scan_of_93_files(scans: Any, shared_data: Any) -> None:
    [found] = scans.describe(shared_data / "tomography" / "diamond_tiff_stack", **TURN)
    assert len(found.parts) == 93
    arrays = scans.arrays(found)
    assert arrays["frames"].shape == (91, 135, 160)
    np.testing.assert_allclose(np.diff(arrays["angles"]), 2.0)
    assert arrays["flats"].mean() > 3e4


def test_what_to_give_instead_is_said(tmp_path: Path) -> None:
    als = lightwell.open()
    image = tmp_path / "saxs" / "frame_1.tif"
    _image(image, 1)
    with pytest.raises(NoImporter, match="ive the folder of the images, not one of them"):
        als.ingest(image)
    with pytest.raises(NoImporter, match="that holds its dark and flat images too"):
        als.ingest(image.parent)


@pytest.mark.slow
def test_ten_thousand_images(tmp_path: Path) -> None:
    folder = _scan(tmp_path / "s")
    content = (folder / "proj_0.tif").read_bytes()
    for index in range(11, 9996):
        (folder / f"proj_{index}.tif").write_bytes(content)
    als = lightwell.open()
    [raw] = als.ingest(folder, **TURN)
    assert len(raw.manifest.files) == 10_000
    assert len(json.dumps(raw.entry.document())) < 64_000
    assert verify(raw.manifest) == []
    (folder / "proj_5000.tif").write_bytes(content[:-1])
    (folder / "proj_7000.tif").unlink()
    assert [(d.name, d.what) for d in verify(raw.manifest)] == [
        ("proj_5000.tif", "size"),
        ("proj_7000.tif", "missing"),
    ]
