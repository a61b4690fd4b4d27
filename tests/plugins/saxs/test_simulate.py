"""The simulated scan: what it writes is what its truth says, and what is no scan is refused."""

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import ParameterError
from lightwell.files import File
from lightwell.stacks import ArrayInMemory
from lightwell.testing.importers import check_importer
from lightwell_saxs.importers.nxsas import NXsas
from lightwell_saxs.kernels.geometry import Geometry, beam_centre, pixel_positions
from lightwell_saxs.kernels.splitting import Axis
from lightwell_saxs.products import geometry_of
from lightwell_saxs.simulate import RINGS, relative_error, ring_profile, simulate

SMALL: dict[str, Any] = {"rows": 260, "columns": 240, "frames": 4, "beam_row": 90.0, "seed": 3}


def counts(path: Path) -> Any:
    with h5py.File(path) as file:
        return file["entry/instrument/detector/data"][()], file[
            "entry/instrument/detector/pixel_mask"
        ][()]


def test_counts_are_poisson_about_the_profile(tmp_path: Path) -> None:
    made = simulate(tmp_path / "scan.h5", **SMALL, bad_pixels=5)
    frames, mask = counts(made.path)
    geometry = Geometry.of(made.truth["geometry"])
    q = pixel_positions(geometry, (260, 240)).radial
    # On the crest of the first ring, where nothing but solid angle changes what is expected.
    crest = (np.abs(q - RINGS) < 0.003) & (mask == 0) & (frames >= 0).all(axis=0)
    assert crest.sum() > 30
    expected = ring_profile(RINGS, photons=1000.0, width=0.03)
    found = frames[:, crest]
    assert found.mean() == pytest.approx(expected, rel=0.03)
    assert found.var(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.2)


def test_gaps_beam_stop_and_bad_pixels_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    frames, mask = counts(simulate(tmp_path / "scan.h5", **SMALL, bad_pixels=7).path)
    assert mask[195:212].all()
    assert mask[90, 211]
    assert not mask[90, 230]
    assert (frames[0] == -2).sum() == 7
    assert (frames == -2).all(axis=0).sum() == 7
    assert ((frames[0] == -1) <= (mask != 0)).all()


def test_the_geometry_written_is_the_one_counted_with(tmp_path: Path) -> None:
    made = simulate(tmp_path / "scan.h5", **SMALL)
    entry = check_importer(NXsas(), made.path)
    [found] = NXsas().describe(File(made.path))
    np.testing.assert_allclose(geometry_of(found.entry), made.truth["geometry"], rtol=1e-12)
    geometry = Geometry.of(made.truth["geometry"])
    assert beam_centre(geometry, (260, 240)) == pytest.approx((90.0, 210.7))
    assert entry.canonical()["energy"] == pytest.approx(10000.0)


def test_one_seed_is_one_scan_and_another_another(tmp_path: Path) -> None:
    first, _ = counts(simulate(tmp_path / "a.h5", **SMALL).path)
    again, _ = counts(simulate(tmp_path / "b.h5", **SMALL).path)
    other, _ = counts(simulate(tmp_path / "c.h5", **{**SMALL, "seed": 4}).path)
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3


def test_the_error_of_the_truth_is_none_and_of_another_curve_is_not() -> None:
    truth = {"q_range": (0.2, 4.0), "photons": 500.0, "ring_width": 0.05}
    q = Axis(0.2, 4.0, 300).centres()
    true = ring_profile(q, photons=500.0, width=0.05)
    assert relative_error(ArrayInMemory(np.stack([true, true])), truth) == pytest.approx(0.0)
    assert relative_error(ArrayInMemory(1.1 * true[None]), truth) == pytest.approx(0.1)
    gaps = np.where(np.arange(300) % 7 == 0, math.nan, true)
    assert relative_error(ArrayInMemory(gaps[None]), truth) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": 8}, "16 rows"),
        ({"frames": 0}, "16 rows"),
        ({"distance": 0.0}, "distance = 0 is not above 0"),
        ({"photons": 1e9}, "do not fit into 32 bits"),
        ({"bad_pixels": -1}, "bad_pixels = -1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        simulate(tmp_path / "scan.h5", **given)
    assert said in str(caught.value)
    assert not (tmp_path / "scan.h5").exists()
