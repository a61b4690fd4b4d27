"""What holds for every format: slabs, greys, places, sentences."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwell.errors import Conflict, InputError, MissingMetadata, NotFound, ParameterError
from lightwell.exports import FORMATS, export, open_volume, parse_range
from lightwell.exports import volume as volumes
from lightwell.exports.grey import Grey

OUTPUTS = {"tiff": "a.tif", "raw": "a.raw", "png": "folder", "ome-zarr": "a.zarr"}


@pytest.fixture(params=sorted(FORMATS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "result")


def test_a_slab_is_all_that_is_ever_read(
    kind: str, volume: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((60, 32, 32), np.uint8)
    dataset = volume(values)
    read: list[int] = []
    open_array = volumes.open_array

    class Counted:
        def __init__(self, lazy: Any) -> None:
            self.lazy, self.shape, self.dtype = lazy, lazy.shape, lazy.dtype

        def read(self, selection: Any = ()) -> Any:
            found = self.lazy.read(selection)
            read.append(found.nbytes)
            return found

    monkeypatch.setattr(volumes, "open_array", lambda *given: Counted(open_array(*given)))
    monkeypatch.setattr(volumes, "SLAB_BYTES", 4096)
    monkeypatch.setattr(volumes.Volume.slab_depth, "__defaults__", (4096,))
    monkeypatch.setattr("lightwell.exports.ome_zarr._SLAB_BYTES", 4096)
    export(dataset, kind, tmp_path / OUTPUTS[kind])
    slabs = [size for size in read if size >= 1024]
    assert max(slabs) == 4096
    # Every slice once: nothing is read for a second look.
    assert sum(slabs) == values.nbytes


def test_how_far_it_is_is_told(kind: str, volume: Any, ramp: Any, tmp_path: Path) -> None:
    told: list[Any] = []
    export(volume(ramp), kind, tmp_path / OUTPUTS[kind], tell=told.append)
    written = [event for event in told if event["event"] == "slices-written"]
    assert (written[-1]["done"], written[-1]["of"]) == (7, 7)


def test_what_stands_there_stays(kind: str, volume: Any, ramp: Any, tmp_path: Path) -> None:
    (tmp_path / OUTPUTS[kind]).write_text("mine")
    with pytest.raises(Conflict, match="already"):
        export(volume(ramp), kind, tmp_path / OUTPUTS[kind])
    assert left_behind(tmp_path) == [OUTPUTS[kind]]
    assert (tmp_path / OUTPUTS[kind]).read_text() == "mine"


def test_a_full_disk_leaves_nothing(kind: str, volume: Any, tmp_path: Path, full_disk: Any) -> None:
    values = np.random.default_rng(0).integers(0, 255, (64, 64, 64)).astype(np.uint8)
    dataset = volume(values)
    with full_disk(2000), pytest.raises(InputError, match="disk is full") as caught:
        export(dataset, kind, tmp_path / OUTPUTS[kind])
    assert caught.value.exit_status == 2
    assert left_behind(tmp_path) == []


def test_a_disk_too_small_is_seen_before_anything_is_written(
    volume: Any, ramp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(InputError, match="GB left"):
        export(volume(ramp), "tiff", tmp_path / "a.tif")
    assert left_behind(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="where nobody may write, on Linux")
def test_a_folder_that_is_not_ours_is_refused(kind: str, volume: Any, ramp: Any) -> None:
    # Nobody may write there, root neither.
    with pytest.raises(InputError, match="written"):
        export(volume(ramp), kind, Path("/proc") / OUTPUTS[kind])


def test_a_folder_that_is_not_there_is_not_made(volume: Any, ramp: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        export(volume(ramp), "tiff", tmp_path / "nowhere" / "a.tif")


def test_an_array_that_cannot_be_read_leaves_nothing(
    kind: str, volume: Any, ramp: Any, tmp_path: Path
) -> None:
    dataset = volume(ramp)
    (tmp_path / "result" / "v.h5").write_bytes(b"broken")
    with pytest.raises(InputError):
        export(dataset, kind, tmp_path / OUTPUTS[kind])
    assert left_behind(tmp_path) == []


def test_nothing_is_clipped_silently(volume: Any, tmp_path: Path) -> None:
    values = np.linspace(-1, 2, 3000, dtype=np.float32).reshape(3, 10, 100)
    values[0, 0, :4] = [np.nan, np.inf, -np.inf, 5]
    done = export(volume(values), "raw", tmp_path / "a.raw", dtype="uint8", limits=(0.0, 1.0))
    assert done.facts["clipped_below"] == np.count_nonzero(values < 0)
    assert done.facts["clipped_above"] == np.count_nonzero(values > 1)
    assert done.facts["not_finite"] == 3
    written = np.fromfile(tmp_path / "a.raw", np.uint8).reshape(values.shape)
    assert written[0, 0, :4].tolist() == [0, 255, 0, 255]
    inside = (values >= 0) & (values <= 1)
    np.testing.assert_array_equal(written[inside], np.rint(values[inside].astype(float) * 255))


def test_whole_numbers_stay_as_they_are(volume: Any, tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4) * 2000
    done = export(volume(values), "raw", tmp_path / "a.raw")
    assert (done.facts["dtype"], done.facts["values"]) == ("uint16", "as they are")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "a.raw", "<u2"), values.ravel())


@pytest.mark.parametrize("dtype", ["float64", "int32", "float16", "bool", "int8"])
def test_other_types_become_what_programs_read(volume: Any, tmp_path: Path, dtype: str) -> None:
    values = (np.arange(24).reshape(2, 3, 4) % 2).astype(dtype)
    done = export(volume(values), "raw", tmp_path / "a.raw")
    assert done.facts["dtype"] == ("uint8" if dtype == "bool" else "float32")
    assert done.facts["dtype_in_dataset"] == dtype
    written = np.fromfile(tmp_path / "a.raw", done.facts["dtype"])
    np.testing.assert_array_equal(written, values.ravel().astype(float))


def test_a_volume_of_one_value_is_black(volume: Any) -> None:
    whole = open_volume(volume(np.full((2, 4, 4), 3.0, np.float32)))
    grey = Grey(whole, "uint8")
    assert grey(whole.array.read()).max() == 0


def test_a_volume_without_a_number_is_refused(volume: Any, tmp_path: Path) -> None:
    values = np.full((2, 4, 4), np.nan, np.float32)
    with pytest.raises(ParameterError, match="no finite number"):
        export(volume(values), "png", tmp_path / "p")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "int64"}, "uint8, uint16, float32"),
        ({"limits": (0.0, 1.0)}, "floats are written as they are"),
        ({"dtype": "uint8", "limits": (1.0, 1.0)}, "is none"),
        ({"dtype": "uint8", "limits": (0.0, np.inf)}, "is none"),
        ({"slices": (7, 9, 1)}, "0:7"),
        ({"array": "sample.nothing"}, "no array at"),
    ],
)
def test_wrong_wishes_are_refused_in_a_sentence(
    volume: Any, ramp: Any, tmp_path: Path, given: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export(volume(ramp), "tiff", tmp_path / "a.tif", **given)
    assert left_behind(tmp_path) == []


def test_an_unknown_format_is_answered_with_the_nearest(volume: Any, ramp: Any) -> None:
    with pytest.raises(InputError, match="tiff"):
        export(volume(ramp), "tif", "a.tif")


def test_a_range_is_two_numbers() -> None:
    with pytest.raises(ParameterError, match="lo:hi"):
        parse_range("0.5")


def test_a_picture_is_no_volume(volume: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no volume"):
        export(volume(np.zeros((3, 4), np.float32)), "tiff", tmp_path / "a.tif")


def test_a_dataset_without_a_plot_is_asked_for_the_array(
    volume: Any, ramp: Any, tmp_path: Path
) -> None:
    dataset = volume(ramp)
    bare = dataset.entry.model_copy(update={"data": {}})
    dataset = dataclasses.replace(dataset, entry=bare)
    with pytest.raises(MissingMetadata, match=r"--array instrument\.detector\.data"):
        export(dataset, "tiff", tmp_path / "a.tif")
    done = export(dataset, "tiff", tmp_path / "a.tif", array="instrument.detector.data")
    # Frames have the detector's pixels, and no distance between them.
    assert done.facts["voxel_size_m"] == {"z": None, "y": 3e-6, "x": 1e-6}


def test_one_slice_is_as_thick_as_its_rows_are_high(volume: Any, ramp: Any) -> None:
    whole = open_volume(volume(ramp[:1]))
    assert whole.voxel == pytest.approx((0.65e-6,) * 3)
