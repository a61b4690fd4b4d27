"""Questions about a part of the detector: tiles decide where they can, pixels where they cannot."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from lightwell.catalog.query import Query
from lightwell.errors import ParameterError
from lightwell.frame_index.predicates import compile_query, values_of
from lightwell.frame_index.selections import FrameRuns
from lightwell.frame_index.statistics import STATISTICS, Tiles
from lightwell.frame_index.tables import Column, Records, Schema
from lightwell.frame_index.zones import ZoneMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["Region", "parse_region", "select_in_region"]

Region: TypeAlias = tuple[slice, slice]

_PART: Final = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*")
_ASKED: Final = ("frame_min", "frame_max")


def parse_region(text: str) -> Region:
    """Return the rows and columns that "100:200,300:400" stands for.

    >>> parse_region("100:200, :64")
    (slice(100, 200, None), slice(0, 64, None))

    Raises `ParameterError`.
    """
    found = [_PART.fullmatch(word) for word in text.split(",")]
    cuts = [slice(int(m[1] or 0), int(m[2]) if m[2] else None) for m in found if m]
    if len(found) != 2 or len(cuts) != 2:
        raise ParameterError(
            f"{text!r} is no region", remedy="Write rows and columns, e.g. 100:200,300:400"
        )
    return cuts[0], cuts[1]


def select_in_region(
    query: Query, region: Region, records: Records, tiles: Tiles, stack: "LazyArray"
) -> tuple[FrameRuns, int]:
    """Return the frames a query is true of, frame_min and frame_max being those of a region.

    Also how many frames had to be read, since their tiles do not decide. Raises `ParameterError`
    for a region outside the frames, or a question about their mean.
    """
    others = set(values_of(query)) & set(STATISTICS) - set(_ASKED)
    if others:
        raise ParameterError(
            f"{min(others)} is known of whole frames only",
            remedy="Ask for frame_min and frame_max in a region",
        )
    cut = _inside(region, tiles.shape)
    columns = {s.name: _exactly(s, v) for s, v in records.values.items() if s.name not in _ASKED}
    bounds = tiles.bounds(cut)
    found = compile_query(query, {**columns, **_between(bounds)}).judge(len(records))
    doubtful = np.flatnonzero(found.may & ~found.must)
    for frame in doubtful:
        pixels = stack.read((slice(int(frame), int(frame) + 1),)).reshape(tiles.shape)[cut]
        pixels = pixels[np.isfinite(pixels)]
        ends = (pixels.min(), pixels.max()) if pixels.size else (bounds[3][frame], bounds[0][frame])
        for place, value in enumerate((ends[0], ends[0], ends[1], ends[1])):
            bounds[place][frame] = value
    if doubtful.size:
        found = compile_query(query, {**columns, **_between(bounds)}).judge(len(records))
    return FrameRuns.from_frames(np.flatnonzero(found.must), len(records)), len(doubtful)


def _inside(region: Region, shape: tuple[int, int]) -> Region:
    cuts = []
    for part, length, axis in zip(region, shape, ("rows", "columns"), strict=True):
        first, stop = part.start or 0, length if part.stop is None else part.stop
        if not 0 <= first < stop <= length:
            raise ParameterError(
                f"the region takes the {axis} {first}:{stop} of frames that have {length}",
                remedy=f"Take {axis} inside 0:{length}",
            )
        cuts.append(slice(first, stop))
    return cuts[0], cuts[1]


def _exactly(schema: Schema, values: "NDArray[Any]") -> Column:
    """Return a column with a block for every frame, in which that frame's value stands."""
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    low, high = values.copy(), values.copy()
    if missing.any():
        low[missing], high[missing] = np.inf, -np.inf
    return _column(schema, low, high, missing)


def _between(bounds: "tuple[NDArray[Any], ...]") -> Mapping[str, Column]:
    """Return frame_min and frame_max as columns of one block per frame, known within bounds."""
    found = {}
    empty = bounds[0] > bounds[3]
    for name, low, high in zip(_ASKED, bounds[0::2], bounds[1::2], strict=True):
        kind = "f8" if low.dtype.kind == "f" or low.dtype.itemsize < 8 else "i8"
        least, most = low.astype(kind), high.astype(kind)
        if kind == "f8":
            least[empty], most[empty] = np.inf, -np.inf
        found[name] = _column(Schema(name, "", kind), least, most, empty)
    return found


def _column(schema: Schema, low: Any, high: Any, missing: Any) -> Column:
    bins = np.full(len(low), 0xFFFF, "u2")
    zones = ZoneMap(low, high, missing.astype("i4"), bins)
    return Column(schema, low[:, None], zones, np.empty((0, 16), "u4"))
