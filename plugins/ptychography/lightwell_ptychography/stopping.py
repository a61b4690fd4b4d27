"""The rules by which a run ends: nothing is won any more, or it gets worse."""

import math
from collections.abc import Callable, Mapping, Sequence

from lightwell.errors import InputError

__all__ = ["patience"]

PATIENCE = 10
"""Iterations over which progress is measured."""

_WORSE = 2.0
"""How many times its best an error may become before a run counts as diverging."""


def patience(
    tolerance: float, settled: int = 0
) -> Callable[[Mapping[str, Sequence[float]]], str | None]:
    """A rule that ends a run when nothing is won any more, and refuses one that gets worse.

    tolerance : share of the error that has to be won in ten iterations; 0: run to the end.
    settled : first iteration that is done as all later ones are: at least ten such are made.

    >>> even = {"fourier_error": [0.1] * 21}
    >>> patience(0.02)(even)
    'the Fourier error fell by less than 0.02 in 10 iterations'
    >>> patience(0.02, settled=30)(even) is None
    True
    """
    least = max(2 * PATIENCE, settled + PATIENCE)

    def stop(metrics: Mapping[str, Sequence[float]]) -> str | None:
        error = metrics["fourier_error"]
        best = min(error)
        if len(error) > PATIENCE and error[-1] > _WORSE * best and math.isfinite(error[-1]):
            raise InputError(
                f"the iteration diverged: the Fourier error was {best:.4g} after iteration "
                f"{error.index(best)} and is {error[-1]:.4g} after iteration {len(error) - 1}",
                remedy="take smaller steps (--set object_step=0.5), update the probe later "
                "(--set probe_from=5), or check positions, distance and propagation",
            )
        if tolerance <= 0 or len(error) <= least:
            return None
        before, now = min(error[:-PATIENCE]), min(error[-PATIENCE:])
        if before - now < tolerance * before:
            return f"the Fourier error fell by less than {tolerance:.3g} in {PATIENCE} iterations"
        return None

    return stop
