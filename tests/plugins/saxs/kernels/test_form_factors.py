"""Shapes, distributions and structure factors against sasmodels, and their derivatives."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy import special

from lightwell_saxs.kernels.particles import PARAMETERS, Particles, intensity
from lightwell_saxs.kernels.special_functions import (
    cylinder_amplitude,
    debye,
    sinc,
    sphere_amplitude,
)

Q = np.geomspace(1e-3, 0.4, 60)  # 1/Å, as sasmodels has it


class Case(NamedTuple):
    model: Particles
    values: dict[str, float]
    reference: str
    parameters: dict[str, Any]


def _spread(kind: str, width: float, points: int, sigmas: int) -> dict[str, Any]:
    return {
        "radius_pd": width,
        "radius_pd_type": kind,
        "radius_pd_n": points,
        "radius_pd_nsigma": sigmas,
    }


SPHERE = {"scale": 0.01, "background": 0.001, "radius": 5.0, "contrast": 5.0}
SAS_SPHERE = {"scale": 0.01, "background": 0.001, "radius": 50, "sld": 1, "sld_solvent": 6}

CASES = {
    "sphere": Case(Particles(), SPHERE, "sphere", SAS_SPHERE),
    **{
        kind: Case(
            Particles(distribution=kind),  # type: ignore[arg-type]
            {**SPHERE, "polydispersity": width},
            "sphere",
            {**SAS_SPHERE, **_spread(kind, width, points, sigmas)},
        )
        for kind, width, points, sigmas in (
            ("gaussian", 0.12, 35, 3),
            ("lognormal", 0.2, 80, 8),
            ("schulz", 0.2, 80, 8),
        )
    },
    "core_shell_sphere": Case(
        Particles("core_shell_sphere"),
        {"scale": 1, "radius": 6, "thickness": 1, "contrast": -2, "shell_contrast": -1},
        "core_shell_sphere",
        {"background": 0, "radius": 60, "thickness": 10}
        | {"sld_core": 1, "sld_shell": 2, "sld_solvent": 3},
    ),
    "cylinder": Case(
        Particles("cylinder"),
        {"scale": 1, "radius": 2, "length": 40, "contrast": 3},
        "cylinder",
        {"background": 0, "radius": 20, "length": 400, "sld": 4, "sld_solvent": 1},
    ),
    "ellipsoid": Case(
        Particles("ellipsoid"),
        {"scale": 1, "radius": 40, "polar_radius": 2, "contrast": 3},
        "ellipsoid",
        {"background": 0, "radius_equatorial": 400, "radius_polar": 20}
        | {"sld": 4, "sld_solvent": 1},
    ),
    "gaussian_chain": Case(
        Particles("gaussian_chain"),
        {"scale": 70, "radius_of_gyration": 7.5},
        "mono_gauss_coil",
        {"background": 0, "i_zero": 70, "rg": 75},
    ),
    "hard_spheres": Case(
        Particles(structure="hard_spheres"),
        {"scale": 0.2, "radius": 5, "contrast": 5, "volume_fraction": 0.2},
        "sphere@hardsphere",
        {"background": 0, "radius": 50, "sld": 1, "sld_solvent": 6, "volfraction": 0.2},
    ),
}


def _vector(values: dict[str, float]) -> Any:
    return np.array([float(values.get(name, 0.0)) for name in PARAMETERS])


@pytest.mark.parametrize("name", CASES)
def test_curves_are_those_of_sasmodels(name: str) -> None:
    core = pytest.importorskip("sasmodels.core")
    direct = pytest.importorskip("sasmodels.direct_model")
    case = CASES[name]
    kernel = core.load_model(case.reference, dtype="double", platform="dll").make_kernel([Q])
    expected = direct.call_kernel(kernel, case.parameters)
    with jax.enable_x64(True):
        found = np.asarray(intensity(case.model, Q * 10, _vector(case.values)))
    # The bound asked for is 1e-4; ours agree to 1e-5 in every point, minima included.
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["schulz", "core_shell_sphere", "cylinder", "hard_spheres"])
def test_derivatives_are_differences(name: str) -> None:
    case = CASES[name]
    q, values = Q[::6] * 10, _vector(case.values)
    with jax.enable_x64(True):
        function = jax.jit(lambda v: intensity(case.model, q, v))
        slopes = np.asarray(jax.jacfwd(function)(values))
        assert np.isfinite(slopes).all()
        for parameter in case.model.sizes:
            place = PARAMETERS.index(parameter)
            step = np.zeros(len(PARAMETERS))
            step[place] = 1e-5 * values[place]
            ends = [np.asarray(function(values + s * step)) for s in (-1, 1)]
            difference = (ends[1] - ends[0]) / (2 * step[place])
            scale = np.abs(difference).max()
            np.testing.assert_allclose(slopes[:, place], difference, rtol=1e-4, atol=1e-6 * scale)


def test_special_functions_are_right_on_both_sides_of_their_joints() -> None:
    x = np.concatenate(
        [np.geomspace(1e-6, 50, 200), [0.0999, 0.1001, 0.2999, 0.3001, 2.999, 3.001]]
    )
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            sphere_amplitude(x), 3 * special.spherical_jn(1, x) / x, rtol=1e-8, atol=1e-12
        )
        np.testing.assert_allclose(sinc(x), np.sinc(x / np.pi), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(cylinder_amplitude(x), 2 * special.j1(x) / x, atol=2e-7)
        exact = 2 * (np.expm1(-x) + x) / x**2
        np.testing.assert_allclose(np.asarray(debye(x))[x > 1e-3], exact[x > 1e-3], rtol=1e-6)


def test_a_structure_factor_of_nothing_is_one() -> None:
    values = _vector(CASES["hard_spheres"].values)
    values[PARAMETERS.index("volume_fraction")] = 0.0
    with jax.enable_x64(True):
        alone = intensity(Particles(), Q, values)
        np.testing.assert_allclose(intensity(Particles(structure="hard_spheres"), Q, values), alone)
