"""RAAR: relaxed averaged alternating reflections, a difference map that is drawn to the overlap.

Source: D. R. Luke, Inverse Problems 21, 37 (2005): ψ' = β/2 (R R' + 1) ψ + (1 - β) P ψ, with the
reflections R at the measured moduli and R' at the overlap, and P the projection on the overlap.
"""

import dataclasses

from lightwell_ptychography.engines.difference_map import (
    DifferenceMapOptions,
    State,
    finish,
    init,
    update,
)

__all__ = ["RAAROptions", "State", "finish", "init", "update"]


@dataclasses.dataclass(frozen=True)
class RAAROptions(DifferenceMapOptions):
    """How RAAR runs: as `DifferenceMapOptions`, relaxed."""

    beta: float = 0.75
