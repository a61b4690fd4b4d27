"""Steps on frames: what they share, what their axes mean, what they refuse."""

from typing import Any

import numpy as np
import pytest

from lightwell.errors import MissingMetadata, ParameterError
from lightwell_saxs.grazing_steps import cut_line, map_grazing
from lightwell_saxs.kernels.geometry import Geometry, pixel_positions
from lightwell_saxs.products import Frames
from lightwell_saxs.steps import cut_ring, integrate, integrate_angles, integrate_cake

SHAPE = (120, 140)
GEOMETRY = Geometry(0.2, 0.011, 0.012, 0.03, -0.02, 0.0, 172e-6, 172e-6, 1e-10)


def frames(count: int = 2, **more: Any) -> Frames:
    q = pixel_positions(GEOMETRY, SHAPE).radial
    expected = 400 * np.exp(-((q / 4) ** 2)) + 20
    stack = np.random.default_rng(4).poisson(expected, (count, *SHAPE)).astype(np.int32)
    return Frames.taken(stack, GEOMETRY, **more)


def test_a_curve_over_angles_is_that_over_q_on_another_axis() -> None:
    plain: Any = {"bins": 60, "splitting": "none"}
    angles = integrate_angles(frames(), **plain)
    theta = np.radians(np.asarray(angles.two_theta)) / 2
    edge = np.diff(theta).mean() / 2
    # The same pixels are in a bin if its ends are the same: one by one.
    for bin_, middle in list(enumerate(theta))[5:50:9]:
        ends = 4 * np.pi / 0.1 * np.sin([middle - edge, middle + edge])
        own = integrate(frames(), bins=1, q_min=ends[0], q_max=ends[1], splitting="none")
        np.testing.assert_allclose(own.intensity[:, 0], angles.intensity[:, bin_], rtol=1e-5)
        np.testing.assert_allclose(own.sigma[:, 0], angles.sigma[:, bin_], rtol=1e-5)


def test_angles_next_to_pyfai(require: Any) -> None:
    require("pyFAI")
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = Detector(172e-6, 172e-6, max_shape=SHAPE, orientation=3)
    facts = {n: getattr(GEOMETRY, n) for n in ("poni1", "poni2", "rot1", "rot2", "wavelength")}
    peer = AzimuthalIntegrator(dist=GEOMETRY.distance, detector=detector, **facts)
    theirs = peer.integrate1d_ng(
        np.asarray(frames(1).frames)[0], 80, unit="2th_deg", radial_range=(0.5, 3.5),
        method=("full", "csr", "cython"), error_model="poisson",
    )  # fmt: skip
    ours = integrate_angles(frames(1), bins=80, angle_min=0.5, angle_max=3.5)
    inner = slice(2, -2)
    np.testing.assert_allclose(ours.two_theta, theirs.radial, rtol=1e-6)
    np.testing.assert_allclose(ours.intensity[0][inner], theirs.intensity[inner], rtol=1e-4)
    np.testing.assert_allclose(ours.sigma[0][inner], theirs.sigma[inner], rtol=1e-4)


def test_a_ring_is_a_cake_of_one_bin() -> None:
    ring = cut_ring(frames(), q_min=1.0, q_max=2.0, azimuth_bins=24)
    cake = integrate_cake(frames(), bins=1, q_min=1.0, q_max=2.0, azimuth_bins=24)
    np.testing.assert_array_equal(ring.intensity, cake.intensity[:, :, 0])
    np.testing.assert_array_equal(ring.sigma, cake.sigma[:, :, 0])
    np.testing.assert_allclose(ring.azimuth, np.linspace(-172.5, 172.5, 24))


def test_errors_of_the_file_go_where_counts_go() -> None:
    counted = frames()
    spread = np.sqrt(np.maximum(np.asarray(counted.frames), 1))
    own = Frames.taken(counted.frames, GEOMETRY, uncertainty=spread)
    steps: tuple[Any, ...] = (integrate, integrate_cake, integrate_angles)
    for step in steps:
        given = step(own, bins=30, errors="given")
        poisson = step(counted, bins=30)
        np.testing.assert_allclose(given.sigma, poisson.sigma, rtol=1e-5)
        np.testing.assert_allclose(given.intensity, poisson.intensity, rtol=1e-5)
    doubled = Frames.taken(counted.frames, GEOMETRY, uncertainty=2 * spread)
    twice = integrate(doubled, bins=30, errors="given")
    poisson = integrate(counted, bins=30)
    np.testing.assert_allclose(twice.sigma, 2 * np.asarray(poisson.sigma), rtol=1e-5)
    with pytest.raises(MissingMetadata, match="no errors of their own"):
        integrate(counted, errors="given")


def test_a_line_is_a_row_or_a_column_of_a_map() -> None:
    plain: Any = {"incidence": 0.3, "splitting": "none", "normal": "down"}
    whole = map_grazing(frames(), bins_xy=20, bins_z=1, q_z_min=0.5, q_z_max=1.5, **plain)
    row = cut_line(frames(), along="q_xy", across_min=0.5, across_max=1.5, bins=20, **plain)
    np.testing.assert_array_equal(row.intensity, whole.intensity[:, 0])
    np.testing.assert_array_equal(row.q, whole.q_xy)
    whole = map_grazing(frames(), bins_xy=1, bins_z=20, q_xy_min=0.2, q_xy_max=1.0, **plain)
    column = cut_line(frames(), along="q_z", across_min=0.2, across_max=1.0, bins=20, **plain)
    np.testing.assert_array_equal(column.sigma, whole.sigma[:, :, 0])
    np.testing.assert_array_equal(column.q, whole.q_z)


@pytest.mark.parametrize(
    ("step", "given", "said"),
    [
        (integrate, {"azimuth_min": 10.0}, "a sector needs both"),
        (integrate, {"q_min": 3.0, "q_max": 2.0}, "detector sees q from"),
        (integrate, {"polarisation": 1.5}, "not between -1 and 1"),
        (integrate, {"sensor_transmission": 1.0}, "sensor is 1.0, not between 0 and 1"),
        (integrate_angles, {"bins": 0}, "detector sees 2theta"),
        (integrate_cake, {"azimuth_bins": 0}, "there has to be one"),
        (map_grazing, {"incidence": 95.0}, "from 0 to below 90"),
        (map_grazing, {"incidence": 0.1, "q_z_min": 9.0, "q_z_max": 8.0}, "sees q_z from"),
    ],
)
def test_what_makes_no_integration_is_refused_in_a_sentence(
    step: Any, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        step(frames(), **given)
    assert said in str(caught.value)


def test_a_wholly_masked_frame_is_refused() -> None:
    steps: list[tuple[Any, dict[str, float]]] = [(integrate, {}), (map_grazing, {"incidence": 0.1})]
    for step, given in steps:
        with pytest.raises(ParameterError, match="every pixel is masked"):
            step(frames(mask=np.ones(SHAPE)), **given)


def test_shared_parameters_are_said_like_own_ones() -> None:
    steps: tuple[Any, ...] = (integrate, integrate_cake, integrate_angles, cut_ring)
    for step in (*steps, map_grazing, cut_line):
        assert step.parameters["splitting"].default == "full"
        assert step.parameters["dummy"].source is not None
        assert "'given'" in step.parameters["errors"].wanted
