"""How far a model of the patterns is from what was measured, and which way to correct it."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

__all__ = ["Judged", "Likelihood", "judge", "loss"]

Likelihood = Literal["amplitude", "poisson"]

_TINY = 1e-30
# Poisson asks without bound where many photons met a model of none; this keeps one such pixel
# from ruling a whole frame.
_LARGEST_RATIO = 3.0


class Judged(NamedTuple):
    """A chunk of modelled patterns beside the measured ones.

    ratio    : (frame, y, x) float32, what the modelled wave has to be multiplied by, less 1
    residual : (frame,) float32, squared differences of the amplitudes
    power    : (frame,) float32, squared measured amplitudes
    """

    ratio: Array
    residual: Array
    power: Array


def judge(
    modelled: Array, measured: Array, alive: Array, likelihood: Likelihood = "amplitude"
) -> Judged:
    """Compare modelled intensities with measured amplitudes.

    modelled : (frame, y, x) float32, counts
    measured : (frame, y, x) float32, roots of counts
    alive    : (frame, y, x) bool or float32 weights; where 0, the model is right whatever it says

    The amplitude likelihood asks for the measured modulus; Poisson's for half its own gradient,
    which close to the solution is the same step.
    """
    inverse = lax.rsqrt(modelled + _TINY)
    quotient = measured * inverse
    ratio = quotient - 1
    if likelihood == "poisson":
        asked = jnp.minimum(0.5 * (quotient**2 - 1), _LARGEST_RATIO)
    else:
        asked = ratio
    residual = alive * (measured - modelled * inverse) ** 2
    power = alive * measured**2
    return Judged(alive * asked, residual.sum(axis=(-2, -1)), power.sum(axis=(-2, -1)))


def loss(
    modelled: Array, measured: Array, alive: Array, likelihood: Likelihood = "amplitude"
) -> Array:
    """Negative log-likelihood, less what does not depend on the model: a scalar.

    The amplitude one is the sum of squared differences of amplitudes, whose variance is 1/4 for
    every Poisson count that is not small.
    """
    safe = jnp.where(alive > 0, modelled, 1.0) + _TINY
    if likelihood == "poisson":
        return jnp.where(alive > 0, alive * (safe - measured**2 * jnp.log(safe)), 0).sum()
    return jnp.where(alive > 0, alive * (jnp.sqrt(safe) - measured) ** 2, 0).sum()
