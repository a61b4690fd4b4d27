"""Models fitted to many curves at once, each from a start that is looked for."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lightwell_numerics.levenberg_marquardt import levenberg_marquardt
from lightwell_saxs.kernels.particles import PARAMETERS, Particles, intensity

__all__ = ["CurveFits", "FitPlan", "fit_curves"]

_SCALE, _BACKGROUND = PARAMETERS.index("scale"), PARAMETERS.index("background")


class FitPlan(NamedTuple):
    """What a fit needs besides the curves.

    start, lower, upper : (parameter); free : (parameter) bool; candidates : (size) nm of the
    shape's first length that are tried as its start; used : (point) bool, points of q that count.
    """

    model: Particles
    start: Any
    lower: Any
    upper: Any
    free: Any
    candidates: Any
    used: Any


class CurveFits(NamedTuple):
    """One row per curve.

    values : (curve, parameter); covariance : (curve, parameter, parameter), not a number where a
    parameter was not free; chi_squared : (curve), reduced; points : (curve) that counted;
    converged : (curve) bool; fitted : (curve, point), the model at its values.
    """

    values: Any
    covariance: Any
    chi_squared: Any
    points: Any
    converged: Any
    fitted: Any


def fit_curves(plan: FitPlan, q: Any, curves: Any, sigma: Any) -> CurveFits:
    """Fit a model to every curve by least squares weighted with 1/sigma², in double precision.

    q : (point) 1/nm; curves, sigma : (curve, point). Points that are not a number or have no
    positive sigma do not count. A curve without any sigma is fitted unweighted, and its covariance
    comes from the residuals.
    """
    with jax.enable_x64(True):  # noqa: FBT003  (the signature is jax's)
        arrays = [np.asarray(one, np.float64) for one in plan[1:4]]
        tables = (*arrays, np.asarray(plan.free), np.asarray(plan.candidates, np.float64))
        data = [np.asarray(one, np.float64) for one in (q, curves, sigma)]
        data[1] = np.where(np.asarray(plan.used), data[1], np.nan)
        found = _fit_all(plan.model, *tables, *data)
        return CurveFits(*(np.asarray(one) for one in found))


@partial(jax.jit, static_argnums=0)
def _fit_all(
    model: Particles,
    start: Any,
    lower: Any,
    upper: Any,
    free: Any,
    candidates: Any,
    q: Any,
    curves: Any,
    sigma: Any,
) -> CurveFits:
    shapes = _candidate_shapes(model, q, start, candidates)

    def one(curve: Any, error: Any) -> CurveFits:
        weighted, measured, weight = _weighed(curve, error)
        begin = _best_start(model, start, free, candidates, shapes, measured, weight)
        fit = levenberg_marquardt(
            lambda values: (intensity(model, q, values) - measured) * weight,
            begin,
            lower=lower,
            upper=upper,
            free=free,
        )
        points = jnp.sum(weight > 0)
        reduced = fit.cost / jnp.maximum(points - jnp.sum(free), 1)
        covariance = jnp.where(weighted, 1.0, reduced) * fit.covariance
        fitted = intensity(model, q, fit.values)
        return CurveFits(fit.values, covariance, reduced, points, fit.converged, fitted)

    return jax.vmap(one)(curves, sigma)


def _weighed(curve: Any, error: Any) -> tuple[Any, Any, Any]:
    """Whether there are errors, the curve without gaps, and its weights 1/σ, 0 in gaps."""
    seen = jnp.isfinite(curve)
    known = seen & jnp.isfinite(error) & (error > 0)
    weighted = jnp.any(known)
    weight = jnp.where(known, 1.0 / jnp.where(known, error, 1.0), 0.0)
    level = jnp.max(jnp.where(seen, jnp.abs(curve), 0.0))
    plain = jnp.where(seen, 1.0 / jnp.where(level > 0, level, 1.0), 0.0)
    weight = jnp.where(weighted, weight, plain)
    return weighted, jnp.where(weight > 0, curve, 0.0), weight


def _candidate_shapes(model: Particles, q: Any, start: Any, candidates: Any) -> Any:
    """The curve (size, point) of every candidate at scale 1 and background 0."""
    place = PARAMETERS.index(model.sizes[0])

    def one(size: Any) -> Any:
        values = start.at[place].set(size).at[_SCALE].set(1.0).at[_BACKGROUND].set(0.0)
        return intensity(model, q, values)

    return jax.lax.map(one, candidates)


def _best_start(
    model: Particles,
    start: Any,
    free: Any,
    candidates: Any,
    shapes: Any,
    measured: Any,
    weight: Any,
) -> Any:
    """The start with the size, scale and background that are best among the candidates."""
    scaled = shapes * weight
    ones = jnp.where(free[_BACKGROUND], weight, 0.0)
    target = measured * weight - jnp.where(free[_BACKGROUND], 0.0, start[_BACKGROUND]) * weight
    aa, ab, bb = jnp.sum(scaled**2, -1), jnp.sum(scaled * ones, -1), jnp.sum(ones**2)
    ay, by = jnp.sum(scaled * target, -1), jnp.sum(ones * target)
    determinant = aa * jnp.where(bb > 0, bb, 1.0) - ab**2
    good = determinant > 1e-12 * aa * jnp.where(bb > 0, bb, 1.0)
    safe = jnp.where(good, determinant, 1.0)
    scale = jnp.where(good, (ay * jnp.where(bb > 0, bb, 1.0) - ab * by) / safe, 0.0)
    scale = jnp.where(free[_SCALE], jnp.maximum(scale, 1e-12), start[_SCALE])
    background = jnp.where(bb > 0, (by - scale * ab) / jnp.where(bb > 0, bb, 1.0), 0.0)
    left = target - scale[:, None] * scaled - background[:, None] * ones
    best = jnp.argmin(jnp.sum(left**2, -1))
    begin = start.at[PARAMETERS.index(model.sizes[0])].set(candidates[best])
    begin = begin.at[_SCALE].set(scale[best])
    return jnp.where(free[_BACKGROUND], begin.at[_BACKGROUND].set(background[best]), begin)
