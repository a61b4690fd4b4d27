"""Calibrations from a blank start: real silver behenate, and simulated powders with known truth."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell.errors import InputError
from lightwell_saxs.kernels.calibrants import CALIBRANTS, ring_angles
from lightwell_saxs.kernels.geometry import Geometry, beam_centre, positions, two_theta
from lightwell_saxs.kernels.powder_calibration import FREE, calibrate_powder
from lightwell_saxs.poni import read_poni

SHAPE, PIXEL = (300, 320), 500e-6


def test_silver_behenate_of_als_733(shared_data: Path, tmp_path: Path, require: Any) -> None:
    """Its README measured 227.4 pixels for the first ring: 1.839 m at 10 keV."""
    require("fabio")
    session = lightwell.open()
    image = shared_data / "saxs_waxs" / "als733" / "AgB_5s_hi_2m.edf"
    [raw] = session.ingest(image, pixel_size=172e-6)
    found = session.calibrate("powder", raw, calibrant="AgB", energy=10000.0)
    values = {c.name: c for c in (*found.constants, *found.derived)}
    assert values["distance"].value == pytest.approx(1.839, rel=5e-3)
    assert values["beam_center_y"].value == pytest.approx(1455.0, abs=2)
    assert values["beam_center_x"].value == pytest.approx(673.1, abs=2)
    assert found.verdict == "good"
    again = read_poni(found.write(tmp_path / "agb.poni").read_text())
    assert again.distance == values["distance"].value
    with pytest.raises(InputError, match="do not determine rot3"):
        session.calibrate("powder", raw, calibrant="AgB", energy=10000.0, free="distance,rot3")


def _exposed(seed: int) -> tuple[str, Geometry, Any, Any]:
    """A powder on a tilted detector with gaps and a beam stop, 30 to 2000 counts on its rings."""
    rng = np.random.default_rng(seed)
    name = ("AgB", "LaB6", "CeO2", "Si", "corundum")[seed % 5]
    is_wide = name != "AgB"
    wavelength = rng.uniform(0.3, 0.7) * 1e-10 if is_wide else 1.24e-10
    distance = rng.uniform(0.15, 0.4) if is_wide else rng.uniform(0.35, 1.2)
    rot = np.radians(rng.uniform(-6, 6, 2))
    upright = Geometry(distance, 0, 0, *rot, 0, PIXEL, PIXEL, wavelength)
    beam = rng.uniform(0.15, 0.85, 2) * SHAPE
    at = beam_centre(upright, SHAPE)
    place = {f"poni{i + 1}": (beam[i] - at[i]) * PIXEL for i in (0, 1)}
    geometry = upright._replace(**place)
    expected = _powder(geometry, ring_angles(CALIBRANTS[name], wavelength, 1.39)[:60], rng)
    image = rng.poisson(10 ** rng.uniform(1.5, 3.3) * expected).astype(np.float64)
    valid = np.ones(SHAPE, np.bool_)
    valid[100:104], valid[:, 200:204] = False, False
    rows, columns = np.indices(SHAPE)
    valid[np.hypot(rows - beam[0], columns - beam[1]) < 10] = False
    return name, geometry, image, valid


def _powder(geometry: Geometry, rings: Any, rng: Any) -> Any:
    width = rng.uniform(0.9, 1.6) * PIXEL / geometry.distance
    height = rng.uniform(0.3, 1, len(rings)) * np.exp(-0.03 * np.arange(len(rings)))
    total = np.zeros(SHAPE)
    # Nine points of every pixel, since a ring is hardly wider than one.
    for down in (1 / 6, 0.5, 5 / 6):
        for across in (1 / 6, 0.5, 5 / 6):
            rows, columns = np.arange(SHAPE[0])[:, None] + down, np.arange(SHAPE[1]) + across
            angle = two_theta(*positions(geometry, rows, columns[None], SHAPE))
            total += (0.3 * np.exp(-angle / 0.2) + 0.1) / 9
            for ring, top in zip(rings, height, strict=True):
                total += top / 9 * np.exp(-0.5 * ((angle - ring) / width) ** 2)
    return total


@pytest.mark.soak
def test_simulated_calibrations(soak_share: float) -> None:
    """300 of them: nine in ten answered, 68 % intervals cover 60 to 76 %, and are not too wide."""
    count = max(round(300 * soak_share), 12)
    misses, sigmas = [], []
    for seed in range(count):
        name, true, image, valid = _exposed(seed)
        try:
            found = calibrate_powder(
                image, valid, CALIBRANTS[name], true.wavelength, (PIXEL, PIXEL)
            ).refined
        except ValueError:
            continue
        misses.append([getattr(found.geometry, n) - getattr(true, n) for n in FREE])
        sigmas.append([found.sigma(n) for n in FREE])
    assert len(misses) >= 0.9 * count
    scaled = np.abs(np.array(misses) / np.array(sigmas))
    # Five parameters of one calibration are not independent: as many trials as calibrations.
    slack = 3 * math.sqrt(0.68 * 0.32 / len(misses))
    covered = (scaled < 1).mean()
    assert 0.68 - max(0.08, slack) <= covered <= 0.68 + max(0.08, slack)
    # Of a normal error half is below 0.674 sigma: intervals three times too wide show here.
    assert np.median(scaled, axis=0).min() > 0.674 / 3
