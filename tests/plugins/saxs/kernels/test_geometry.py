"""Angles of pixels next to pyFAI's, in every orientation; the beam's place; derivatives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import (
    Geometry,
    azimuth,
    beam_centre,
    from_beam_centre,
    pixel_positions,
    positions,
    radial,
)

SHAPE = (37, 51)


def tilted(orientation: int = 3) -> Geometry:
    return Geometry(0.12, 0.01, 0.008, 0.21, -0.13, 0.4, 172e-6, 150e-6, 1.03e-10, orientation)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_angles_and_corrections_are_those_of_pyfai(orientation: int, require: Any) -> None:
    require("pyFAI")
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    g = tilted(orientation)
    names = ("poni1", "poni2", "rot1", "rot2", "rot3", "wavelength")
    detector = Detector(g.pixel1, g.pixel2, max_shape=SHAPE, orientation=orientation)
    peer = AzimuthalIntegrator(
        dist=g.distance, detector=detector, **{n: getattr(g, n) for n in names}
    )
    places = pixel_positions(g, SHAPE)
    np.testing.assert_allclose(places.radial, peer.center_array(SHAPE, "q_nm^-1"), rtol=1e-12)
    np.testing.assert_allclose(places.azimuth, peer.center_array(SHAPE, "chi_rad"), atol=1e-12)
    corners = peer.corner_array(SHAPE, "q_nm^-1")
    np.testing.assert_allclose(places.radial_corners, corners[..., 0], rtol=1e-7)
    np.testing.assert_allclose(places.azimuth_corners, corners[..., 1], atol=1e-6)
    degrees = pixel_positions(g, SHAPE, "2theta").radial
    np.testing.assert_allclose(degrees, peer.center_array(SHAPE, "2th_deg"), rtol=1e-12)
    millimetres = pixel_positions(g, SHAPE, "r").radial
    np.testing.assert_allclose(millimetres, peer.center_array(SHAPE, "r_mm"), rtol=1e-12)
    solid = peer.solidAngleArray(SHAPE)
    np.testing.assert_allclose(pixel_weights(g, SHAPE), solid, rtol=1e-6)
    weights = pixel_weights(g, SHAPE, with_solid_angle=False, polarisation_factor=0.9)
    np.testing.assert_allclose(weights, peer.polarization(SHAPE, 0.9), rtol=1e-6)
    weights = pixel_weights(g, SHAPE, with_solid_angle=False, sensor_transmission=0.4)
    np.testing.assert_allclose(weights, peer.calc_transmission(0.4, SHAPE), rtol=1e-6)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_the_beam_meets_the_detector_where_the_angle_vanishes(orientation: int) -> None:
    g = tilted(orientation)
    row, column = beam_centre(g, SHAPE)
    t1, t2, t3 = positions(g, row + 0.5, column + 0.5, SHAPE)
    assert abs(t1) < 1e-12
    assert abs(t2) < 1e-12
    assert t3 > 0


def test_a_geometry_from_a_beam_centre_has_it() -> None:
    found = from_beam_centre(12.25, 30.5, 0.5, 1e-4, 2e-4, 1e-10)
    assert beam_centre(found, SHAPE) == pytest.approx((12.25, 30.5))


def test_the_jax_form_is_the_same_and_has_derivatives() -> None:
    g = tilted()
    rows, columns = np.array([3.0, 20.0]), np.array([40.0, 2.0])

    def q(distance: Any) -> Any:
        moved = g._replace(distance=distance)
        return radial(moved, *positions(moved, rows, columns, SHAPE, jnp), xp=jnp)

    with jax.enable_x64(True):
        value, slope = jax.jit(q)(0.12), jax.jit(jax.jacfwd(q))(0.12)
    exact = radial(g, *positions(g, rows, columns, SHAPE))
    np.testing.assert_allclose(value, exact, rtol=1e-12)
    step = 1e-6
    ahead, behind = (g._replace(distance=0.12 + s) for s in (step, -step))
    ends = [radial(e, *positions(e, rows, columns, SHAPE)) for e in (ahead, behind)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


def test_azimuth_grows_from_columns_towards_rows() -> None:
    assert azimuth(0.0, 1.0) == 0
    assert azimuth(1.0, 0.0) == pytest.approx(np.pi / 2)


@pytest.mark.parametrize(
    "wrong", [{"sensor_transmission": 1.0}, {"window_transmission": -1}, {"polarisation_factor": 2}]
)
def test_impossible_corrections_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not between"):
        pixel_weights(tilted(), SHAPE, **wrong)  # type: ignore[arg-type]
