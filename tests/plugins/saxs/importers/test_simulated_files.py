"""Formats of which no file could be had, written as their makers document them."""

from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from lightwell.errors import InputError, MissingSource
from lightwell.files import File
from lightwell.manifests import build_manifest
from lightwell.stacks import open_array
from lightwell.testing.importers import check_importer
from lightwell_saxs.importers.bliss import BlissScattering
from lightwell_saxs.importers.eiger import Eiger
from lightwell_saxs.importers.images import DetectorImage


def read(found: Any, path: str) -> Any:
    listed = [(part.file.relative_to(found.root), part.role) for part in found.parts]
    return open_array(found.entry.lookup(path), build_manifest(found.root, listed)).read()


@pytest.fixture
def eiger(tmp_path: Path) -> Path:
    """A master with two files of three and two frames."""
    master = tmp_path / "run_1_master.h5"
    frames = np.arange(5 * 4 * 6, dtype=np.uint32).reshape(5, 4, 6)
    with h5py.File(master, "w") as file:
        for number, part in enumerate((frames[:3], frames[3:]), 1):
            name = f"run_1_data_{number:06d}.h5"
            with h5py.File(tmp_path / name, "w") as other:
                other["entry/data/data"] = part
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        detector = file.create_group("entry/instrument/detector")
        detector["detectorSpecific/pixel_mask"] = np.eye(4, 6, dtype=np.uint32)
        for name, value, unit in (
            ("detector_distance", 0.5, "m"),
            ("x_pixel_size", 75e-6, "m"),
            ("y_pixel_size", 75e-6, "m"),
            ("count_time", 0.1, "s"),
            ("beam_center_x", 3.0, "pixel"),
            ("beam_center_y", 2.0, "pixel"),
        ):
            detector[name] = value
            detector[name].attrs["units"] = unit
        file["entry/instrument/beam/incident_wavelength"] = 1.0
        file["entry/instrument/beam/incident_wavelength"].attrs["units"] = "angstrom"
    return master


def test_an_eiger_master_is_one_stack(eiger: Path) -> None:
    entry = check_importer(Eiger(), eiger)
    assert entry.lookup("instrument.detector.data").shape == (5, 4, 6)
    assert entry.canonical()["wavelength"] == pytest.approx(1e-10)
    assert entry.lookup("instrument.detector.distance") == 0.5
    [found] = Eiger().describe(File(eiger))
    assert read(found, "instrument.detector.data")[4, 3, 5] == 119
    assert read(found, "instrument.detector.pixel_mask")[1, 1] == 1


def test_an_eiger_file_that_is_not_there_is_named(eiger: Path) -> None:
    (eiger.parent / "run_1_data_000002.h5").unlink()
    with pytest.raises(MissingSource, match="data_000002"):
        list(Eiger().describe(File(eiger)))
    assert "master" in str(Eiger().advice(File(eiger.parent / "run_1_data_000001.h5")))


def test_cbf_images_are_a_series(tmp_path: Path) -> None:
    content = (
        "# Detector: PILATUS 2M\r\n# Pixel_size 172e-6 m x 172e-6 m\r\n# Exposure_time 0.5 s\r\n"
    )
    content += (
        "# Wavelength 1.2 A\r\n# Beam_xy (20.50, 10.50) pixels\r\n# Detector_distance 2.0 m\r\n"
    )
    for number in range(3):
        image = fabio.cbfimage.CbfImage(data=np.full((8, 9), number, np.int32))
        image.header["_array_data.header_contents"] = content
        image.write(str(tmp_path / f"frame_{number:05d}.cbf"))
    path = tmp_path / "frame_00001.cbf"
    entry = check_importer(DetectorImage(), path, series=True)
    detector = entry.lookup("instrument.detector")
    assert detector.data.shape == (3, 8, 9)
    assert (detector.beam_center_x, detector.beam_center_y) == (20.0, 10.0)
    assert detector.count_time == 0.5
    assert entry.canonical()["wavelength"] == pytest.approx(1.2e-10)
    [found] = DetectorImage().describe(File(path), series=True)
    assert read(found, "instrument.detector.data")[:, 0, 0].tolist() == [0, 1, 2]
    [alone] = DetectorImage().describe(File(path))
    assert read(alone, "instrument.detector.data")[:, 0, 0].tolist() == [1]


def test_edf_of_the_esrf_says_its_geometry(tmp_path: Path) -> None:
    header = {"PSize_1": "1e-4", "PSize_2": "2e-4", "SampleDistance": "3.0", "WaveLength": "1e-10"}
    header |= {"Center_1": "4.5", "Center_2": "3.5", "Dummy": "-10"}
    fabio.edfimage.EdfImage(data=np.ones((5, 7), np.float32), header=header).write(
        str(tmp_path / "a.edf")
    )
    entry = check_importer(DetectorImage(), tmp_path / "a.edf")
    detector = entry.lookup("instrument.detector")
    assert (detector.x_pixel_size, detector.y_pixel_size) == (1e-4, 2e-4)
    assert (detector.beam_center_x, detector.beam_center_y) == (4.0, 3.0)
    assert (detector.distance, detector.dummy) == (3.0, -10.0)


def bliss(folder: Path, *, title: str = "loopscan 3 0.5", line: str = "ESRF: id02") -> Path:
    """A master with a scan of two cameras, one without images, and one whose frames are gone."""
    path = folder / "saxs_0001.h5"
    with h5py.File(path, "w") as file:
        for number, said in enumerate((title, "ascan th 0 1 3 0.1", "loopscan 2 0.5"), 1):
            group = file.create_group(f"{number}.1")
            group.attrs["NX_class"] = "NXentry"
            group["title"], group["sample/name"] = said, "silica"
            group["sample"].attrs["NX_class"] = "NXsample"
            instrument = group.create_group("instrument")
            instrument.attrs["NX_class"] = "NXinstrument"
            instrument["title"] = line
            if number == 1:
                _camera(folder, instrument, "eiger", 3, 60)
                _camera(folder, instrument, "waxs", 3, 20)
            elif number == 3:
                _camera(folder, instrument, "eiger", 2, 60, name="gone.h5")
                (folder / "gone.h5").unlink()
    return path


def _camera(
    folder: Path, instrument: Any, kind: str, count: int, side: int, name: str = ""
) -> None:
    rows, columns = np.indices((side, side))
    ring = np.hypot(rows - 14.0, columns - 30.0)
    image = (200 * np.exp(-(((ring - 11) / 1.5) ** 2)) + 5).astype("u4")
    inner = name or f"{kind}_0000.h5"
    with h5py.File(folder / inner, "w") as saved:
        saved["entry_0000/data"] = np.stack([image] * count)
    detector = instrument.create_group(kind)
    detector.attrs["NX_class"] = "NXdetector"
    detector["data"] = h5py.ExternalLink(inner, "/entry_0000/data")
    detector["acq_parameters/acq_expo_time"] = 0.5


def test_scans_of_a_bliss_master_are_frames_of_one_camera(tmp_path: Path) -> None:
    path = bliss(tmp_path)
    check_importer(BlissScattering(), path)
    first, second, third = BlissScattering().describe(File(path))
    detector = first.entry.lookup("instrument.detector")
    assert (detector.description, detector.count_time) == ("eiger", 0.5)
    assert detector.data.shape == (3, 60, 60)
    assert first.entry.lookup("instrument.beamline") == "ID02"
    assert first.entry.sample.name == "silica"
    assert read(first, "instrument.detector.data").max() > 150
    assert second.entry.title == "ascan th 0 1 3 0.1"
    assert "frames-missing" in [flag.code for flag in third.entry.flags]
    other = next(iter(BlissScattering().describe(File(path), detector="waxs", energy=12e3)))
    assert other.entry.lookup("instrument.detector.data").shape == (3, 20, 20)
    assert other.entry.canonical()["energy"] == 12e3
    with pytest.raises(InputError, match="no scan has images of a detector 'egier'"):
        list(BlissScattering().describe(File(path), detector="egier"))


def test_a_bliss_master_of_a_tomography_or_another_beamline_is_not_claimed(tmp_path: Path) -> None:
    cases: list[dict[str, str]] = [{"title": "tomo:fullturn"}, {"line": "ESRF: id21"}]
    for number, given in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert not BlissScattering().claims(File(bliss(folder, **given)))


def test_a_calibration_that_does_not_fit_the_image_says_which_way_round(tmp_path: Path) -> None:
    poni = tmp_path / "camera.poni"
    poni.write_text(
        "poni_version: 2.1\nDetector: Detector\n"
        'Detector_config: {"pixel1": 1e-4, "pixel2": 1e-4, "orientation": 3}\n'
        "Distance: 0.1\nPoni1: 0.00145\nPoni2: 0.00305\nWavelength: 1e-10\n",
        encoding="utf-8",
    )
    path = bliss(tmp_path)
    right = next(iter(BlissScattering().describe(File(path), poni=str(poni))))
    wrong = next(iter(BlissScattering().describe(File(path), poni=str(poni), orientation=2)))
    # A scan whose frames are gone is described all the same.
    assert len(list(BlissScattering().describe(File(path), poni=str(poni)))) == 3
    assert not right.entry.flags
    [flag] = wrong.entry.flags
    assert flag.code == "orientation-doubtful"
    assert "orientation=3" in flag.message
