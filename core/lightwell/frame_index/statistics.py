"""Statistics of the frames themselves: each frame's pixels, and those of each of its tiles."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lightwell.errors import ParameterError, UnreadableFile
from lightwell.hdf5 import map_array, open_file, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["STATISTICS", "Tiles", "compute_statistics", "tiles_path"]

STATISTICS: Final = ("frame_min", "frame_max", "frame_mean", "frame_std")
"""The channels made from pixels; a pixel that is not finite counts in none."""

_GRID: Final = 16
_SLAB_BYTES: Final = 32 << 20
_FORMAT: Final = "lightwell tiles 1"


@dataclass(frozen=True)
class Tiles:
    """The smallest and largest pixel of every tile; low, high : (frame, row, column) of tiles.

    shape : of a frame; size : of a tile, the last ones may be smaller. A tile without a finite
    pixel has low above high.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    low: "NDArray[Any]"
    high: "NDArray[Any]"

    @classmethod
    def open(cls, path: Path) -> "Tiles":
        """Map a file of tiles; raises `UnreadableFile`."""
        try:
            with open_file(path) as file:
                if file.attrs.get("format") != _FORMAT:
                    raise UnreadableFile("these are no tiles of frames", where=str(path))
                shape, size = (tuple(map(int, file.attrs[name])) for name in ("shape", "size"))
                low, high = (map_array(file[name], path) for name in ("low", "high"))
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            raise UnreadableFile(f"the tiles are damaged ({error})", where=str(path)) from error
        return cls((shape[0], shape[1]), (size[0], size[1]), low, high)

    def bounds(self, region: tuple[slice, slice]) -> "tuple[NDArray[Any], ...]":
        """Return what the smallest and the largest pixel of a region lie between, per frame.

        Four arrays : (frame) least and most the smallest can be, least and most the largest can.
        """
        axes = zip(region, self.shape, self.size, strict=True)
        inner, outer = zip(*(self._cut(*axis) for axis in axes), strict=True)
        low, high = self.low[:, *outer].min((1, 2)), self.high[:, *outer].max((1, 2))
        if any(cut.stop <= cut.start for cut in inner):
            return low, high, low.copy(), high.copy()
        surely_low = self.low[:, *inner].min((1, 2))
        surely_high = self.high[:, *inner].max((1, 2))
        # Without a finite pixel in the whole tiles, the others may still hold any.
        empty = surely_low > surely_high
        most_low = np.where(empty, high, surely_low)
        least_high = np.where(empty, low, surely_high)
        return low, most_low, least_high, high

    def _cut(self, part: slice, length: int, size: int) -> tuple[slice, slice]:
        """Return the tiles that lie inside a part of an axis as a whole, and all it touches."""
        first, stop = part.start, part.stop
        # The last tile ends where the axis does.
        end = -(-length // size) if stop == length else stop // size
        return slice(-(-first // size), end), slice(first // size, -(-stop // size))


def tiles_path(folder: Path, pid: str) -> Path:
    """Return where the tiles of a dataset stand."""
    return folder / "tiles" / f"{pid}.h5"


def compute_statistics(stack: "LazyArray", path: Path) -> "dict[str, NDArray[Any]]":
    """Read every pixel once; write the tiles of a stack to `path`, return channels of its frames.

    stack : (frame, y, x), or (frame, x) for a detector of one row. A few dozen megabytes are held
    at a time. Raises `ParameterError` for another shape, and what reading raises.
    """
    if len(stack.shape) not in (2, 3):
        raise ParameterError(
            f"frames of a stack of shape {stack.shape} have no statistics",
            remedy="They are made for stacks of images",
        )
    shape = (stack.shape[1] if len(stack.shape) == 3 else 1, stack.shape[-1])
    size = tuple(max(1, math.ceil(length / _GRID)) for length in shape)
    found: dict[str, NDArray[Any]] = {name: np.full(stack.shape[0], np.nan) for name in STATISTICS}
    tiles = tuple(math.ceil(n / s) for n, s in zip(shape, size, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = stack.dtype if stack.dtype.kind in "iuf" else np.dtype("f8")
    with writing(path, replace=True) as file:
        file.attrs.update({"format": _FORMAT, "shape": shape, "size": size})
        low, high = (
            file.create_dataset(name, (stack.shape[0], *tiles), kind) for name in ("low", "high")
        )
        for cut, pixels in _slabs(stack, shape):
            low[cut], high[cut] = _of_tiles(pixels.astype(kind, copy=False), size)
            _of_frames(pixels, cut, found)
    if kind.kind in "iu":
        found |= {name: found[name].astype(kind) for name in ("frame_min", "frame_max")}
    return found


def _slabs(stack: "LazyArray", shape: tuple[int, int]) -> "Iterator[tuple[slice, NDArray[Any]]]":
    size = max(1, shape[0] * shape[1] * stack.dtype.itemsize)
    count = max(1, _SLAB_BYTES // size)
    for start in range(0, stack.shape[0], count):
        cut = slice(start, min(start + count, stack.shape[0]))
        yield cut, stack.read((cut,)).reshape(-1, *shape)


def _of_tiles(pixels: "NDArray[Any]", size: tuple[int, ...]) -> "tuple[NDArray[Any], NDArray[Any]]":
    rows, columns = (np.arange(0, n, s) for n, s in zip(pixels.shape[1:], size, strict=True))
    smallest = largest = pixels
    if pixels.dtype.kind == "f":
        finite = np.isfinite(pixels)
        if not finite.all():
            smallest = np.where(finite, pixels, pixels.dtype.type(np.inf))
            largest = np.where(finite, pixels, pixels.dtype.type(-np.inf))
    low = np.minimum.reduceat(np.minimum.reduceat(smallest, rows, axis=1), columns, axis=2)
    high = np.maximum.reduceat(np.maximum.reduceat(largest, rows, axis=1), columns, axis=2)
    return low, high


def _of_frames(pixels: "NDArray[Any]", cut: slice, found: "dict[str, NDArray[Any]]") -> None:
    for place, frame in enumerate(pixels, cut.start):
        values = frame.astype("f8").reshape(-1)
        values = values[np.isfinite(values)]
        if values.size:
            found["frame_min"][place], found["frame_max"][place] = values.min(), values.max()
            found["frame_mean"][place], found["frame_std"][place] = values.mean(), values.std()
