"""Every real file: one importer claims it and keeps its promises, or a sentence refuses it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from lightwell import Entry, File
from lightwell.errors import MissingMetadata
from lightwell.plugins import Plugins
from lightwell.testing.importers import check_importer
from lightwell_ptychography.importers import Cxi, TikeArchive
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction
from lightwell_ptychography.schema import Ptychography

Load = Callable[..., Diffraction]
P25 = "petra3_p25_near_field.cxi"
STAR = "aps_siemens-star-small.npz.bz2"
CLAIMED = {"cxi_minimal.cxi": "cxi", P25: "cxi", STAR: "tike-npz"}


def test_every_file_is_claimed_once_or_refused(ptychography_data: Path) -> None:
    plugins = Plugins(discover=True)
    for path in ptychography_data.iterdir():
        claiming = [one for one in plugins.importers.values() if one.claims(File(path))]
        names = [one.name for one in claiming if not one.fallback]
        assert names == ([CLAIMED[path.name]] if path.name in CLAIMED else []), path.name


def test_importers_keep_their_promises(ptychography_data: Path) -> None:
    check_importer(Cxi(), ptychography_data / P25, Ptychography, propagation="near")
    check_importer(Cxi(), ptychography_data / "cxi_minimal.cxi", Entry)
    check_importer(TikeArchive(), ptychography_data / STAR, Ptychography)


def test_p25_says_energy_lengths_and_axes(ptychography_data: Path, loaded: Load) -> None:
    path = ptychography_data / P25
    [found] = Cxi().describe(File(path))
    known = found.entry.canonical()
    assert known["energy"] == pytest.approx(12658.02, abs=0.01)
    assert (known["distance"], known["pixel_size"]) == (1.12, 5.5e-5)
    data = loaded(Cxi(), path, propagation="near", focus_distance=3.65e-3)
    assert data.frames.shape == (200, 100, 100)
    # cdtools takes 3.65 mm behind the focus: 308 times magnified, 178.7 nm a pixel.
    optics = Optics.of(data.optics)
    assert optics.object_row == pytest.approx(55e-6 / 307.849, rel=1e-5)
    assert optics.distance == pytest.approx(3.65e-3 * 1.12 / (1.12 + 3.65e-3), rel=1e-6)
    with h5py.File(path) as file:
        moved = file["entry_1/sample_1/geometry_1/translation"][()]
        mask = file["entry_1/instrument_1/detector_1/mask"][()]
        frames = file["entry_1/data_1/data"][:2]
    # Rows run along -y and columns along -x, and the sample moves against the light.
    steps = np.diff(moved[:, 1::-1], axis=0) / optics.object_row
    np.testing.assert_allclose(np.diff(data.positions, axis=0), steps, atol=2e-4)
    np.testing.assert_array_equal(data.mask, mask == 0)
    np.testing.assert_array_equal(data.frames[:2], frames)


def test_the_star_has_no_lengths_and_needs_none(ptychography_data: Path, loaded: Load) -> None:
    path = ptychography_data / STAR
    [found] = TikeArchive().describe(File(path))
    codes = {flag.code for flag in found.entry.flags}
    assert {"energy-missing", "distance-missing", "pixel-size-missing"} <= codes
    assert "energy" not in found.entry.canonical()
    data = loaded(TikeArchive(), path)
    assert data.frames.shape == (516, 128, 128)
    assert data.guess.shape == (1, 128, 128)
    assert np.isnan(data.optics[:6]).all()
    assert data.positions.min() == pytest.approx(8.0)
    # The beam is at the corner: what is near it holds most of the counts.
    ring = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128)] * 2))
    mean = data.frames[::20].mean(axis=0)
    assert mean[ring < 0.25].sum() > 0.9 * mean.sum()


def test_a_file_without_positions_is_no_ptychography(ptychography_data: Path, loaded: Load) -> None:
    [found] = Cxi().describe(File(ptychography_data / "cxi_minimal.cxi"))
    assert [flag.code for flag in found.entry.flags] == ["positions-missing"]
    assert found.entry.lookup("instrument.detector.data").shape == (1, 50, 100)
    with pytest.raises(MissingMetadata, match="no frames of ptychography"):
        loaded(Cxi(), ptychography_data / "cxi_minimal.cxi")


def test_near_field_needs_lengths(ptychography_data: Path, loaded: Load) -> None:
    with pytest.raises(MissingMetadata, match=r"canonical\.wavelength"):
        loaded(TikeArchive(), ptychography_data / STAR, propagation="near")
