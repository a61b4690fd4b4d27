"""Curves put on an absolute scale, freed of their background, joined; errors go along.

B. R. Pauw, A. J. Smith et al. 2017, J. Appl. Cryst. 50, 1800, whose corrections DU, TH, TR, AU, BG
these are.
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["WATER", "Factor", "join", "reduce_curve", "scale_factor"]

WATER = 0.01632
"""Intensity of water at 293 K in 1/cm: D. Orthaber, A. Bergmann and O. Glatter 2000, J. Appl.
Cryst. 33, 218."""


class Factor(NamedTuple):
    """A factor with sigma, and the reduced χ² of the two curves it brings together."""

    value: float
    sigma: float
    chi_squared: float


def reduce_curve(
    sample: tuple[Any, Any],
    background: tuple[Any, Any],
    *,
    transmission: tuple[float, float],
    background_transmission: tuple[float, float],
    thickness: float,
    factor: tuple[float, float],
) -> tuple[Any, Any]:
    """C/d · (I/T - I_b/T_b) with its sigma, every input a pair of value and sigma.

    sample : (…, point); background : (point); transmission without unit; thickness in cm.
    """
    own, own_sigma = _over(sample, transmission)
    other, other_sigma = _over(background, background_transmission)
    difference = own - other
    scale, scale_sigma = factor[0] / thickness, factor[1] / thickness
    variance = scale**2 * (own_sigma**2 + other_sigma**2) + (scale_sigma * difference) ** 2
    return scale * difference, np.sqrt(variance)


def _over(curve: tuple[Any, Any], share: tuple[float, float]) -> tuple[Any, Any]:
    value = curve[0] / share[0]
    return value, np.hypot(curve[1] / share[0], value * share[1] / share[0])


def scale_factor(
    measured: tuple[Any, Any, Any], standard: tuple[Any, Any, Any], *, used: Any = None
) -> Factor:
    """The factor that brings a measured curve onto a standard, on the points of the measured.

    measured, standard : q, intensity and sigma, each (point), q in one unit and rising; used :
    (point) bool of the measured. The standard is interpolated in between its points, never beyond.
    Errors: ValueError where they have no points in common.
    """
    q, curve, sigma = (np.asarray(one, np.float64) for one in measured)
    wanted, wanted_sigma = interpolated(q, standard)
    seen = np.isfinite(curve) & np.isfinite(wanted) & np.isfinite(sigma) & (sigma > 0)
    if used is not None:
        seen &= used
    if np.count_nonzero(seen) < 2:
        raise ValueError("the curves have fewer than two points of q in common")
    x, y = curve[seen], wanted[seen]
    value = float(np.sum(x * y) / np.sum(x**2))
    variance = np.ones_like(x)
    for _ in range(20):
        # The weights depend on the factor, since both curves have errors.
        variance = (value * sigma[seen]) ** 2 + np.nan_to_num(wanted_sigma[seen]) ** 2
        value = float(np.sum(x * y / variance) / np.sum(x**2 / variance))
    left = np.sum((y - value * x) ** 2 / variance)
    spread = float(1.0 / np.sqrt(np.sum(x**2 / variance)))
    return Factor(value, spread, float(left / max(len(x) - 1, 1)))


def interpolated(q: Any, curve: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    """A curve and its sigma at other q, linear in between, not a number outside its range."""
    own, values, sigma = (np.asarray(one, np.float64) for one in curve)
    seen = np.isfinite(values) & np.isfinite(own)
    own, values, sigma = own[seen], values[seen], sigma[seen]
    after = np.clip(np.searchsorted(own, q), 1, len(own) - 1)
    share = (q - own[after - 1]) / (own[after] - own[after - 1])
    # Ends that are equal but for single precision are the same ends.
    slack = 1e-6 * np.abs(own[-1])
    inside = (q >= own[0] - slack) & (q <= own[-1] + slack)
    value = np.where(inside, (1 - share) * values[after - 1] + share * values[after], np.nan)
    noise = np.hypot((1 - share) * sigma[after - 1], share * sigma[after])
    return value, np.where(inside, noise, np.nan)


def join(
    first: tuple[Any, Any, Any], second: tuple[Any, Any, Any], factor: Factor
) -> tuple[Any, Any, Any]:
    """All points of two curves in the order of q, the second times a factor with its error."""
    q = np.concatenate([first[0], second[0]])
    scaled = factor.value * np.asarray(second[1])
    noise = np.hypot(factor.value * np.asarray(second[2]), factor.sigma * np.asarray(second[1]))
    order = np.argsort(q, kind="stable")
    values, sigma = np.concatenate([first[1], scaled]), np.concatenate([first[2], noise])
    return q[order], values[order], sigma[order]
