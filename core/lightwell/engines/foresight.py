"""Foresight: what a tile will need, from shapes and compiled programs, before one is computed."""

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from lightwell.engines.sources import ShapeOnly, Source, shapes_only
from lightwell.engines.tables import TableCache
from lightwell.engines.tiles import Section, Work
from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.recipes import AUTO
from lightwell.steps.calls import compiled_map

__all__ = ["Abstract", "Foresight", "foresee", "foreseen_source"]


RUNTIME = 64 << 20
"""What loading and running compiled programs takes beside their arrays (measured)."""


@dataclasses.dataclass(frozen=True)
class Abstract:
    """An array that does not exist yet: shape and type are known, nothing can be read."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def grain(self) -> tuple[int, ...]:
        """How many points along each axis are read together."""
        return (1,) * len(self.shape)

    def read(self, selection: tuple[Any, ...] = ()) -> Any:
        """Refuse: there is nothing to read."""
        raise LightwellError("an array that is only planned cannot be read")


@dataclasses.dataclass(frozen=True)
class Foresight:
    """What one tile of a section takes, in bytes.

    source, output : as read and as written; working : the largest that a step needs beside the
    tile that is read ahead and the one that is written behind; tables : of the steps' plans, once
    for all workers; steps : by name, what was found of each; gives : the arrays of the product
    for the whole axis; unknown : the step from which nothing could be told, if there is one;
    held : how many tiles of the source are there beside what a step works on.
    """

    source: int
    output: int
    working: int
    tables: int
    steps: Mapping[str, Mapping[str, int]]
    gives: Mapping[str, tuple[tuple[int, ...], str]]
    unknown: str | None = None
    held: int = 2

    @property
    def private(self) -> int:
        """What a worker needs for itself, beside what it needs before it has done anything."""
        return self.held * self.source + self.working + self.output + RUNTIME


def foreseen_source(
    product: type[Product], gives: Mapping[str, tuple[tuple[int, ...], str]]
) -> Source:
    """A product that does not exist yet, of arrays of known shape and type."""
    import numpy as np

    arrays = {name: Abstract(shape, np.dtype(kind)) for name, (shape, kind) in gives.items()}
    return Source(product, arrays)


class _Chain:
    """Steps applied to shapes, one after the other."""

    def __init__(self, section: Section, tables: TableCache) -> None:
        self.section, self._tables = section, tables
        depth, source = section.base
        self.works = section.works[depth:]
        self.points = min(section.tile, section.length)
        self._known = _untiled(source, section.axis)
        self.now = shapes_only(source.product, source.arrays, None)
        self.now = self._of_length(self.now, self.points)
        self.source = _size(self.now)
        self.working, self.tables = 0, 0
        self.steps: dict[str, dict[str, int]] = {}
        self.unknown: str | None = None

    def run(self) -> Foresight:
        for work in self.works:
            try:
                self._advance(work)
            except Exception as error:  # no more than a guess is lost; the tile will tell
                self.unknown = f"{work.step.name} ({type(error).__name__})"
                break
        whole = self._of_length(self.now, self.section.length)
        gives = {n: (tuple(a.shape), str(a.dtype)) for n, a in whole.arrays().items()}
        output = _size(self.now)
        facts = (self.source, output, self.working, self.tables)
        # What is read ahead; what neighbours need is not let go of before the tile is done.
        held = 2 if self.section.reach else 1
        return Foresight(*facts, self.steps, gives, self.unknown, held)

    def _advance(self, work: Work) -> None:
        halo = work.step.halo.get(self.section.axis, 0)
        before = self.now
        if halo:
            longer = min(self.points + 2 * halo, self.section.length)
            before = self._of_length(self.now, longer)
        after, found = self._host(work, before) if work.step.host else self._compiled(work, before)
        self.steps[work.step.name] = found
        self.working = max(self.working, sum(found.values()) - found["tables"])
        # The same tables may be made for several steps; each has its own.
        self.tables += found["tables"]
        self.now = self._of_length(after, self.points)

    def _host(self, work: Work, before: Product) -> tuple[Product, dict[str, int]]:
        """A step on NumPy arrays cannot be looked into: axes keep their lengths, it declares."""
        lengths = before.lengths()
        known = before.arrays()
        arrays = {}
        for name, dims in work.step.gives.dims().items():
            kind = known[name].dtype if name in known else _float32()
            arrays[name] = ShapeOnly(tuple(lengths[axis] for axis in dims.names), kind)
        after = work.step.gives(**arrays)
        workspace = int(work.step.workspace * _size(before))
        tables = _nbytes(self._plan(work, before))
        found = {"input": _size(before), "output": _size(after), "workspace": workspace}
        return after, {**found, "tables": tables}

    def _compiled(self, work: Work, before: Product) -> tuple[Product, dict[str, int]]:
        plan = self._plan(work, before)
        side = None
        if work.side is not None:
            side = self._of_length(shapes_only(work.side.product, work.side.arrays), self.points)
        values = {
            name: _stand_ins(before)[0] if value == AUTO else value
            for name, value in work.values.items()
        }
        shapes = _traced(before)
        function, arguments = compiled_map(
            work.step, shapes, None if side is None else _traced(side), plan, values
        )
        lowered = function.lower(*arguments)
        results = lowered.out_info
        after = work.step.gives(
            **{
                name: ShapeOnly(tuple(result.shape), result.dtype)
                for name, result in zip(work.step.gives.dims(), results, strict=True)
            }
        )
        analysis = lowered.compile().memory_analysis()
        found = {
            "input": _size(before) + (_size(side) if side is not None else 0),
            "output": int(analysis.output_size_in_bytes),
            "workspace": int(analysis.temp_size_in_bytes),
            "tables": _nbytes(plan),
        }
        return after, found

    def _plan(self, work: Work, before: Product) -> Any:
        if work.step.plan is None:
            return None
        arrays = {
            name: self._known[name]
            if name in self._known and self._known[name].shape == array.shape
            else array
            for name, array in before.arrays().items()
        }
        like = shapes_only(type(before), arrays, self.section.axis, self.section.length)
        missing = [name for name, value in work.values.items() if value == AUTO]
        for number in _stand_ins(before):
            values = {**work.values, **dict.fromkeys(missing, number)}
            try:
                make = partial(work.step.make_plan, like, values)
                return self._tables.get(work.step, like, values, make)
            except ValueError:
                # A value outside of what makes sense; the sizes do not depend on it.
                if not missing:
                    raise
        raise LightwellError(f"no tables of {work.step.name} can be made for any value")

    def _of_length(self, product: Product, length: int) -> Product:
        axis, dims = self.section.axis, product.dims()
        arrays = {}
        for name, array in product.arrays().items():
            lengths = zip(dims[name].names, array.shape, strict=True)
            shape = tuple(length if n == axis else size for n, size in lengths)
            arrays[name] = ShapeOnly(shape, array.dtype)
        return type(product)(**arrays)


def foresee(section: Section, tables: TableCache) -> Foresight:
    """What a tile of the section will take: shapes, compiled programs, tables; nothing is computed.

    A parameter that is still to be found gets a value from the middle of the data, since sizes
    do not depend on it.
    """
    return _Chain(section, tables).run()


def _untiled(source: Source, axis: str) -> dict[str, Any]:
    """The arrays the axis does not cut, read: tables are made from them."""
    dims = source.product.dims()
    return {
        name: array.read(tuple(slice(None) for _ in array.shape))
        for name, array in source.arrays.items()
        if axis not in dims[name].names and not isinstance(array, Abstract)
    }


def _stand_ins(product: Product) -> tuple[float, ...]:
    """Values a parameter might have: the middle of the last axis of the largest array, 1, 0."""
    largest = max(product.arrays().values(), key=lambda array: math.prod(array.shape))
    width = largest.shape[-1] if largest.shape else 1
    return ((width - 1) / 2, 1.0, 0.0)


def _traced(product: Product) -> Product:
    import jax

    arrays = {
        name: jax.ShapeDtypeStruct(array.shape, jax.dtypes.canonicalize_dtype(array.dtype))
        for name, array in product.arrays().items()
    }
    return type(product)(**arrays)


def _size(product: Product) -> int:
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in product.arrays().values())


def _nbytes(plan: Any) -> int:
    import jax

    return sum(int(getattr(leaf, "nbytes", 0)) for leaf in jax.tree_util.tree_leaves(plan))


def _float32() -> Any:
    import numpy as np

    return np.dtype(np.float32)
