"""The distance from the focus is the true one within its error, on either side of the focus."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwell
from lightwell.calibration import Calibrated, Constant
from lightwell.errors import InputError, MissingMetadata, ParameterError
from lightwell.session import Session
from lightwell.stacks import open_array
from lightwell_ptychography.calibrations import defocus
from lightwell_ptychography.calibrations.focus import MiddleFrames
from lightwell_ptychography.calibrations.parts import cut
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.products import Diffraction
from lightwell_ptychography.simulate import ptychography

FAR = Optics(1e-10, 2.0, 75e-6, 75e-6, 2e-8, 2e-8)
SCAN = {"frame": 48, "positions": 100, "step": 0.09, "photons": 3e5}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LIGHTWELL_HOME", str(tmp_path / "home"))
    return lightwell.open()


def constants(found: Calibrated) -> dict[str, Constant]:
    return {one.name: one for one in (*found.constants, *found.derived)}


def agrees(found: Calibrated, truth: float) -> None:
    """Within four sigma and five percent of the depth of focus; sigma is no excuse."""
    told = constants(found)
    value, sigma, depth = told["defocus"].value, told["defocus"].sigma, told["depth_of_focus"].value
    assert sigma is not None
    assert 0 < sigma < 0.05 * depth
    assert abs(value - truth) < min(4 * sigma, 0.05 * depth)


def other_side(data: Diffraction) -> Diffraction:
    """The same sample as the conjugate light sees it: every frame turned by half a turn."""
    frames: Any = np.roll(np.asarray(data.frames)[:, ::-1, ::-1], 1, axis=(1, 2))
    return dataclasses.replace(data, frames=frames)


def data_of(session: Session, path: Path, kind: type[Diffraction] = MiddleFrames) -> Diffraction:
    [dataset] = session.ingest(path)
    arrays = kind.load(dataset.entry, lambda ref: open_array(ref, dataset.manifest))
    return kind.of(**{name: array.read() for name, array in arrays.items()})


def test_a_simulated_scan_tells_its_true_distance(session: Session, tmp_path: Path) -> None:
    truth = ptychography.run(tmp_path / "scan.cxi", {**SCAN, "seed": 1}).truth
    [scan] = session.ingest(tmp_path / "scan.cxi")
    found = session.calibrate("defocus", scan)
    agrees(found, truth["defocus"])
    assert found.verdict == "good"
    told = constants(found)
    astigmatism = told["astigmatism"]
    assert astigmatism.sigma is not None
    assert astigmatism.value < 0.1 * told["depth_of_focus"].value
    assert told["focus_diameter"].value < told["beam_diameter"].value
    facts = json.loads(found.text)
    assert facts["defocus"]["unit"] == "m"
    assert np.mean(facts["parts"]) == pytest.approx(facts["defocus"]["value"])


@pytest.mark.parametrize(
    ("seed", "values", "modes"),
    [
        (2, {"probe_diameter": 0.03, "step": 0.03}, 1),
        (3, {"modes": 3, "photons": 1e6, "scan": "spiral"}, 3),
    ],
)
def test_before_the_focus_it_is_below_zero(
    session: Session, tmp_path: Path, seed: int, values: dict[str, Any], modes: int
) -> None:
    path = tmp_path / "scan.cxi"
    truth = ptychography.run(path, {**SCAN, "seed": seed, **values}).truth
    data = other_side(data_of(session, path))
    agrees(defocus.find(data, modes=modes), -truth["defocus"])


def test_of_a_long_scan_the_middle_is_read(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "scan.cxi"
    ptychography.run(path, {"frame": 16, "positions": 540, "scan": "spiral"})
    whole, data = data_of(session, path, Diffraction), data_of(session, path)
    assert data.frames.shape == (512, 16, 16)
    same = (np.asarray(whole.positions) == np.asarray(data.positions)[100]).all(axis=1)
    [number] = np.flatnonzero(same)
    np.testing.assert_array_equal(np.asarray(whole.frames)[number], np.asarray(data.frames)[100])


def test_parts_share_no_frame_and_lie_side_by_side() -> None:
    positions = np.random.default_rng(0).uniform(0, 100, (203, 2)) * [1, 3]
    parts = cut(positions)
    assert [len(part) for part in parts] == [25] * 8
    assert len(set(np.concatenate(parts).tolist())) == 200
    boxes = [(positions[p].min(axis=0), positions[p].max(axis=0)) for p in parts]
    for n, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:n]:
            assert (np.maximum(low, other_low) > np.minimum(high, other_high)).any()


def scan(optics: Optics, count: int = 60) -> MiddleFrames:
    positions = np.random.default_rng(0).uniform(0, 40, (count, 2))
    return MiddleFrames.taken(np.ones((count, 16, 16)), positions, optics=optics)


def test_what_tells_no_distance_is_refused() -> None:
    with pytest.raises(InputError, match="near field"):
        defocus.find(scan(FAR._replace(near=1.0)))
    with pytest.raises(MissingMetadata, match="size of a pixel"):
        defocus.find(scan(Optics(*[float("nan")] * 6)))
    with pytest.raises(InputError, match="49 frames are too few"):
        defocus.find(scan(FAR, 49))
    with pytest.raises(ParameterError, match="iterations"):
        defocus.find(scan(FAR), iterations=3)
