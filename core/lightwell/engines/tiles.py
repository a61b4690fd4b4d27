"""Tiles: pieces of fixed size at absolute positions, on which all arithmetic happens.

The size of a tile follows from the recipe and the shapes alone. Memory, the number of workers,
kills and resumes decide which tiles are computed when and by whom, never what is computed.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lightwell.engines.blame import blaming
from lightwell.engines.preparing import preparing
from lightwell.engines.reading import Reading
from lightwell.engines.sources import Source, shapes_only
from lightwell.engines.tables import TableCache, on_device
from lightwell.errors import InputError, PluginError
from lightwell.products import Product
from lightwell.steps.calls import call_map

__all__ = [
    "Section",
    "TileRange",
    "Tiles",
    "Work",
    "choose_axis",
    "common_axis",
    "sample_points",
    "tile_length",
]

TILE_BYTES = 4 << 20
LARGEST_TILE = 16

TileRange = tuple[int, int]
"""Tiles from the first, up to but without the last."""


@dataclasses.dataclass(frozen=True)
class Work:
    """One map step with its values and, where it needs one, its second product."""

    step: Any
    values: Mapping[str, Any]
    side: Source | None = None
    position: int = 0
    """The step's position in the recipe; names the folder when the section is stored."""


@dataclasses.dataclass(frozen=True)
class Section:
    """Map steps in a row that share an axis, what they read and how it is cut."""

    source: Source
    works: tuple[Work, ...]
    axis: str
    tile: int
    length: int
    kept: tuple[int, Source] | None = None
    """After how many works an output of theirs was kept, and where: tiles begin from it."""
    guarded: bool = True
    """Whether NaN in its tiles is an error; what goes on to a next step is that step's to judge."""

    @property
    def base(self) -> tuple[int, Source]:
        """What tiles begin from: after how many works, and what is read."""
        return self.kept or (0, self.source)

    @property
    def begun_from(self) -> str:
        """What tiles begin from, in a word: the data, or a step whose output was kept."""
        depth = self.base[0]
        return self.works[depth - 1].step.name if depth else "data"

    @property
    def gives(self) -> type[Product]:
        """The product at the end of the section."""
        return self.works[-1].step.gives if self.works else self.source.product

    @property
    def count(self) -> int:
        """How many tiles there are; the last may be shorter, none is padded."""
        return -(-self.length // self.tile)

    @property
    def reach(self) -> int:
        """How many neighbouring tiles on each side a tile depends on."""
        return sum(1 for work in self.works[self.base[0] :] if work.step.halo.get(self.axis))

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The absolute points a range of tiles covers."""
        return first * self.tile, min(last * self.tile, self.length)

    def neighbourhood(self, tiles: Iterable[int], depth: int) -> list[int]:
        """The tiles whose output after `depth` works the output of these tiles depends on."""
        reach = sum(1 for work in self.works[depth:] if work.step.halo.get(self.axis))
        near = {tile + shift for tile in tiles for shift in range(-reach, reach + 1)}
        return sorted(tile for tile in near if 0 <= tile < self.count)

    @property
    def unit(self) -> int | None:
        """How many tiles are read together without reading anything twice; None for a whole slab.

        A frame in one chunk, of which a tile is a few rows, cannot be read a tile at a time.
        """
        grain = self.base[1].grain(self.axis)
        return None if grain is None or grain >= self.length > self.tile else -(-grain // self.tile)

    def pieces(self, first: int, last: int) -> list[tuple[int, int]]:
        """The points that a slab and its neighbours are read in, piece by piece."""
        first, last = max(first - self.reach, 0), min(last + self.reach, self.count)
        unit = self.unit or last - first
        edges = [first, *range((first // unit + 1) * unit, last, unit), last]
        if self.unit is None:
            edges = [first, last]
        return [self.span(low, high) for low, high in itertools.pairwise(edges)]

    def place(self, tile: int) -> str:
        """The points of a tile in words."""
        start, stop = self.span(tile, tile + 1)
        return f"{self.axis} {start} to {stop - 1}"


def choose_axis(source: Source, works: Sequence[Work]) -> str | None:
    """The axis a section is cut along: shared by all its steps, first in the data, or None."""
    return common_axis(source.product, [work.step for work in works])


def common_axis(product: type[Product], steps: Sequence[Any]) -> str | None:
    """The axis all steps on a product share: one that a step has a wish for, else the first."""
    shared = set.intersection(*(set(step.over) for step in steps)) if steps else set()
    preferred = [axis for step in steps for axis in step.tile if axis in shared]
    ordered = [axis for axis in product.axes() if axis in shared]
    return next(iter([*preferred, *ordered]), None)


def tile_length(source: Source, works: Sequence[Work], axis: str) -> int:
    """The extent of a tile: what a step asks for, else a power of two of about 4 MB, at most 16."""
    halo = max((work.step.halo.get(axis, 0) for work in works), default=0)
    asked = [int(work.step.tile[axis]) for work in works if axis in work.step.tile]
    if asked:
        return max(*asked, halo, 1)
    tile = 1
    # One neighbouring tile has to be enough for a halo.
    while tile < halo:
        tile *= 2
    while tile < LARGEST_TILE and tile * source.bytes_per(axis) < TILE_BYTES:
        tile *= 2
    return tile


def sample_points(length: int, count: int) -> list[int]:
    """Points in the middles of `count` equal parts of an axis, or all of a shorter one.

    >>> sample_points(100, 5)
    [10, 30, 50, 70, 90]
    >>> sample_points(2, 5)
    [0, 1]
    """
    if count >= length:
        return list(range(length))
    return [int((k + 0.5) * length / count) for k in range(count)]


class Tiles:
    """Computes the tiles of one section in one process, each upstream tile at most once a slab."""

    def __init__(self, section: Section, tables: TableCache | None = None) -> None:
        self.section = section
        self._tables = tables or TableCache(None)
        self._plans: dict[int, Any] = {}
        self._sides: dict[int, Product] = {}
        self._recent: dict[tuple[int, int], Product] = {}
        self._whole: dict[str, Any] = {}
        self._reading: Reading | None = None

    @property
    def reading(self) -> Reading | None:
        """The slab that is being read."""
        return self._reading

    def hold(self, first: int, last: int) -> None:
        """Begin to read the data of a slab, with the neighbours its tiles depend on, once."""
        self.release()
        self._reading = Reading(self._read_points, self.section.pieces(first, last))

    def release(self) -> None:
        """Let go of the slab and of the tiles kept for their neighbours."""
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._recent.clear()

    def compute(self, tile: int, depth: int | None = None) -> Product:
        """One tile after the first `depth` steps (all of them by default)."""
        if self._reading is not None and depth is None:
            self._reading.forget((tile - self.section.reach) * self.section.tile)
        depth = len(self.section.works) if depth is None else depth
        key = (depth, tile)
        if key in self._recent:
            return self._recent[key]
        found = self._compute(tile, depth)
        if self._is_shared(depth):
            for other in [k for k in self._recent if k[0] == depth and k[1] < tile - 2]:
                del self._recent[other]
            self._recent[key] = found
        return found

    def _is_shared(self, depth: int) -> bool:
        """Whether the tiles after that many steps serve neighbours too; others are not kept."""
        works = self.section.works
        return 0 < depth < len(works) and bool(works[depth].step.halo.get(self.section.axis))

    def _compute(self, tile: int, depth: int) -> Product:
        if depth == self.section.base[0]:
            return self._read(*self.section.span(tile, tile + 1))
        if depth == 0:
            return self.section.source.read(self.section.axis, *self.section.span(tile, tile + 1))
        work = self.section.works[depth - 1]
        halo = work.step.halo.get(self.section.axis, 0)
        upstream, before, core = self._with_halo(tile, depth - 1, halo)
        start = tile * self.section.tile - before
        length = upstream.lengths()[self.section.axis]
        side = self._side(work, start, start + length)
        with blaming(work.step.name, self.section.place(tile)):
            plan = self._plan(depth, upstream)
            result: Product = call_map(work.step, upstream, side, plan, work.values)
        if depth == self.section.base[0] + 1:
            self._forget_read(tile)
        given = result.lengths()[self.section.axis]
        if given != length:
            raise PluginError(
                f"{work.step.name} got {length} points along '{self.section.axis}', gave {given}",
                remedy="a map step keeps the length of the axes it is declared independent over",
            )
        return cut(result, self.section.axis, before, before + core) if halo else result

    def _forget_read(self, tile: int) -> None:
        """Let go of what a tile was read from, unless neighbours need it too."""
        # The steps to come need the memory more than a piece that nobody reads again.
        if self._reading is not None and not self.section.reach:
            self._reading.forget((tile + 1) * self.section.tile)

    def _with_halo(self, tile: int, depth: int, halo: int) -> tuple[Product, int, int]:
        axis = self.section.axis
        here = self.compute(tile, depth)
        core = here.lengths()[axis]
        if not halo:
            return here, 0, core
        pieces, before = [here], 0
        if tile > 0:
            left = self.compute(tile - 1, depth)
            length = left.lengths()[axis]
            before = min(halo, length)
            pieces.insert(0, cut(left, axis, length - before, length))
        if tile + 1 < self.section.count:
            right = self.compute(tile + 1, depth)
            pieces.append(cut(right, axis, 0, min(halo, right.lengths()[axis])))
        return join(pieces, axis), before, core

    def _read(self, start: int, stop: int) -> Product:
        found = self._reading.find(start, stop) if self._reading is not None else None
        if found is None:
            return self._read_points(start, stop)
        first, product = found
        return cut(product, self.section.axis, start - first, stop - first)

    def _read_points(self, start: int, stop: int) -> Product:
        """A piece of the source; what the axis does not cut is read once for all of them."""
        axis, source = self.section.axis, self.section.base[1]
        product = source.read(axis, start, stop, self._whole)
        dims = product.dims()
        for name, array in product.arrays().items():
            if axis not in dims[name].names:
                self._whole[name] = array
        return product

    def _side(self, work: Work, start: int, stop: int) -> Product | None:
        """The second product: the same piece of it where it has the axis too, else all of it."""
        axis = self.section.axis
        if work.side is None:
            return None
        if axis in work.side.product.axes():
            length = work.side.lengths()[axis]
            if length != self.section.length:
                raise InputError(
                    f"{work.step.name}: '{work.step.side_name}' has {length} points along "
                    f"'{axis}', the data has {self.section.length}",
                    remedy="the two datasets have to be of the same size there",
                )
            return work.side.read(axis, start, stop)
        if id(work) not in self._sides:
            self._sides[id(work)] = work.side.read()
        return self._sides[id(work)]

    def _plan(self, depth: int, upstream: Product) -> Any:
        if depth not in self._plans:
            work = self.section.works[depth - 1]
            axis, length = self.section.axis, self.section.length
            # The whole length, not that of the tile a worker happens to see first.
            like = shapes_only(type(upstream), upstream.arrays(), axis, length)
            with preparing():
                plan = self._tables.get(
                    work.step, like, work.values, lambda: work.step.make_plan(like, work.values)
                )
                with blaming(work.step.name):
                    self._plans[depth] = plan if work.step.host else on_device(plan)
        return self._plans[depth]


def cut(product: Product, axis: str, start: int, stop: int) -> Product:
    """A part of a product along one axis, on the host; arrays without it stay whole."""
    import numpy as np

    dims = product.dims()
    found: dict[str, Any] = {}
    for name, array in product.arrays().items():
        names = dims[name].names
        inside = axis in names
        where = tuple(slice(start, stop) if n == axis else slice(None) for n in names)
        found[name] = np.asarray(array)[where] if inside else array
    return type(product)(**found)


def join(pieces: Iterable[Product], axis: str) -> Product:
    """Parts of a product put together along one axis; arrays without it come from the first."""
    import numpy as np

    parts = list(pieces)
    dims = parts[0].dims()
    found: dict[str, Any] = {}
    for name, array in parts[0].arrays().items():
        names = dims[name].names
        if axis in names:
            arrays = [np.asarray(getattr(part, name)) for part in parts]
            found[name] = np.concatenate(arrays, axis=names.index(axis))
        else:
            found[name] = array
    return type(parts[0])(**found)
