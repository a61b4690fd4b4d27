"""Radius of gyration and forward intensity: straight lines through ln I over q².

A. Guinier 1939, Ann. Phys. 11, 161. Lines are fitted with the weights (I/σ)² of ln I, and sigmas
are those of the fit. The range that is looked for is, among those that hold to q·Rg <= limit,
show no curvature and fit as well as their errors allow, the one whose Rg has the smallest sigma.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["DOUBTFUL", "FAILED", "GOOD", "GuinierFits", "fit_guinier"]

FAILED, DOUBTFUL, GOOD = 0, 1, 2
"""Verdicts: no line that falls; one that breaks a rule; one that keeps them all."""

_MOST_STARTS = 48
_CURVED = 2.5
"""Sigmas of the coefficient of q⁴ from which a range is curved."""

_AS_SURE = 2.0
"""How much larger the sigma of a range may be for its Rg to count in the spread."""

_TOO_FAR = 3.0
"""Sigmas of χ² above its expectation from which a line does not fit."""


class GuinierFits(NamedTuple):
    """One row per curve, each (curve).

    rg, i0 : with rg_sigma, i0_sigma; rg_spread : standard deviation of Rg among the ranges that
    keep the rules and are nearly as sure, not a number where the range was given; first, last :
    points of the range, both included; q_rg_min, q_rg_max; chi_squared : reduced; curvature : in
    its sigmas; verdict.
    """

    rg: Any
    rg_sigma: Any
    i0: Any
    i0_sigma: Any
    rg_spread: Any
    first: Any
    last: Any
    q_rg_min: Any
    q_rg_max: Any
    chi_squared: Any
    curvature: Any
    verdict: Any


class _Lines(NamedTuple):
    """What the lines through many ranges (range) of one curve are."""

    slope: Any
    slope_variance: Any
    level: Any
    level_variance: Any
    chi_squared: Any
    freedom: Any
    curvature: Any


def fit_guinier(
    q: Any,
    curves: Any,
    sigma: Any,
    *,
    ranges: tuple[int, int] | None = None,
    limit: float = 1.3,
    least_points: int = 10,
) -> GuinierFits:
    """Fit a Guinier line to every curve, in double precision.

    q : (point) 1/nm, rising; curves, sigma : (curve, point); ranges : first and last point, both
    included, looked for in each curve if not given; limit : of q·Rg. Points without a positive
    intensity or sigma do not count; a curve without any sigma is fitted unweighted, and its
    sigmas come from the residuals.
    """
    first, last = _ranges(len(q), ranges, least_points)
    with jax.enable_x64(True):  # noqa: FBT003  (the signature is jax's)
        data = [np.asarray(one, np.float64) for one in (q, curves, sigma)]
        free = ranges is None
        found = _fit_all(first, last, float(limit), float(least_points), *data, free=free)
        return GuinierFits(*(np.asarray(one) for one in found))


def _ranges(points: int, given: tuple[int, int] | None, least: int) -> tuple[Any, Any]:
    """First points and last points (range) of all ranges that are tried."""
    if given is not None:
        return np.array([given[0]]), np.array([given[1]])
    starts = np.unique(np.linspace(0, max(points // 3, 1), _MOST_STARTS).astype(int))
    first, last = np.meshgrid(starts, np.arange(points), indexing="ij")
    wide = last - first >= least - 1
    return first[wide], last[wide]


@partial(jax.jit, static_argnames="free")
def _fit_all(
    first: Any,
    last: Any,
    limit: Any,
    least: Any,
    q: Any,
    curves: Any,
    sigma: Any,
    *,
    free: bool,
) -> GuinierFits:
    def one(data: tuple[Any, Any]) -> GuinierFits:
        return _fit_one(first, last, limit, least, q, *data, free=free)

    found: GuinierFits = jax.lax.map(one, (curves, sigma))
    return found


def _fit_one(
    first: Any,
    last: Any,
    limit: Any,
    least: Any,
    q: Any,
    curve: Any,
    error: Any,
    *,
    free: bool,
) -> GuinierFits:
    seen = jnp.isfinite(curve) & (curve > 0) & jnp.isfinite(q)
    known = seen & jnp.isfinite(error) & (error > 0)
    has_errors = jnp.any(known)
    weight = jnp.where(known, (curve / jnp.where(known, error, 1.0)) ** 2, 0.0)
    weight = jnp.where(has_errors, weight, seen.astype(q.dtype))
    scale = jnp.max(jnp.where(seen, q, 0.0)) ** 2
    y = jnp.log(jnp.where(weight > 0, curve, 1.0))
    lines = _lines(q**2 / scale, y, weight, first, last)
    reduced = lines.chi_squared / jnp.maximum(lines.freedom, 1.0)
    noise = jnp.where(has_errors, 1.0, reduced)
    slope, variance = lines.slope / scale, noise * lines.slope_variance / scale**2
    rg = jnp.sqrt(jnp.maximum(-3.0 * slope, 0.0))
    falls = (slope < 0) & (lines.freedom >= 1) & jnp.isfinite(variance)
    rg_sigma = jnp.where(falls, 1.5 * jnp.sqrt(variance) / jnp.where(falls, rg, 1.0), jnp.nan)
    fits_well = ~has_errors | (
        reduced <= 1.0 + _TOO_FAR * jnp.sqrt(2.0 / jnp.maximum(lines.freedom, 1.0))
    )
    curvature = lines.curvature / jnp.sqrt(noise)
    # A range found by the search may end a point too early, one given has to hold as it is.
    near = falls & (q[last] * rg <= limit) & (lines.freedom >= least - 2)
    keeps = near & fits_well & (jnp.abs(curvature) <= _CURVED) & (q[first] * rg <= 1.0)
    cost = jnp.where(falls, rg_sigma / jnp.where(falls, rg, 1.0), jnp.inf)
    rank = jnp.where(keeps, 0.0, jnp.where(near, 1e6, 1e12))
    best = jnp.argmin(jnp.where(falls, rank + cost, jnp.inf))
    verdict = jnp.where(keeps[best], GOOD, jnp.where(falls[best], DOUBTFUL, FAILED))
    alike = keeps & (cost <= _AS_SURE * cost[best])
    share = alike / jnp.maximum(jnp.sum(alike), 1)
    mean = jnp.sum(share * rg)
    spread = jnp.sqrt(jnp.sum(share * (rg - mean) ** 2))
    level = jnp.exp(lines.level)
    found = GuinierFits(
        rg=rg[best],
        rg_sigma=rg_sigma[best],
        i0=level[best],
        i0_sigma=(level * jnp.sqrt(noise * lines.level_variance))[best],
        rg_spread=spread if free else jnp.nan,
        first=first[best].astype(q.dtype),
        last=last[best].astype(q.dtype),
        q_rg_min=q[first[best]] * rg[best],
        q_rg_max=q[last[best]] * rg[best],
        chi_squared=jnp.where(has_errors, reduced[best], jnp.nan),
        curvature=curvature[best],
        verdict=verdict.astype(q.dtype),
    )
    failed = verdict == FAILED
    gone = {n: jnp.where(failed, jnp.nan, v) for n, v in found._asdict().items()}
    return GuinierFits(**{**gone, "verdict": found.verdict})


def _lines(x: Any, y: Any, weight: Any, first: Any, last: Any) -> _Lines:
    """Weighted lines through all ranges at once, from sums that run along the curve."""
    centre = y - jnp.sum(weight * y) / jnp.maximum(jnp.sum(weight), 1e-300)

    def over(values: Any) -> Any:
        running = jnp.concatenate([jnp.zeros(1, x.dtype), jnp.cumsum(values)])
        return running[last + 1] - running[first]

    w, wx, wy = over(weight), over(weight * x), over(weight * centre)
    wxx, wxy, wyy = over(weight * x**2), over(weight * x * centre), over(weight * centre**2)
    wx3, wx4, wxxy = over(weight * x**3), over(weight * x**4), over(weight * x**2 * centre)
    points = over((weight > 0).astype(x.dtype))
    safe = jnp.where(w > 0, w, 1.0)
    mx, my = wx / safe, wy / safe
    sxx, sxy, syy = wxx - wx * mx, wxy - wx * my, wyy - wy * my
    solid = sxx > 1e-14 * jnp.maximum(wxx, 1e-300)
    sxx_safe = jnp.where(solid, sxx, 1.0)
    slope = jnp.where(solid, sxy / sxx_safe, 0.0)
    chi = jnp.maximum(syy - slope * sxy, 0.0)
    # What x² is beyond a line in x, and how much of y it explains beyond the line.
    mz = wxx / safe
    sxz, szz, szy = wx3 - wxx * mx, wx4 - wxx * mz, wxxy - wxx * my
    rest = szz - sxz**2 / sxx_safe
    bent = solid & (rest > 1e-12 * jnp.maximum(szz, 1e-300))
    curvature = jnp.where(bent, (szy - slope * sxz) / jnp.sqrt(jnp.where(bent, rest, 1.0)), 0.0)
    offset = jnp.sum(weight * y) / jnp.maximum(jnp.sum(weight), 1e-300)
    return _Lines(
        slope=slope,
        slope_variance=jnp.where(solid, 1.0 / sxx_safe, jnp.inf),
        level=my - slope * mx + offset,
        level_variance=jnp.where(solid, 1.0 / safe + mx**2 / sxx_safe, jnp.inf),
        chi_squared=chi,
        freedom=points - 2.0,
        curvature=curvature,
    )
