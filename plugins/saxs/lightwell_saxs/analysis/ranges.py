"""Which points of a curve take part."""

from typing import Annotated, Any

import numpy as np

from lightwell import Unit
from lightwell.errors import ParameterError

__all__ = ["PerNanometre", "points_between"]

PerNanometre = Annotated[float | None, Unit("1/nm")]


def points_between(q: Any, q_min: float | None, q_max: float | None, *, at_least: int) -> Any:
    """The points (point) bool of q that lie in a range, both ends included.

    Errors: ParameterError where they are fewer than are needed.
    """
    low = -np.inf if q_min is None else q_min
    high = np.inf if q_max is None else q_max
    inside = np.isfinite(q) & (q >= low) & (q <= high)
    if np.count_nonzero(inside & (q > 0)) < at_least:
        raise ParameterError(
            f"{np.count_nonzero(inside)} points lie between q = {low:g} and {high:g} 1/nm, "
            f"{at_least} are needed",
            remedy=f"the curve runs from {np.nanmin(q):.4g} to {np.nanmax(q):.4g} 1/nm",
        )
    return inside
