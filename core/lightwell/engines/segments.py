"""Segments: closed, fsynced files of finished tiles, named by the absolute tiles they hold."""

import dataclasses
import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.engines.tiles import TileRange, join
from lightwell.errors import DamagedResult
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.hdf5 import Hdf5Array

__all__ = [
    "Segment",
    "SegmentFolder",
    "product_digest",
    "segment_array",
    "tile_digest",
    "write_segment",
]

_NAME = re.compile(r"seg_(\d+)-(\d+)\.h5$")
_DEPTH = 8
_EDGE = 128


@dataclasses.dataclass(frozen=True)
class Segment:
    """One closed file and the tiles it holds."""

    path: Path
    first: int
    last: int


class SegmentFolder:
    """The folder a section writes its segments to, and finds those of an earlier try in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the folder and remove what an interrupted write left half done."""
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob("*.part"):
            leftover.unlink()

    def segments(self) -> list[Segment]:
        """The finished segments, in the order of their tiles."""
        found = []
        for path in self.path.glob("seg_*.h5"):
            if match := _NAME.search(path.name):
                found.append(Segment(path, int(match[1]), int(match[2])))
        return sorted(found, key=lambda s: s.first)

    def missing(self, wanted: Iterable[int]) -> list[int]:
        """The tiles of `wanted` that no segment holds yet."""
        done = {tile for s in self.segments() for tile in range(s.first, s.last)}
        return [tile for tile in wanted if tile not in done]

    def holding(self, wanted: Sequence[int]) -> list[Segment]:
        """The segments that hold the wanted tiles.

        Errors: DamagedResult where a tile is in none of them.
        """
        if gone := self.missing(wanted):
            raise DamagedResult(
                f"tile {gone[0]} of the result is missing",
                where=str(self.path),
                remedy="run `lightwell replay` on the result to compute it again",
            )
        needed = set(wanted)
        return [s for s in self.segments() if needed & set(range(s.first, s.last))]


def write_segment(
    folder: Path, tiles: TileRange, parts: Sequence[Product], axis: str
) -> tuple[Path, int]:
    """Write finished tiles to one file that appears only when it is complete.

    Returns the file and how many bytes of arrays it holds.
    """
    import numpy as np

    from lightwell.hdf5 import writing

    path = folder / f"seg_{tiles[0]:06d}-{tiles[1]:06d}.h5"
    whole = join(parts, axis)
    dims = whole.dims()
    written = 0
    with writing(path, replace=True) as file:
        for name, array in whole.arrays().items():
            host = np.ascontiguousarray(np.asarray(array))
            chunks = _chunks(host.shape, dims[name].names, axis)
            file.create_dataset(name, data=host, chunks=chunks)
            written += host.nbytes
        digests = b"".join(bytes.fromhex(tile_digest(part, axis)) for part in parts)
        file.create_dataset("tile_digests", data=np.frombuffer(digests, np.uint8).reshape(-1, 32))
    return path, written


def _chunks(shape: tuple[int, ...], names: tuple[str, ...], axis: str) -> tuple[int, ...] | None:
    if len(shape) < 2 or math.prod(shape) == 0:  # noqa: PLR2004
        return None
    edges = [_DEPTH if name == axis else _EDGE for name in names]
    return tuple(min(edge, length) for edge, length in zip(edges, shape, strict=True))


def tile_digest(part: Product, axis: str) -> str:
    """The sha-256 of a tile's numbers: the arrays cut by the tiled axis, in C order."""
    import numpy as np

    digest = hashlib.sha256()
    dims = part.dims()
    for name, array in part.arrays().items():
        if axis in dims[name].names:
            host = np.ascontiguousarray(np.asarray(array))
            digest.update(f"{name}:{host.dtype.str}:{host.shape}".encode())
            digest.update(host.data)
    return digest.hexdigest()


def product_digest(tile_digests: Iterable[str], whole: Mapping[str, Any]) -> str:
    """The sha-256 of a result: its tiles in order, then the arrays no tile cuts."""
    import numpy as np

    digest = hashlib.sha256()
    for text in tile_digests:
        digest.update(text.encode())
    for name in sorted(whole):
        host = np.ascontiguousarray(np.asarray(whole[name]))
        digest.update(f"{name}:{host.dtype.str}:{host.shape}".encode())
        digest.update(host.tobytes())
    return digest.hexdigest()


def segment_array(segment: Segment, name: str) -> "Hdf5Array":
    """One array of a segment, to be read when it is asked for."""
    from lightwell.hdf5 import Hdf5Array

    return Hdf5Array.find(os.fspath(segment.path), name)
