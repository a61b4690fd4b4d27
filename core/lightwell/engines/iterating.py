"""What an iteration is given to work on, what it needs, and whether that fits the memory budget."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from lightwell.engines.budget import own_memory
from lightwell.engines.sources import Source, on_demand
from lightwell.engines.tiles import Section, tile_length
from lightwell.errors import InputError
from lightwell.steps.calls import jitted_iteration, jitted_tile, strong_types
from lightwell.steps.states import register_states

__all__ = ["By", "IterationWork", "Needs", "foresee_iteration"]

By = Literal["shapes", "program"]

_WORKER = 300 << 20
"""A worker with JAX in it, before it has data (measured)."""

_TILES = 4
"""Read ahead, held, on the device, and what the update of one works in."""


_DRAWING = 200 << 20
"""What the first picture takes for good: libraries, compiled programs (measured)."""

_COPIES = 13
"""Of a product: computed, copied, sent, received, waiting for the next drawing, and eight times it
in the wider numbers that pictures are made with (measured)."""


@dataclasses.dataclass(frozen=True)
class Needs:
    """What an iteration takes beside the data it is given, in bytes.

    state : what is carried on and stored; working : what one call needs beside it, the next
    state included; unknown : why nothing could be told; gives : shape and type of the arrays of
    its product, none where `finish` cannot be told from shapes.
    """

    state: int = 0
    working: int = 0
    unknown: str | None = None
    gives: Mapping[str, tuple[tuple[int, ...], str]] = dataclasses.field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """All of it."""
        return self.state + self.working

    @property
    def product(self) -> int:
        """The bytes of its product."""
        import numpy as np

        return sum(
            math.prod(shape) * np.dtype(kind).itemsize for shape, kind in self.gives.values()
        )


@dataclasses.dataclass(frozen=True)
class IterationWork:
    """An iterate step and its data; tiles of it, where the step takes them so."""

    step: Any
    data: int
    section: Section | None

    @classmethod
    def of(cls, step: Any, values: Mapping[str, Any], source: Source) -> "IterationWork":
        """Cut the data of a step as it wants them."""
        data = sum(source.nbytes(name) for name in source.arrays)
        if step.over is None:
            return cls(step, data, None)
        length = source.lengths()[step.over]
        if length == 0:
            raise InputError(
                f"there is no data along '{step.over}': its length is 0",
                remedy="look at the entry with `lightwell show PID`",
            )
        tile = step.tile_length(values, length) or tile_length(source, (), step.over)
        return cls(step, data, Section(source, (), step.over, tile, length))

    @property
    def tile(self) -> int | None:
        """Points of a tile along the axis; None where all data are taken at once."""
        return None if self.section is None else self.section.tile

    @property
    def least(self) -> int:
        """The bytes of data that have to be in memory at once."""
        if self.section is None:
            return self.data
        axis = self.section.axis
        return int(_TILES * self.section.tile * self.section.source.bytes_per(axis))

    def check(self, needs: Needs, memory: int) -> None:
        """Refuse what cannot fit.

        Errors: InputError saying how much is needed.
        """
        needed = self.least + needs.nbytes
        if needed <= memory:
            return
        what = "all its data" if self.section is None else f"{self.section.tile} frames at once"
        if self.section is not None and self.section.axis != "frame":
            what = f"{self.section.tile} points of '{self.section.axis}' at once"
        raise InputError(
            f"{self.step.name} needs {needed / 1e9:.2f} GB: {self.least / 1e9:.2f} GB for {what}, "
            f"{needs.nbytes / 1e9:.2f} GB for what it carries from iteration to iteration; the "
            f"memory budget is {memory / 1e9:.2f} GB",
            remedy="give a larger --memory, reduce the data first, or use a recipe that takes "
            "them piece by piece",
        )

    def fits_whole(self, needs: Needs, memory: int) -> bool:
        """Whether the tiles may stay in memory, in place of being read in every iteration."""
        return own_memory() + _WORKER + self.data + self.least + needs.nbytes <= memory

    def may_be_shown(self, needs: Needs, memory: int) -> bool:
        """Whether pictures may be drawn of it while it runs.

        They may where its product is known from shapes alone, and what drawing takes (thirteen
        times the product, in the worker and in the job's own process) fits into what the iteration
        leaves of the budget. An iteration never gets less for the sake of its pictures.
        """
        drawing = _DRAWING + _COPIES * needs.product
        return bool(needs.gives) and self.peak(needs, memory, _WORKER) + drawing <= memory

    def peak(self, needs: Needs, memory: int, worker: int) -> int:
        """The foreseen peak of all processes, for a worker that takes so much at rest."""
        whole = self.section is None or self.fits_whole(needs, memory)
        data = self.data if whole else 0
        least = 0 if self.section is None else self.least
        return own_memory() + worker + data + least + needs.nbytes


def foresee_iteration(
    step: Any, values: Mapping[str, Any], source: Source, tile: int | None, by: By
) -> Needs:
    """What an iteration takes, from shapes and its compiled program; nothing is computed.

    tile : points of a tile, for a step that takes the data so; by : its shapes alone, or its
    program, which takes as long to compile as it will when it runs.
    """
    try:
        return _foreseen(step, values, source, tile, by)
    except Exception as error:  # no more than a guess is lost; the run will tell
        return Needs(
            unknown=f"what {step.name} needs is known when it runs ({type(error).__name__})"
        )


def _foreseen(
    step: Any, values: Mapping[str, Any], source: Source, tile: int | None, by: By
) -> Needs:
    import jax

    register_states()
    known = on_demand(source)
    iteration = step.function(known, **values)
    arrays = _shapes(source, step.over, tile)
    if step.over is None:
        state = jax.eval_shape(lambda *a: strong_types(iteration.init(step.takes(*a))), *arrays)
        call, numbers = jitted_iteration(iteration.update, step.takes), 1
    else:
        start = iteration.start or _same
        state = jax.eval_shape(lambda: strong_types(start(iteration.init(known))))
        call, numbers = jitted_tile(iteration.update, step.takes), 2
    size = _nbytes(state)
    gives = _given(iteration.finish, state)
    if by == "shapes":
        return Needs(size, size, gives=gives)
    analysis = call.lower(state, arrays, *(0,) * numbers).compile().memory_analysis()
    # A tile's new state takes the memory of the old one.
    following = size if step.over is None else 0
    return Needs(size, int(analysis.temp_size_in_bytes) + following, gives=gives)


def _given(finish: Any, state: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shapes and types of what an iteration gives; nothing where shapes do not tell them."""
    import jax
    import numpy as np

    try:
        found = jax.eval_shape(lambda one: dict(finish(one).arrays()), state)
        kinds = {name: np.dtype(array.dtype) for name, array in found.items()}
    except Exception:  # a finish may work on the host; then nobody looks at it before the end
        return {}
    return {name: (tuple(found[name].shape), str(kind)) for name, kind in kinds.items()}


def _shapes(source: Source, axis: str | None, tile: int | None) -> tuple[Any, ...]:
    """The arrays of a tile, or of all data, as a compiled function is told of them."""
    import jax

    dims = source.product.dims()
    found = []
    for name, array in source.arrays.items():
        pairs = zip(dims[name].names, array.shape, strict=True)
        shape = tuple(min(tile or n, n) if axis == one else n for one, n in pairs)
        kind = jax.dtypes.canonicalize_dtype(array.dtype)
        found.append(jax.ShapeDtypeStruct(shape, kind))
    return tuple(found)


def _nbytes(state: Any) -> int:
    import jax

    leaves = jax.tree_util.tree_leaves(state)
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def _same(state: Any) -> Any:
    return state
