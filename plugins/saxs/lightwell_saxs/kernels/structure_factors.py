"""How particles sit beside each other."""

from typing import Any

import jax.numpy as jnp

__all__ = ["hard_spheres"]


def hard_spheres(q: Any, radius: Any, volume_fraction: Any) -> Any:
    """S(q) of hard spheres in the approximation of Percus and Yevick.

    q : (point) 1/nm; radius : nm. Closed form: M. S. Wertheim 1963, Phys. Rev. Lett. 10, 321;
    D. J. Kinning and E. L. Thomas 1984, Macromolecules 17, 1712.
    """
    phi = volume_fraction
    alpha = (1.0 + 2.0 * phi) ** 2 / (1.0 - phi) ** 4
    beta = -6.0 * phi * (1.0 + phi / 2.0) ** 2 / (1.0 - phi) ** 4
    gamma = phi * alpha / 2.0
    x = 2.0 * q * radius
    return 1.0 / (1.0 + 24.0 * phi * _correlation(x, alpha, beta, gamma))


def _correlation(x: Any, alpha: Any, beta: Any, gamma: Any) -> Any:
    """∫ (α + β s + γ s³) s² sin(xs)/(xs) ds from 0 to 1: minus the direct correlation function."""
    near = x < 0.3
    squared = x * x
    series = (
        alpha * (1 / 3 - squared / 30 + squared**2 / 840)
        + beta * (1 / 4 - squared / 36 + squared**2 / 960)
        + gamma * (1 / 6 - squared / 48 + squared**2 / 1200)
    )
    y = jnp.where(near, 1.0, x)
    sine, cosine = jnp.sin(y), jnp.cos(y)
    exact = (
        alpha * (sine - y * cosine) / y**3
        + beta * (2.0 * y * sine + (2.0 - y**2) * cosine - 2.0) / y**4
        + gamma
        * (4.0 * ((3.0 * y**2 - 6.0) * cosine + (y**3 - 6.0 * y) * sine + 6.0) - y**4 * cosine)
        / y**6
    )
    return jnp.where(near, series, exact)
