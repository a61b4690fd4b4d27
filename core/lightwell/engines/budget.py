"""The memory budget of a section: how many workers, and how many tiles each may hold.

Nothing is known before the first tile: it is computed alone, and its worker's peak is the measure
for the others. First the number of workers shrinks, then the slab; the tile never does.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from lightwell.errors import ParameterError

__all__ = ["Budget", "own_memory"]

WORKER_GUESS = 450 << 20
"""What a worker needs before the first tile has shown it: interpreter, JAX, compiled code."""

SLABS_PER_WORKER = 4
"""A section is shared out in at least so many slabs a worker, so that a kill loses little."""

_PLANNED = 0.9
"""The part of the budget that slabs are planned for; the rest is for what nobody foresees."""


def own_memory() -> int:
    """The resident size of this process, in bytes."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        import resource
        import sys

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass
class Budget:
    """What the slabs so far have shown, and what follows from it.

    memory : of this process and all workers, in bytes; most : workers that were asked for;
    first : what a worker needs with one tile, 0 if not known yet; further : each tile more;
    alone : the highest peak of a slab that was one tile, which cannot be made smaller.
    """

    memory: int
    most: int
    first: int = 0
    further: int = 0
    alone: int = 0
    own: Callable[[], int] = own_memory

    @property
    def is_known(self) -> bool:
        """Whether a tile has been measured."""
        return self.first > 0

    def learn(self, tiles: int, peak: int, held: int) -> None:
        """Take in a finished slab: its tiles, the worker's peak, the bytes a tile is held in."""
        self.further = max(self.further, held)
        self.first = max(self.first, peak - (tiles - 1) * held, 1)
        if tiles == 1:
            self.alone = max(self.alone, peak)

    def workers(self) -> int:
        """How many workers fit, at least one."""
        return max(1, min(self.most, self._left() // (self.first or WORKER_GUESS)))

    def tiles(self, workers: int, pending: int) -> int:
        """How many tiles the next slab holds, at least one."""
        if not self.is_known:
            return 1
        share = int(self._left() * _PLANNED) // workers - self.first
        fitting = 1 + max(0, share // max(self.further, 1))
        fair = -(-pending // (workers * SLABS_PER_WORKER))
        return max(1, min(fitting, fair))

    def check(self) -> None:
        """Refuse to go on where not even one tile fits.

        Errors: ParameterError saying how much is needed.
        """
        if self.alone > self._left():
            needed = (self.own() + self.alone) / 1e9
            raise ParameterError(
                f"one tile needs {needed:.2f} GB in all, "
                f"the memory budget is {self.memory / 1e9:.2f} GB",
                remedy=f"give at least --memory {needed * 1.05 + 0.05:.1f}GB; "
                "what was computed is kept",
            )

    def _left(self) -> int:
        return self.memory - self.own()
