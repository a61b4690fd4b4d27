"""Grazing incidence: next to pyFAI's fibre units and maps, and to what optics says."""

import math
from typing import Any

import numpy as np
import pytest

from lightwell_saxs.kernels.compiled import average, compiled_plan
from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.kernels.grazing import Normal, grazing_positions
from lightwell_saxs.kernels.plane_splitting import build_map_operator, seen_range
from lightwell_saxs.kernels.splitting import Axis, Splitting

SHAPE = (300, 280)
TILTED = Geometry(0.3, 0.05, 0.03, 0.05, -0.03, 0.1, 172e-6, 172e-6, 1e-10)
UPRIGHT = Geometry(0.3, 0.04816, 0.02408, 0, 0, 0, 172e-6, 172e-6, 1e-10)
INCIDENCE, TILT = 0.02, 0.3
THEIRS: dict[Normal, int] = {"down": 1, "up": 4, "right": 7, "left": 8}


def peer(geometry: Geometry) -> Any:
    from pyFAI.detectors import Detector
    from pyFAI.integrator.fiber import FiberIntegrator

    detector = Detector(172e-6, 172e-6, max_shape=SHAPE, orientation=geometry.orientation)
    names = ("poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
    facts = {name: getattr(geometry, name) for name in names}
    return FiberIntegrator(dist=geometry.distance, detector=detector, **facts)


@pytest.mark.parametrize("normal", THEIRS)
@pytest.mark.parametrize("orientation", [2, 3])
def test_transfers_are_those_of_pyfai(normal: Normal, orientation: int, require: Any) -> None:
    require("pyFAI")
    from pyFAI import units

    geometry = TILTED._replace(orientation=orientation)
    z, y, x = peer(geometry).calc_pos_zyx(corners=False)
    if orientation == 2:
        # Theirs goes by the laboratory's axes, ours by the stored image, whose rows run back here.
        y = -y
    given = (TILTED.wavelength, INCIDENCE, TILT, THEIRS[normal])
    found = grazing_positions(geometry, SHAPE, incidence=INCIDENCE, tilt=TILT, normal=normal)
    np.testing.assert_allclose(found.in_plane, units.eq_qip(x, y, z, *given), atol=2e-6)
    np.testing.assert_allclose(found.out_of_plane, units.eq_qoop(x, y, z, *given), atol=2e-6)


def test_a_map_is_pyfais(require: Any) -> None:
    require("pyFAI")
    require("numba")
    rng = np.random.default_rng(2)
    image = rng.poisson(200 * np.exp(-np.indices(SHAPE)[0] / 150)).astype(np.int32)
    mask = np.zeros(SHAPE, np.int8)
    mask[100:117] = 1
    across, up = Axis(-12.0, 9.0, 70), Axis(-8.0, 14.0, 80)
    theirs = peer(TILTED).integrate2d_fiber(
        image,
        npt_ip=70, ip_range=(-12.0, 9.0), npt_oop=80, oop_range=(-8.0, 14.0),
        sample_orientation=THEIRS["up"], incident_angle=INCIDENCE, tilt_angle=TILT,
        polarization_factor=0.9, mask=mask, method=("no", "histogram", "cython"),
    )  # fmt: skip
    places = grazing_positions(TILTED, SHAPE, incidence=INCIDENCE, tilt=TILT, normal="up")
    operator = build_map_operator(places, mask == 0, across, up, splitting="none")
    weight = pixel_weights(TILTED, SHAPE, polarisation_factor=0.9) * (mask == 0)
    mean, _ = average(image.reshape(1, -1), compiled_plan(operator, weight))
    ours = np.nan_to_num(mean[0].reshape(80, 70))
    np.testing.assert_allclose(theirs.inplane, across.centres(), atol=1e-5)
    np.testing.assert_allclose(theirs.outofplane, up.centres(), atol=1e-5)
    # Their places are float32: a pixel at an edge may fall into the neighbouring cell.
    alike = np.isclose(ours, theirs.intensity, rtol=1e-5)
    assert alike.mean() > 0.985
    seen = operator.sums(np.ones(SHAPE)).reshape(80, 70)
    assert seen.sum() == theirs.count.sum()
    assert np.abs(seen - theirs.count).max() <= 3


def test_the_reflected_beam_leaves_without_a_transfer_in_the_plane() -> None:
    # Twice the angle of incidence up: q_xy = 0 and q_z = 4 pi sin(incidence) / wavelength.
    row = UPRIGHT.poni1 / 172e-6 - UPRIGHT.distance * math.tan(2 * INCIDENCE) / 172e-6
    exact = UPRIGHT._replace(poni1=UPRIGHT.poni1 + (math.ceil(row) - 0.5 - row) * 172e-6)
    found = grazing_positions(exact, SHAPE, incidence=INCIDENCE)
    place = (math.ceil(row) - 1, int(UPRIGHT.poni2 / 172e-6))
    across = UPRIGHT.poni2 / 172e-6 - place[1] - 0.5
    side = 2e-9 * math.pi / 1e-10 * across * 172e-6 / UPRIGHT.distance
    assert abs(found.in_plane[place]) == pytest.approx(abs(side), rel=0.01)
    wanted = 4e-9 * math.pi / 1e-10 * math.sin(INCIDENCE)
    assert found.out_of_plane[place] == pytest.approx(wanted, rel=1e-5)


def test_the_length_of_the_transfer_does_not_depend_on_the_surface() -> None:
    found = grazing_positions(TILTED, SHAPE, incidence=0.2, tilt=0.4, normal="left")
    length = np.hypot(found.in_plane, found.out_of_plane)
    np.testing.assert_allclose(length, pixel_positions(TILTED, SHAPE).radial, rtol=1e-9)


@pytest.mark.parametrize("splitting", ["none", "bbox", "full"])
def test_the_missing_wedge_stays_empty(splitting: Splitting) -> None:
    """Where no ray goes nothing is, however pixels are split; and no share is lost."""
    valid = np.ones(SHAPE, np.bool_)
    places = grazing_positions(UPRIGHT, SHAPE, incidence=0.01)
    (left, right), (low, high) = seen_range(places, valid)
    across, up = Axis(left, 1.001 * right, 400), Axis(low, high + 0.01, 200)
    operator = build_map_operator(places, valid, across, up, splitting=splitting)
    assert operator.sums(np.ones(SHAPE)).sum() == pytest.approx(valid.size, rel=1e-4)
    filled = operator.sums(np.ones(SHAPE)).reshape(200, 400) > 0
    q_z, q_xy = np.meshgrid(up.centres(), across.centres(), indexing="ij")
    # On Ewald's sphere: q_xy >= |q_x| = |q² / 2k - q_z sin(incidence)| / cos(incidence).
    wave = 2e-9 * math.pi / UPRIGHT.wavelength
    forward = np.abs((q_xy**2 + q_z**2) / (2 * wave) - q_z * math.sin(0.01)) / math.cos(0.01)
    cell = math.hypot(across.width, up.width)
    forbidden = np.abs(q_xy) < forward - cell
    assert forbidden.sum() > 200
    assert not filled[forbidden].any()
    assert filled[~forbidden & (np.abs(q_xy) > forward + cell)].mean() > 0.3
