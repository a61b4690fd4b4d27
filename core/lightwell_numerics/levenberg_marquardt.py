"""Least squares by Levenberg and Marquardt, made to be mapped over thousands of problems.

Damping by Marquardt's scaled diagonal, raised and lowered as in K. Madsen, H. B. Nielsen and
O. Tingleff, "Methods for Non-Linear Least Squares Problems" (2004), section 3.2; a step that
leaves the box of allowed values is cut at its walls.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["LeastSquares", "covariance", "levenberg_marquardt"]

_GAIN_ENOUGH = 1e-8
"""Relative loss of the sum of squares below which a problem is solved."""


class LeastSquares(NamedTuple):
    """Where a fit ended.

    values : (parameter); covariance : (parameter, parameter), of values whose residuals have unit
    variance; cost : Σ r²; steps : taken; converged : whether the last step gained nothing.
    """

    values: Any
    covariance: Any
    cost: Any
    steps: Any
    converged: Any


class _State(NamedTuple):
    values: Any
    cost: Any
    damping: Any
    growth: Any
    steps: Any
    converged: Any


def levenberg_marquardt(
    residuals: Callable[[Any], Any],
    start: Any,
    *,
    lower: Any,
    upper: Any,
    free: Any = None,
    most_steps: int = 60,
) -> LeastSquares:
    """Minimise Σ r(p)² from a start, inside a box; pure, and may be vmapped and jitted.

    start, lower, upper : (parameter); free : (parameter) bool, parameters that may move, all if not
    given; residuals : p to (residual), differentiable.

    >>> line = jnp.linspace(0.0, 1.0, 5)
    >>> fit = levenberg_marquardt(
    ...     lambda p: p[0] * line + p[1] - (2 * line - 1),
    ...     jnp.zeros(2), lower=-9 * jnp.ones(2), upper=9 * jnp.ones(2),
    ... )
    >>> [round(float(v), 4) for v in fit.values]
    [2.0, -1.0]
    """
    moving = jnp.ones(start.shape, bool) if free is None else free
    slopes = jax.jacfwd(residuals)

    def step(state: _State) -> _State:
        jacobian = jnp.where(moving, slopes(state.values), 0.0)
        downhill = jacobian.T @ residuals(state.values)
        # What leans against a wall does not take part, or it would hold back all the others.
        leaning = ((state.values <= lower) & (downhill > 0)) | (
            (state.values >= upper) & (downhill < 0)
        )
        jacobian, downhill = jnp.where(leaning, 0.0, jacobian), jnp.where(leaning, 0.0, downhill)
        normal = jacobian.T @ jacobian
        move = _damped_move(normal, downhill, state.damping)
        tried = jnp.clip(state.values - move, lower, upper)
        cost = jnp.sum(residuals(tried) ** 2)
        better = cost < state.cost
        gain = (state.cost - cost) / jnp.maximum(state.cost, 1e-30)
        return _State(
            jnp.where(better, tried, state.values),
            jnp.where(better, cost, state.cost),
            jnp.where(better, state.damping / 5.0, state.damping * state.growth),
            jnp.where(better, 2.0, state.growth * 2.0),
            state.steps + 1,
            (better & (gain < _GAIN_ENOUGH)) | (state.damping > 1e12),
        )

    begun = jnp.clip(start, lower, upper)
    cost = jnp.sum(residuals(begun) ** 2)
    first = _State(
        begun, cost, jnp.asarray(1e-2, cost.dtype), jnp.asarray(2.0, cost.dtype), 0, cost <= 0.0
    )
    last = jax.lax.while_loop(lambda s: ~s.converged & (s.steps < most_steps), step, first)
    found = covariance(jnp.where(moving, slopes(last.values), 0.0), moving)
    return LeastSquares(last.values, found, last.cost, last.steps, last.converged)


def covariance(jacobian: Any, free: Any) -> Any:
    """The inverse of JᵀJ over the free parameters, not a number for the others.

    jacobian : (residual, parameter) of residuals with unit variance; free : (parameter) bool.
    A parameter the residuals do not depend on gets an infinite variance.
    """
    normal = jacobian.T @ jacobian
    scale = jnp.sqrt(jnp.diagonal(normal))
    known = free & (scale > 0)
    safe = jnp.where(known, scale, 1.0)
    both = known[:, None] & known[None, :]
    unit = jnp.where(both, normal / (safe[:, None] * safe[None, :]), jnp.eye(len(safe)))
    inverse = jnp.linalg.inv(unit) / (safe[:, None] * safe[None, :])
    undetermined = jnp.where(jnp.eye(len(safe), dtype=bool), jnp.inf, 0.0)
    found = jnp.where(both, inverse, undetermined)
    return jnp.where(free[:, None] & free[None, :], found, jnp.nan)


def _damped_move(normal: Any, downhill: Any, damping: Any) -> Any:
    """Solve (JᵀJ + λ diag JᵀJ) δ = Jᵀr in parameters scaled to a unit diagonal."""
    diagonal = jnp.diagonal(normal)
    scale = jnp.where(diagonal > 0, jnp.sqrt(diagonal), 1.0)
    unit = normal / (scale[:, None] * scale[None, :])
    held = jnp.where(diagonal > 0, damping, 1.0)
    return jnp.linalg.solve(unit + jnp.diag(held), downhill / scale) / scale
