"""What a curve says without a model beyond its Guinier range: Porod's law and the invariant.

G. Porod 1951, Kolloid-Z. 124, 83. The tail is I = K q⁻⁴ + B; the invariant is the integral of
q² (I - B) from 0 to infinity, inside the first point by Guinier's law, beyond the last by Porod's.
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["PorodFits", "fit_porod", "kratky"]


class PorodFits(NamedTuple):
    """One row per curve, each (curve).

    constant : K in (unit of I)/nm⁴; background : B; invariant : (unit of I)/nm³; volume : nm³ of
    particles that are alike and far apart, 2π² I(0) / invariant; all with sigmas.
    """

    constant: Any
    constant_sigma: Any
    background: Any
    background_sigma: Any
    invariant: Any
    invariant_sigma: Any
    volume: Any
    volume_sigma: Any
    chi_squared: Any


def fit_porod(
    q: Any,
    curves: Any,
    sigma: Any,
    i0: Any,
    i0_sigma: Any,
    rg: Any,
    *,
    tail: Any,
    with_background: bool = True,
) -> PorodFits:
    """Fit the tail of every curve and integrate it.

    q : (point) 1/nm, rising; curves, sigma : (curve, point); i0, i0_sigma, rg : (curve), of the
    Guinier range; tail : (point) bool, the points that follow Porod's law. Gaps do not count.
    Correlations between tail and integral are neglected.
    """
    q, curves, sigma = (np.asarray(one, np.float64) for one in (q, curves, sigma))
    seen = np.isfinite(curves) & np.isfinite(sigma) & (sigma > 0)
    weight = np.where(seen & tail, 1.0 / np.where(seen, sigma, 1.0) ** 2, 0.0)
    basis = np.stack([(q / q[-1]) ** -4, np.ones_like(q) if with_background else 0 * q])
    normal = np.einsum("cp,ip,jp->cij", weight, basis, basis)
    if not with_background:
        normal[:, 1, 1] = 1.0
    right = np.einsum("cp,ip,cp->ci", weight, basis, np.where(seen, curves, 0.0))
    usable = np.linalg.matrix_rank(normal, hermitian=True) == 2
    inverse = np.linalg.inv(np.where(usable[:, None, None], normal, np.eye(2)))
    values = np.where(usable[:, None], np.einsum("cij,cj->ci", inverse, right), np.nan)
    variance = np.where(usable[:, None], np.diagonal(inverse, axis1=1, axis2=2), np.nan)
    left = np.where(weight > 0, curves - values @ basis, 0.0)
    freedom = np.maximum(np.count_nonzero(weight, axis=1) - 1 - with_background, 1)
    constant, background = values[:, 0] * q[-1] ** 4, values[:, 1]
    constant_sigma = np.sqrt(variance[:, 0]) * q[-1] ** 4
    background_sigma = np.sqrt(variance[:, 1]) if with_background else np.zeros(len(curves))
    whole, whole_sigma = _invariant(
        q, curves, sigma, (constant, constant_sigma), (background, background_sigma), i0, rg
    )
    volume = 2 * np.pi**2 * i0 / whole
    return PorodFits(
        constant,
        constant_sigma,
        background,
        background_sigma,
        whole,
        whole_sigma,
        volume,
        np.abs(volume) * np.hypot(i0_sigma / i0, whole_sigma / whole),
        np.sum(weight * left**2, axis=1) / freedom,
    )


def _invariant(
    q: Any,
    curves: Any,
    sigma: Any,
    constant: tuple[Any, Any],
    background: tuple[Any, Any],
    i0: Any,
    rg: Any,
) -> tuple[Any, Any]:
    """The invariant (curve) and its sigma; gaps are bridged by their neighbours."""
    step = np.gradient(q)
    step[0], step[-1] = step[0] / 2, step[-1] / 2
    seen = np.isfinite(curves)
    bridged = np.stack([np.interp(q, q[s], c[s]) for s, c in zip(seen, curves, strict=True)])
    inside = np.sum(step * q**2 * (bridged - background[0][:, None]), axis=1)
    beginning = _guinier_part(q[0], i0, rg) - background[0] * q[0] ** 3 / 3
    whole = inside + beginning + constant[0] / q[-1]
    noise = np.where(seen & np.isfinite(sigma), sigma, 0.0)
    counted = np.sum((step * q**2 * noise) ** 2, axis=1)
    level = background[1] * q[-1] ** 3 / 3
    return whole, np.sqrt(counted + level**2 + (constant[1] / q[-1]) ** 2)


def _guinier_part(q: float, i0: Any, rg: Any) -> Any:
    """∫ x² I(0) exp(-x² Rg²/3) dx from 0 to q, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    x = (nodes + 1) * q / 2
    values = x**2 * np.exp(-(x**2) * np.asarray(rg)[:, None] ** 2 / 3)
    return np.asarray(i0) * np.sum(values * weights * q / 2, axis=1)


def kratky(q: Any, curves: Any, sigma: Any, i0: Any, rg: Any) -> tuple[Any, Any, Any]:
    """The dimensionless Kratky plot: q·Rg, (q·Rg)² I/I(0) and its sigma, each (curve, point).

    D. Durand et al. 2010, J. Struct. Biol. 169, 45: a globular particle has its maximum 1.104 at
    q·Rg = √3.
    """
    x = np.asarray(q) * np.asarray(rg)[:, None]
    factor = x**2 / np.asarray(i0)[:, None]
    return x, factor * np.asarray(curves), factor * np.asarray(sigma)
