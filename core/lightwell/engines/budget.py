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
    first : what a worker needs with one tile of its own, 0 if not known yet; further : each tile
    more; shared : what all workers have in common, libraries and tables that are mapped;
    expected : the foreseen `first`, until a tile was measured;
    alone : the highest peak of a slab that was one tile, which cannot be made smaller;
    most_tiles : of a slab, since the memory of the machine was short for more.
    """

    memory: int
    most: int
    first: int = 0
    further: int = 0
    shared: int = 0
    expected: int = 0
    alone: int = 0
    most_tiles: int | None = None
    own: Callable[[], int] = own_memory

    @property
    def is_known(self) -> bool:
        """Whether a tile has been measured, or foreseen."""
        return bool(self.first or self.expected)

    def expect(self, first: int, shared: int, further: int) -> None:
        """Plan with what was foreseen, until a tile has shown it."""
        self.expected, self.shared, self.further = first, shared, further

    def learn(self, tiles: int, peak: int, held: int, shared: int = 0) -> None:
        """Take in a finished slab: its tiles, the worker's peak, the bytes a tile is held in.

        shared : of the peak, what other workers have in common with this one.
        """
        self.further = max(self.further, held)
        self.shared = max(self.shared, min(shared, peak - 1))
        self.first = max(self.first, peak - shared - (tiles - 1) * held, 1)
        if tiles == 1:
            self.alone = max(self.alone, peak)

    def workers(self) -> int:
        """How many workers fit, at least one."""
        return max(
            1, min(self.most, self._own_to_each() // (self.first or self.expected or WORKER_GUESS))
        )

    def tiles(self, workers: int, pending: int) -> int:
        """How many tiles the next slab holds, at least one."""
        if not self.is_known:
            return 1
        fair = -(-pending // (workers * SLABS_PER_WORKER))
        share = int(self._own_to_each() * _PLANNED) // workers - (self.first or self.expected)
        # What is read tile by tile takes no more for being many.
        fitting = 1 + max(0, share // self.further) if self.further else fair
        return max(1, min(fitting, fair, self.most_tiles or fair))

    def shrink(self, tiles: int, workers: int) -> bool:
        """Plan for less after slabs of so many tiles on so many workers were too much.

        False if there is nothing to shrink: one tile on one worker. A tile is never cut.
        """
        if tiles <= 1 and workers <= 1:
            return False
        if tiles > 1:
            self.most_tiles = max(1, tiles // 2)
        else:
            self.most_tiles, self.most = 1, max(1, workers // 2)
        return True

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

    def _own_to_each(self) -> int:
        """What is left for what each worker has for itself."""
        return self._left() - self.shared

    def _left(self) -> int:
        return self.memory - self.own()
