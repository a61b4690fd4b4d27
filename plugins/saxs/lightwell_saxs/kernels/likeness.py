"""Whether two curves are alike but for noise, by the longest run of one sign in their difference.

D. Franke, C. M. Jeffries and D. I. Svergun 2015, Nat. Methods 12, 419 (CorMap); the probability of
runs: M. F. Schilling 1990, Coll. Math. J. 21, 196. No errors are needed.
"""

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["longest_run", "run_probability", "suspicious_run"]


def longest_run(difference: Any) -> Any:
    """The largest number of neighbouring points of one sign; gaps are passed over.

    difference : (point)
    """
    place = jnp.arange(difference.shape[0])
    seen = jnp.isfinite(difference)
    latest = jax.lax.cummax(jnp.where(seen, place, 0))
    above = (difference >= 0)[latest]
    counted = jnp.cumsum(seen)
    turns = jnp.concatenate([jnp.zeros(1, bool), above[1:] != above[:-1]])
    before = jax.lax.cummax(jnp.where(turns, counted - 1, 0))
    return jnp.max(counted - before)


def run_probability(points: int, run: int) -> float:
    """How likely a run of that length or longer is among points whose signs are tossed.

    >>> run_probability(3, 2), run_probability(3, 3), run_probability(5, 1)
    (0.75, 0.25, 1.0)
    """
    if run <= 1:
        return 1.0
    if run > points:
        return 0.0
    # A run of either sign among n points is one of heads, a length less, among n - 1 changes.
    short = run - 2
    shares = [1.0]
    for count in range(1, points):
        if count <= short:
            shares.append(1.0)
        else:
            shares.append(sum(shares[count - 1 - j] * 0.5 ** (j + 1) for j in range(short + 1)))
    return max(1.0 - shares[points - 1], 0.0)


def suspicious_run(points: int, significance: float) -> int:
    """The shortest run whose probability is below a significance.

    >>> suspicious_run(474, 0.01)
    16
    """
    run = 2
    while run <= points and run_probability(points, run) >= significance:
        run += 1
    return run
