"""Intensity of dilute particles on an absolute scale, from their shape and contrast.

I(q) = scale · 0.1 · ⟨F²⟩ / ⟨V⟩ + background in 1/cm, with F = Σ Δρ V f(q). Lengths in nm, q in
1/nm, scattering length densities in 1e-6/Å² (which makes the factor 0.1); `scale` is the volume
fraction where everything else is absolute. The same as sasmodels, whose lengths are in Å.

Shapes: A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays (1955); J. S. Pedersen 1997,
Adv. Colloid Interface Sci. 70, 171.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from lightwell_saxs.kernels.special_functions import (
    cylinder_amplitude,
    debye,
    sinc,
    sphere_amplitude,
)

__all__ = ["FORMS", "ORIENTATIONS", "Form", "Shape", "orientations"]

Form = Literal["sphere", "core_shell_sphere", "cylinder", "ellipsoid", "gaussian_chain"]

ORIENTATIONS = 150
"""Directions a shape that is not round is averaged over; enough up to q · length of 150."""

_SPHERE = 4.0 / 3.0 * math.pi


class Shape(NamedTuple):
    """A shape: the lengths it has, its volume, and ⟨F²⟩ over directions.

    lengths : names of its parameters beyond scale, background and contrasts; volume : of lengths
    by name, nm³; squared : of q (point) and lengths and contrasts by name, in nm⁶ · 1e-12/Å⁴.
    """

    lengths: tuple[str, ...]
    volume: Callable[..., Any]
    squared: Callable[..., Any]


def orientations(count: int) -> tuple[Any, Any]:
    """Cosines between 0 and 1 and their weights, which add up to 1 (Gauss and Legendre)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0


def _sphere_volume(*, radius: Any) -> Any:
    return _SPHERE * radius**3


def _sphere(q: Any, *, radius: Any, contrast: Any, **_: Any) -> Any:
    return (contrast * _sphere_volume(radius=radius) * sphere_amplitude(q * radius)) ** 2


def _core_shell_volume(*, radius: Any, thickness: Any) -> Any:
    return _SPHERE * (radius + thickness) ** 3


def _core_shell(
    q: Any, *, radius: Any, thickness: Any, contrast: Any, shell_contrast: Any, **_: Any
) -> Any:
    outer = radius + thickness
    core = (contrast - shell_contrast) * _SPHERE * radius**3 * sphere_amplitude(q * radius)
    return (core + shell_contrast * _SPHERE * outer**3 * sphere_amplitude(q * outer)) ** 2


def _cylinder_volume(*, radius: Any, length: Any) -> Any:
    return math.pi * radius**2 * length


def _cylinder(q: Any, *, radius: Any, length: Any, contrast: Any, directions: int, **_: Any) -> Any:
    cosine, weight = orientations(directions)
    # Even in angle, not in its cosine: the ends of a long rod need many directions near 90°.
    angle = jnp.asarray(cosine * (math.pi / 2))
    share = jnp.asarray(weight * (math.pi / 2)) * jnp.sin(angle)
    across = cylinder_amplitude(q[..., None] * jnp.sin(angle) * radius)
    along = sinc(q[..., None] * jnp.cos(angle) * (length / 2.0))
    mean = jnp.sum(share * (across * along) ** 2, axis=-1)
    return (contrast * _cylinder_volume(radius=radius, length=length)) ** 2 * mean


def _ellipsoid_volume(*, radius: Any, polar_radius: Any) -> Any:
    return _SPHERE * radius**2 * polar_radius


def _ellipsoid(
    q: Any, *, radius: Any, polar_radius: Any, contrast: Any, directions: int, **_: Any
) -> Any:
    cosine, weight = (jnp.asarray(one) for one in orientations(directions))
    seen = jnp.sqrt(radius**2 * (1.0 - cosine**2) + polar_radius**2 * cosine**2)
    mean = jnp.sum(weight * sphere_amplitude(q[..., None] * seen) ** 2, axis=-1)
    return (contrast * _ellipsoid_volume(radius=radius, polar_radius=polar_radius)) ** 2 * mean


def _chain_volume(*, radius_of_gyration: Any) -> Any:
    # A chain has no volume of its own: its scale is the intensity at q = 0 in 1/cm.
    return jnp.ones_like(radius_of_gyration)


def _chain(q: Any, *, radius_of_gyration: Any, **_: Any) -> Any:
    return 10.0 * debye((q * radius_of_gyration) ** 2)


FORMS: dict[Form, Shape] = {
    "sphere": Shape(("radius",), _sphere_volume, _sphere),
    "core_shell_sphere": Shape(("radius", "thickness"), _core_shell_volume, _core_shell),
    "cylinder": Shape(("radius", "length"), _cylinder_volume, _cylinder),
    "ellipsoid": Shape(("radius", "polar_radius"), _ellipsoid_volume, _ellipsoid),
    "gaussian_chain": Shape(("radius_of_gyration",), _chain_volume, _chain),
}
"""Every shape there is; the first of its lengths is the one that may have a distribution."""
