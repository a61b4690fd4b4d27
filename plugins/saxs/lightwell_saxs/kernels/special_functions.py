"""Functions that form factors are made of, smooth at zero in value and derivative."""

from typing import Any

import jax.numpy as jnp

__all__ = ["cylinder_amplitude", "debye", "sinc", "sphere_amplitude"]

# M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 9.4.4 and 9.4.6.
_SMALL = (0.5, -0.56249985, 0.21093573, -0.03954289, 0.00443319, -0.00031761, 0.00001109)
_MODULUS = (0.79788456, 0.00000156, 0.01659667, 0.00017105, -0.00249511, 0.00113653, -0.00020033)
_PHASE = (-2.35619449, 0.12499612, 0.00005650, -0.00637879, 0.00074348, 0.00079824, -0.00029166)


def sphere_amplitude(x: Any) -> Any:
    """3 (sin x - x cos x) / x³, which is 1 at 0."""
    near = jnp.abs(x) < 0.3
    safe = jnp.where(near, 1.0, x)
    squared = x * x
    series = 1.0 - squared / 10.0 * (1.0 - squared / 28.0 * (1.0 - squared / 54.0))
    exact = 3.0 * (jnp.sin(safe) - safe * jnp.cos(safe)) / safe**3
    return jnp.where(near, series, exact)


def sinc(x: Any) -> Any:
    """(sin x) / x, which is 1 at 0."""
    near = jnp.abs(x) < 0.1
    safe = jnp.where(near, 1.0, x)
    squared = x * x
    series = 1.0 - squared / 6.0 * (1.0 - squared / 20.0 * (1.0 - squared / 42.0))
    return jnp.where(near, series, jnp.sin(safe) / safe)


def cylinder_amplitude(x: Any) -> Any:
    """2 J₁(x) / x for x >= 0, which is 1 at 0; right to 1e-7."""
    near = x < 3.0
    series = 2.0 * _polynomial(_SMALL, jnp.where(near, x / 3.0, 0.0) ** 2)
    safe = jnp.where(near, 3.0, x)
    wave = _polynomial(_MODULUS, 3.0 / safe) * jnp.cos(safe + _polynomial(_PHASE, 3.0 / safe))
    return jnp.where(near, series, 2.0 * wave / safe**1.5)


def debye(x: Any) -> Any:
    """2 (exp(-x) + x - 1) / x² for x >= 0, which is 1 at 0 (P. Debye 1947, J. Phys. Chem. 51)."""
    near = x < 0.1
    safe = jnp.where(near, 1.0, x)
    series = 1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0)))
    return jnp.where(near, series, 2.0 * (jnp.expm1(-safe) + safe) / safe**2)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    total = jnp.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total
