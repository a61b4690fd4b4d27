"""Data Exchange files as beamlines write them, good and bad."""

from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import InputError, MissingMetadata, MissingSource
from lightwell.model import ArrayRef

MONO = "/measurement/instrument/monochromator/energy"
PIXEL = "/measurement/instrument/detector/pixel_size"


def test_three_stacks_become_one_scan(scans: Any) -> None:
    [found] = scans.describe(scans.dx())
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"], scans.stack(9, 100))
    np.testing.assert_array_equal(arrays["flats"], scans.stack(4, 1000))
    np.testing.assert_array_equal(arrays["darks"], scans.stack(2, 1))
    np.testing.assert_array_equal(arrays["angles"], scans.theta)
    assert scans.files(found) == ["dx.h5"]
    assert found.entry.lookup("instrument.detector.image_key").dtype == "int32"
    assert scans.codes(found) == ["flat-moments-unknown"]


def test_flats_stand_where_theta_white_says(scans: Any) -> None:
    white = (np.array([0.0, 90.0, 90.0, 180.0]), "degrees")
    [found] = scans.describe(scans.dx(theta_white=white))
    arrays = scans.arrays(found)
    np.testing.assert_array_equal(arrays["frames"], scans.stack(9, 100))
    np.testing.assert_array_equal(arrays["flats"], scans.stack(4, 1000))
    # Before all, in the middle and after all projections: three moments.
    np.testing.assert_array_equal(
        arrays["flat_average"], [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]
    )
    np.testing.assert_array_equal(arrays["flat_before"], [0, 0, 0, 0, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(arrays["flat_share"][:4], [0, 0.25, 0.5, 0.75])
    assert scans.codes(found) == []


def test_flats_out_of_order_and_a_scan_backwards_are_put_into_the_order_of_time(
    scans: Any,
) -> None:
    white = (np.array([0.0, 180.0, 0.0, 180.0]), "degrees")
    path = scans.dx(theta=(scans.theta[::-1], "degrees"), theta_white=white)
    arrays = scans.arrays(scans.describe(path)[0])
    np.testing.assert_array_equal(arrays["flats"][:, 0, 0], [1001, 1003, 1000, 1002])
    np.testing.assert_array_equal(arrays["flat_average"], [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_array_equal(arrays["frames"][:, 0, 0], 100 + np.arange(9))


@pytest.mark.parametrize("white", [[0.0, 180.0], [0.0, np.nan, 90.0, 180.0]])
def test_a_theta_white_that_does_not_fit_is_flagged_and_the_flats_averaged(
    scans: Any, white: list[float]
) -> None:
    [found] = scans.describe(scans.dx(theta_white=(np.array(white), "degrees")))
    assert "flat-moments-unknown" in scans.codes(found)
    np.testing.assert_array_equal(scans.arrays(found)["flat_average"], [[0.25] * 4])


def test_theta_in_radian_is_read_in_degree(scans: Any) -> None:
    [found] = scans.describe(scans.dx(theta=(np.deg2rad(scans.theta), "rad")))
    np.testing.assert_allclose(scans.arrays(found)["angles"], scans.theta, atol=1e-12)


def test_theta_without_unit_is_degree_and_flagged(scans: Any) -> None:
    [found] = scans.describe(scans.dx(theta=scans.theta))
    assert "angle-unit-assumed" in scans.codes(found)
    np.testing.assert_array_equal(scans.arrays(found)["angles"], scans.theta)


def test_radian_called_degrees_is_flagged(scans: Any) -> None:
    [found] = scans.describe(scans.dx(theta=(np.deg2rad(scans.theta), "degrees")))
    assert "angle-unit-doubtful" in scans.codes(found)


def test_theta_of_single_precision_is_theta(scans: Any) -> None:
    [found] = scans.describe(scans.dx(theta=(scans.theta.astype("float32"), "degrees")))
    np.testing.assert_array_equal(scans.arrays(found)["angles"], scans.theta)


def test_a_person_gives_the_angles_that_are_missing(scans: Any) -> None:
    path = scans.dx(theta=None)
    with pytest.raises(MissingMetadata, match="first_angle=0"):
        scans.describe(path)
    [found] = scans.describe(path, first_angle=0.0, last_angle=160.0)
    np.testing.assert_allclose(scans.arrays(found)["angles"], np.arange(9) * 20.0)


def test_a_person_s_angles_replace_those_of_the_file(scans: Any) -> None:
    path = scans.dx(theta=(scans.theta[:-1], "degrees"))
    with pytest.raises(MissingMetadata, match=r"\(8,\), there are 9 projections"):
        scans.describe(path)
    [found] = scans.describe(path, first_angle=0.0, last_angle=160.0)
    np.testing.assert_allclose(scans.arrays(found)["angles"], np.arange(9) * 20.0)


@pytest.mark.parametrize("name", ["data_white", "data_dark"])
def test_missing_or_empty_calibration_is_refused(scans: Any, name: str) -> None:
    with pytest.raises(MissingMetadata, match=f"/exchange/{name} is not there"):
        scans.describe(scans.dx(**{name: None}))
    empty = np.zeros((0, 2, 5), "uint16")
    with pytest.raises(MissingMetadata, match=f"/exchange/{name} is empty"):
        scans.describe(scans.dx("empty.h5", **{name: empty}))


def test_one_averaged_flat_is_a_stack_of_one(scans: Any) -> None:
    [found] = scans.describe(scans.dx(data_white=np.full((2, 5), 1000.5, "float32")))
    arrays = scans.arrays(found)
    assert arrays["flats"].shape == (1, 2, 5)
    # A type that holds the averages of the flats as well as the counts of the projections.
    assert arrays["flats"][0, 0, 0] == 1000.5
    np.testing.assert_array_equal(arrays["frames"], scans.stack(9, 100))


def test_stacks_that_do_not_fit_are_refused(scans: Any) -> None:
    with pytest.raises(InputError, match=r"flat fields .* are \(3, 5\) pixels"):
        scans.describe(scans.dx(data_white=np.zeros((4, 3, 5))))
    with pytest.raises(InputError, match="not numbers"):
        scans.describe(scans.dx("text.h5", data_white=np.array([b"a", b"b"])))
    with pytest.raises(InputError, match="not \\(frame, row, x\\)"):
        scans.describe(scans.dx("line.h5", data_dark=np.arange(4)))
    with pytest.raises(InputError, match="no unit of angles"):
        scans.describe(scans.dx("mm.h5", theta=(scans.theta, "mm")))


def test_values_are_converted_and_their_originals_kept(scans: Any) -> None:
    more = {
        MONO: (25.5, "keV"),
        PIXEL: (np.array([0.65]), "um"),
        "/measurement/sample/name": "tooth",
        "/measurement/sample/temperature": (20.0, "Celsius"),
        "/measurement/instrument/detector/exposure_time": (np.float32(170), "ms"),
        "/process/something/odd": 7,
    }
    entry = scans.describe(scans.dx(more=more))[0].entry
    canonical = entry.canonical()
    assert canonical["energy"] == 25500.0
    assert canonical["pixel_size"] == 6.5e-7
    assert canonical["exposure_time"] == 0.17
    assert entry.sample.temperature == pytest.approx(293.15)
    assert entry.original[MONO].value == 25.5
    assert entry.original[MONO].unit == "keV"
    assert entry.original[MONO].field == "instrument.monochromator.energy"
    assert entry.original["/process/something/odd"].value == 7
    for key, original in entry.original.items():
        if original.field:
            assert entry.lookup(original.field) is not None, key


@pytest.mark.parametrize(("value", "ev"), [(25.5, 25500.0), (25500.0, 25500.0)])
def test_an_energy_without_unit_is_taken_for_what_is_possible(
    scans: Any, value: float, ev: float
) -> None:
    [found] = scans.describe(scans.dx(more={MONO: value}))
    assert found.entry.canonical()["energy"] == ev
    assert "unit-assumed" in scans.codes(found)


def test_energies_that_are_all_one_are_one_and_others_stay_an_array(scans: Any) -> None:
    [same] = scans.describe(scans.dx("a.h5", more={MONO: (np.full(3, 20.0), "keV")}))
    assert same.entry.canonical()["energy"] == 20000.0
    for name, count in (("b.h5", 3), ("c.h5", 40)):
        values = np.linspace(7.0, 8.0, count)
        [varied] = scans.describe(scans.dx(name, more={MONO: (values, "keV")}))
        energy = varied.entry.instrument.monochromator.energy
        assert isinstance(energy, ArrayRef)
        assert (energy.shape, energy.unit) == ((count,), "keV")
        assert "energy-is-an-array" in scans.codes(varied)


def test_a_pixel_size_that_is_no_length_is_flagged_and_left_out(scans: Any) -> None:
    [found] = scans.describe(scans.dx(more={PIXEL: (0.65, "eV")}))
    assert found.entry.canonical().get("pixel_size") is None
    assert "unit-wrong" in scans.codes(found)


def test_frames_behind_links_are_in_the_manifest(scans: Any) -> None:
    scans.write("frames/raw.h5", {"/data": scans.stack(9, 100)})
    [found] = scans.describe(scans.dx(data=h5py.ExternalLink("frames/raw.h5", "/data")))
    assert scans.files(found) == ["dx.h5", "frames/raw.h5"]
    np.testing.assert_array_equal(scans.arrays(found)["frames"], scans.stack(9, 100))


def test_frames_behind_a_dangling_link_are_an_error_naming_the_file(scans: Any) -> None:
    path = scans.dx(data=h5py.ExternalLink("gone.h5", "/data"))
    assert scans.claiming(path) == ["dxchange"]
    with pytest.raises(MissingSource, match=r"gone\.h5 does not exist"):
        scans.describe(path)


def test_the_layout_of_2012_is_read_at_its_raw_stage(scans: Any, shared_data: Any) -> None:
    path = shared_data / "tomography" / "dataexchange_layout_example5.h5"
    [found] = scans.describe(path)
    arrays = scans.arrays(found)
    assert arrays["frames"].shape == (180, 256, 256)
    # One flat at 0 and one at 180 degrees.
    np.testing.assert_array_equal(arrays["flat_average"], np.eye(2))
    assert found.entry.canonical()["energy"] == 19260.0
    assert found.entry.canonical()["pixel_size"] == 6.7e-6
    assert found.entry.users["user"].name == "John Doe"


def test_the_tooth_is_read(scans: Any, shared_data: Any) -> None:
    [found] = scans.describe(shared_data / "tomography" / "aps_tooth.h5")
    arrays = scans.arrays(found)
    assert arrays["frames"].shape == (181, 2, 640)
    assert arrays["angles"][-1] == pytest.approx(179.006, abs=1e-3)
    assert found.entry.title == "Tooth"
