"""What flows through a recipe: scans picked out of stacks, coordinates of volumes."""

from typing import Any

import numpy as np
import pytest

from lightwell import ArrayRef, Detector, Entry, Instrument, Sample
from lightwell.errors import InputError, JunctionError, MissingMetadata
from lightwell.stacks import ArrayInMemory
from lightwell_tomography.products import Scan, Volume
from lightwell_tomography.schema import Tomography

KEY = np.array([2, 1, 1, 0, 0, 1, 0, 3, 0, 2])
FRAMES = np.broadcast_to(np.arange(10)[:, None, None], (10, 2, 3)).astype("uint16")
ANGLES = np.arange(10) * 10.0


class Counted:
    """An array in memory that notes which reads were made of it."""

    def __init__(self, values: Any) -> None:
        self.inner = ArrayInMemory(np.asarray(values))
        self.shape, self.dtype = self.inner.shape, self.inner.dtype
        self.reads: list[int] = []

    def read(self, selection: Any = ()) -> Any:
        found = self.inner.read(selection)
        self.reads.append(found.size)
        return found


class Opened:
    """A scan whose arrays are in memory, and what was read of them."""

    def __init__(
        self, frames: Any = FRAMES, key: Any = KEY, angles: Any = ANGLES, unit: Any = "degree"
    ) -> None:
        self.arrays = {n: Counted(v) for n, v in (("f", frames), ("k", key), ("a", angles))}
        refs = {
            n: ArrayRef.hdf5("scan.h5", f"/{n}", a.shape, a.dtype.name)
            for n, a in self.arrays.items()
        }
        self.entry = Tomography(
            instrument=Instrument(detector=Detector(data=refs["f"], image_key=refs["k"])),
            sample=Sample(rotation_angle=refs["a"].model_copy(update={"unit": unit})),
        )

    def load(self) -> Any:
        return Scan.load(self.entry, lambda ref: self.arrays[ref.parts[0].path.strip("/")])


def test_loading_picks_by_the_key_and_reads_no_frame() -> None:
    opened = Opened()
    found = opened.load()
    assert opened.arrays["f"].reads == []
    # The whole key, and the angles of the projections alone.
    assert opened.arrays["k"].reads == [10]
    assert sum(opened.arrays["a"].reads) <= 10
    assert [array.shape for array in found.values()][:4] == [(4, 2, 3), (3, 2, 3), (2, 2, 3), (4,)]
    one = found["frames"].read((slice(1, 2), slice(0, 1)))
    assert opened.arrays["f"].reads == [3]
    np.testing.assert_array_equal(one, np.full((1, 1, 3), 4))
    np.testing.assert_array_equal(found["frames"].read()[:, 0, 0], [3, 4, 6, 8])
    np.testing.assert_array_equal(found["flats"].read()[:, 0, 0], [1, 2, 5])
    np.testing.assert_array_equal(found["darks"].read()[:, 0, 0], [0, 9])
    np.testing.assert_array_equal(found["angles"].read(), [30, 40, 60, 80])


def test_flats_serve_the_projections_between_their_moments() -> None:
    found = {name: array.read() for name, array in Opened().load().items()}
    # Flats before the first projection and after the second one.
    np.testing.assert_array_equal(found["flat_average"], [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_array_equal(found["flat_before"], [0, 0, 1, 1])
    np.testing.assert_allclose(found["flat_share"], [0, 0.5, 0, 0])
    Scan.of(**found)


@pytest.mark.parametrize(("unit", "factor"), [("rad", 180 / np.pi), ("mrad", 0.18 / np.pi)])
def test_angles_are_brought_to_degree(unit: str, factor: float) -> None:
    angles = Opened(unit=unit).load()["angles"].read()
    np.testing.assert_allclose(angles, factor * np.array([30, 40, 60, 80]))


def test_angles_without_unit_are_degrees() -> None:
    np.testing.assert_array_equal(Opened(unit=None).load()["angles"].read(), [30, 40, 60, 80])


def test_a_scan_that_does_not_fit_is_refused_in_a_sentence() -> None:
    for broken, words in (
        (Opened(key=KEY[:9]), "there are 9 image keys for 10 frames"),
        (Opened(angles=ANGLES[:8]), "there are 8 angles for 10 frames"),
        (Opened(frames=FRAMES[0]), r"shape \(2, 3\), not \(frame, row, x\)"),
        (Opened(angles=np.where(KEY == 0, np.nan, 0.0)), "4 of 4 angles are not numbers"),
        (Opened(unit="mm"), "mm"),
        (Opened(key=np.full(10, 3)), "no projections"),
        (Opened(key=np.where(KEY == 1, 3, KEY)), "no flat fields"),
        (Opened(key=np.where(KEY == 2, 3, KEY)), "no dark fields"),
    ):
        with pytest.raises(InputError, match=words):
            broken.load()


def test_angles_of_flats_need_not_be_numbers() -> None:
    angles = np.where(KEY == 0, ANGLES, np.nan)
    np.testing.assert_array_equal(Opened(angles=angles).load()["angles"].read(), [30, 40, 60, 80])


def test_an_entry_without_scan_says_what_it_lacks() -> None:
    with pytest.raises(MissingMetadata, match=r"instrument\.detector\.data"):
        Scan.load(Entry(), ArrayInMemory)  # type: ignore[arg-type]


def test_a_scan_is_made_from_arrays_in_a_notebook() -> None:
    scan = Scan.taken(FRAMES[:4], FRAMES[:3], FRAMES[:2], ANGLES[:4], flat_positions=[0, 4, 4])
    assert scan.lengths() == {"angle": 4, "row": 2, "x": 3, "flat": 3, "dark": 2, "moment": 2}
    np.testing.assert_allclose(scan.flat_share, [0, 0.25, 0.5, 0.75])
    together = Scan.taken(FRAMES[:4], FRAMES[:3], FRAMES[:2], ANGLES[:4])
    np.testing.assert_allclose(together.flat_average, [[1 / 3] * 3])


def test_arrays_that_are_no_scan_are_refused() -> None:
    with pytest.raises(JunctionError, match="angle"):
        Scan.taken(FRAMES[:4], FRAMES[:3], FRAMES[:2], ANGLES[:5])
    with pytest.raises(JunctionError, match="flat"):
        Scan.taken(FRAMES[:4], FRAMES[:3], FRAMES[:2], ANGLES[:4], flat_positions=[0, 4])
    with pytest.raises(InputError, match="finite"):
        Scan.taken(FRAMES[:4], FRAMES[:1], FRAMES[:2], ANGLES[:4], flat_positions=[np.nan])
    for arrays in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(MissingMetadata, match="cannot be normalised"):
            Scan.taken(*(FRAMES[:count] for count in arrays), ANGLES[: arrays[0]])


def test_coordinates_are_metres_from_the_axis_where_the_pixel_is_known() -> None:
    detector = Detector(x_pixel_size=2e-6, y_pixel_size=3e-6)
    entry = Entry(instrument=Instrument(detector=detector))
    found = Volume.coordinates(entry, {"row": 3, "y": 4, "x": 4})
    assert {axis: (c.label, c.unit) for axis, c in found.items()} == {
        "row": ("z", "m"),
        "y": ("y", "m"),
        "x": ("x", "m"),
    }
    np.testing.assert_allclose(found["row"].values, [0, 3e-6, 6e-6])
    np.testing.assert_allclose(found["x"].values, np.array([-1.5, -0.5, 0.5, 1.5]) * 2e-6)


def test_coordinates_are_pixels_where_it_is_not() -> None:
    found = Volume.coordinates(Entry(), {"row": 2, "y": 3, "x": 3})
    assert {c.unit for c in found.values()} == {"pixel"}
    assert list(found["y"].values) == [-1.0, 0.0, 1.0]
    assert list(found["row"].values) == [0.0, 1.0]
