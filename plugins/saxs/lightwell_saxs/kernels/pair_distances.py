"""Distribution of distances p(r) in a particle, by inversion regularised by smoothness.

I(q) = 4π ∫ p(r) sin(qr)/(qr) dr from 0 to D (O. Glatter 1977, J. Appl. Cryst. 10, 415). Among all
strengths of the smoothness and all largest distances D, those with the largest Bayesian evidence
are taken (S. Hansen 2000, J. Appl. Cryst. 33, 1415), with a Gaussian prior on second differences
and p(0) = p(D) = 0, for which evidence and errors are exact.

p(r) nears 0 at D so gently that data hardly tell D: Rg and I(0) are averaged over all D by their
evidence, and the spread among them is in their sigmas.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["PairDistances", "invert"]

_BESIDE = np.linspace(-1.0, 1.0, 21)
"""Distances between the neighbours of the best candidate, in steps of the candidates."""


class PairDistances(NamedTuple):
    """One row per curve.

    r, p, p_sigma : (curve, point) nm and unit of I per nm; largest, largest_sigma : (curve) the
    most probable D in nm and its spread, 0 where D was given; rg, i0 : (curve), with sigmas;
    chi_squared : reduced; evidence : (curve), its logarithm; strength : (curve) of the smoothness;
    good_parameters : (curve), how many the data determine.
    """

    r: Any
    p: Any
    p_sigma: Any
    largest: Any
    largest_sigma: Any
    rg: Any
    rg_sigma: Any
    i0: Any
    i0_sigma: Any
    chi_squared: Any
    evidence: Any
    strength: Any
    good_parameters: Any


def invert(
    q: Any, curves: Any, sigma: Any, largest: Any, *, points: int = 64, strengths: int = 41
) -> PairDistances:
    """Invert every curve, in double precision.

    q : (point) 1/nm; curves, sigma : (curve, point), gaps do not count; largest : (curve,
    candidate) nm, distances that are tried at even steps, then those between.
    """
    with jax.enable_x64(True):  # noqa: FBT003  (the signature is jax's)
        data = [np.asarray(one, np.float64) for one in (q, curves, sigma, largest)]
        found = _invert_all(points, strengths, *data)
        return PairDistances(*(np.asarray(one) for one in found))


@partial(jax.jit, static_argnums=(0, 1))
def _invert_all(
    points: int, strengths: int, q: Any, curves: Any, sigma: Any, largest: Any
) -> PairDistances:
    def one(data: tuple[Any, Any, Any]) -> PairDistances:
        curve, error, distances = data
        known = jnp.isfinite(curve) & jnp.isfinite(error) & (error > 0)
        weight = jnp.where(known, 1.0 / jnp.where(known, error, 1.0), 0.0)
        target = weight * jnp.where(known, curve, 0.0)
        invert_at: Any = jax.vmap(lambda d: _at_distance(points, strengths, q, target, weight, d))
        tried = invert_at(distances)
        if len(distances) == 1:
            return PairDistances(*(values[0] for values in tried))
        best = distances[_most_probable(tried)]
        return _averaged(invert_at(best + (distances[1] - distances[0]) * _BESIDE))

    found: PairDistances = jax.lax.map(one, (curves, sigma, largest))
    return found


def _most_probable(tried: PairDistances) -> Any:
    return jnp.argmax(jnp.where(jnp.isfinite(tried.evidence), tried.evidence, -jnp.inf))


def _averaged(tried: PairDistances) -> PairDistances:
    """The most probable p(r), with values and sigmas that every D has its share in."""
    best = _most_probable(tried)
    known = jnp.where(jnp.isfinite(tried.evidence), tried.evidence, -jnp.inf)
    share = jax.nn.softmax(known)

    def mean(values: Any, sigma: Any) -> tuple[Any, Any]:
        values, sigma = (jnp.where(share > 0, one, 0.0) for one in (values, sigma))
        middle = jnp.sum(share * values)
        return middle, jnp.sqrt(jnp.sum(share * (sigma**2 + (values - middle) ** 2)))

    rg, rg_sigma = mean(tried.rg, tried.rg_sigma)
    i0, i0_sigma = mean(tried.i0, tried.i0_sigma)
    _, spread = mean(tried.largest, jnp.zeros_like(tried.largest))
    likely = PairDistances(*(values[best] for values in tried))
    return likely._replace(rg=rg, rg_sigma=rg_sigma, i0=i0, i0_sigma=i0_sigma, largest_sigma=spread)


def _at_distance(
    points: int, strengths: int, q: Any, target: Any, weight: Any, distance: Any
) -> PairDistances:
    """The most probable p(r) with a largest distance."""
    r = distance * jnp.arange(1, points + 1) / (points + 1)
    width = distance / (points + 1)
    kernel = 4.0 * jnp.pi * width * jnp.sinc(q[:, None] * r / jnp.pi)
    design = weight[:, None] * kernel
    # Second differences at 0 and D too, beyond which p is 0: without them a D too small, where p
    # ends at a slope, would be as smooth as the true one, where it ends without.
    rough = (
        jnp.zeros((points + 2, points))
        .at[1:-1]
        .set(2.0 * jnp.eye(points) - jnp.eye(points, k=1) - jnp.eye(points, k=-1))
    )
    rough = rough.at[0, 0].set(-1.0).at[-1, -1].set(-1.0)
    # In the coordinates s = L p the prior is the unit matrix times the strength.
    smooth = jnp.linalg.inv(jnp.linalg.cholesky(rough.T @ rough).T)
    seen = design @ smooth
    values, vectors = jnp.linalg.eigh(seen.T @ seen)
    values = jnp.maximum(values, 0.0)
    projected = vectors.T @ (seen.T @ target)
    total = jnp.sum(target**2)
    top = jnp.max(values)
    grid = top * 10.0 ** jnp.linspace(-14.0, 0.0, strengths)

    def evidence(strength: Any) -> Any:
        misfit = total - jnp.sum(projected**2 / (values + strength))
        return -0.5 * misfit + 0.5 * jnp.sum(jnp.log(strength) - jnp.log(values + strength))

    found = jax.vmap(evidence)(grid)
    strength = grid[jnp.argmax(found)]
    inner = projected / (values + strength)
    back = smooth @ vectors
    p = back @ inner
    spread = back / jnp.sqrt(values + strength)
    residual = target - design @ p
    count = jnp.sum(weight > 0)
    effective = jnp.sum(values / (values + strength))
    zeroth = 4.0 * jnp.pi * width * jnp.ones(points)
    second = zeroth * r**2 / 2.0
    i0, moment = zeroth @ p, second @ p
    rg = jnp.sqrt(jnp.maximum(moment / i0, 0.0))
    # d(Rg²) = (d moment - Rg² d I0) / I0
    slope = (second - rg**2 * zeroth) / i0 / jnp.maximum(2.0 * rg, 1e-300)
    return PairDistances(
        r=r,
        p=p,
        p_sigma=jnp.sqrt(jnp.sum(spread**2, axis=1)),
        largest=distance,
        largest_sigma=jnp.zeros_like(distance),
        rg=rg,
        rg_sigma=jnp.sqrt(jnp.sum((slope @ spread) ** 2)),
        i0=i0,
        i0_sigma=jnp.sqrt(jnp.sum((zeroth @ spread) ** 2)),
        chi_squared=jnp.sum(residual**2) / jnp.maximum(count - effective, 1.0),
        evidence=jnp.max(found),
        strength=strength,
        good_parameters=effective,
    )
