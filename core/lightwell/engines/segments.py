"""Segments: closed, fsynced files of finished tiles, named by the absolute tiles they hold."""

import dataclasses
import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lightwell.engines.tiles import TileRange
from lightwell.errors import DamagedResult, InputError
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.hdf5 import Hdf5Array

__all__ = [
    "Segment",
    "SegmentFolder",
    "SegmentWriter",
    "is_damaged",
    "on_host",
    "product_digest",
    "segment_array",
    "tile_digest",
    "write_segment",
]

_NAME = re.compile(r"seg_(\d+)-(\d+)\.h5$")
_DEPTH = 8
_EDGE = 128
_TILES = "tile_digests"
_UNCUT = "uncut_digest"


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
        named = [(path, _NAME.search(path.name)) for path in self.path.glob("seg_*.h5")]
        found = [Segment(path, int(match[1]), int(match[2])) for path, match in named if match]
        # What is merged into a larger one may still be there.
        kept: list[Segment] = []
        for segment in sorted(found, key=lambda one: (one.first, -one.last)):
            if not kept or segment.last > kept[-1].last:
                kept.append(segment)
        return kept

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


class SegmentWriter:
    """One segment under way: tiles come in their order, the file appears when all are in it.

    length : the points along the axis that all tiles together have.
    """

    def __init__(self, folder: Path, tiles: TileRange, axis: str, length: int) -> None:
        self.path = folder / f"seg_{tiles[0]:06d}-{tiles[1]:06d}.h5"
        self.written = 0
        self._axis, self._length = axis, length
        self._digests: list[str] = []
        self._rest = ""
        self._at = 0
        self._stack = ExitStack()
        self._file: Any = None

    def __enter__(self) -> Self:
        from lightwell.hdf5 import writing

        self._file = self._stack.enter_context(writing(self.path, replace=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._close()
        self._stack.__exit__(kind, error, trace)

    def add(self, part: Product) -> None:
        """Write the next tile and take its digest."""
        from lightwell.hdf5 import write_chunks

        if not self._digests:
            self._create(part)
        stop = self._at + part.lengths().get(self._axis, self._length)
        dims = part.dims()
        for name, array in part.arrays().items():
            if self._axis in dims[name].names and array.size:
                corner = [self._at if n == self._axis else 0 for n in dims[name].names]
                write_chunks(self._file[name], array, corner)
                self.written += array.nbytes
        self._at = stop
        self._digests.append(tile_digest(part, self._axis))

    def _create(self, part: Product) -> None:
        """Make the datasets as the first tile has them; what no tile cuts is written at once."""
        import numpy as np

        from lightwell.hdf5 import create_compressed, write_compressed

        dims = part.dims()
        depth = _depth(part.lengths().get(self._axis, 1))
        for name, array in part.arrays().items():
            names = dims[name].names
            if self._axis not in names:
                host = np.asarray(array, order="C")
                write_compressed(self._file, name, host, self._chunks(host.shape, names, depth))
                self.written += host.nbytes
                continue
            lengths = zip(names, array.shape, strict=True)
            shape = tuple(self._length if n == self._axis else length for n, length in lengths)
            chunks = self._chunks(shape, names, depth)
            create_compressed(self._file, name, shape, array.dtype, chunks)
        self._rest = product_digest([], _uncut(part, self._axis))

    def _chunks(
        self, shape: tuple[int, ...], names: tuple[str, ...], depth: int
    ) -> tuple[int, ...] | None:
        return _chunks(shape, names, self._axis, depth)

    def _close(self) -> None:
        import numpy as np

        digests = np.frombuffer(bytes.fromhex("".join(self._digests)), np.uint8)
        self._file.create_dataset(_TILES, data=digests.reshape(-1, 32))
        self._file.create_dataset(_UNCUT, data=np.frombuffer(bytes.fromhex(self._rest), np.uint8))


def write_segment(
    folder: Path, tiles: TileRange, parts: Sequence[Product], axis: str
) -> tuple[Path, int]:
    """Write finished tiles to one file that appears only when it is complete.

    Returns the file and how many bytes of arrays it holds.
    """
    length = sum(part.lengths().get(axis, 1) for part in parts)
    with SegmentWriter(folder, tiles, axis, length) as writer:
        for part in parts:
            writer.add(on_host(part))
    return writer.path, writer.written


def on_host(product: Product) -> Product:
    """The product with its arrays where NumPy finds them."""
    import numpy as np

    return type(product)(**{n: np.asarray(a, order="C") for n, a in product.arrays().items()})


def _depth(tile: int) -> int:
    """The depth of a chunk: it divides the tile, so that no chunk crosses into another segment."""
    return next(depth for depth in range(max(min(tile, _DEPTH), 1), 0, -1) if tile % depth == 0)


def _chunks(
    shape: tuple[int, ...], names: tuple[str, ...], axis: str, depth: int
) -> tuple[int, ...] | None:
    if len(shape) < 2 or math.prod(shape) == 0:
        return None
    edges = [depth if name == axis else _EDGE for name in names]
    return tuple(min(edge, length) for edge, length in zip(edges, shape, strict=True))


def _uncut(product: Product, axis: str) -> dict[str, Any]:
    """The arrays of a product that an axis does not cut."""
    dims = product.dims()
    return {name: a for name, a in product.arrays().items() if axis not in dims[name].names}


def is_damaged(segment: Segment, product: type[Product], axis: str, tile: int) -> bool:
    """Whether a segment cannot be read, or its numbers are not those that were written.

    It is read tile by tile, so that it costs no more memory than computing it did.
    """
    names = product.dims()
    try:
        arrays = {name: segment_array(segment, name) for name in names}
        digests = [row.tobytes().hex() for row in segment_array(segment, _TILES).read()]
        rest = segment_array(segment, _UNCUT).read().tobytes().hex()
        if len(digests) != segment.last - segment.first:
            return True
        for number, digest in enumerate(digests):
            cut = slice(number * tile, (number + 1) * tile)
            part = {
                name: array.read(
                    tuple(cut if n == axis else slice(None) for n in names[name].names)
                )
                for name, array in arrays.items()
            }
            whole = product(**part)
            if tile_digest(whole, axis) != digest:
                return True
            if number == 0 and product_digest([], _uncut(whole, axis)) != rest:
                return True
    except (InputError, OSError):
        return True
    return False


def tile_digest(part: Product, axis: str) -> str:
    """The sha-256 of a tile's numbers: the arrays cut by the tiled axis, in C order."""
    digest = hashlib.sha256()
    dims = part.dims()
    for name, array in part.arrays().items():
        if axis in dims[name].names:
            _update(digest, name, array)
    return digest.hexdigest()


def product_digest(
    tile_digests: Iterable[str], whole: Mapping[str, Any], chosen: Sequence[int] = ()
) -> str:
    """The sha-256 of a result: its tiles in order, then the arrays no tile cuts.

    chosen : the points of a selection; it tells two selections from the same tiles apart.
    """
    digest = hashlib.sha256()
    for text in tile_digests:
        digest.update(text.encode())
    if chosen:
        digest.update(f"points:{','.join(map(str, chosen))}".encode())
    for name in sorted(whole):
        _update(digest, name, whole[name])
    return digest.hexdigest()


def _update(digest: Any, name: str, array: Any) -> None:
    import numpy as np

    host = np.asarray(array, order="C")
    digest.update(f"{name}:{host.dtype.str}:{host.shape}".encode())
    # An empty array has no buffer that can be handed over.
    digest.update(host.data if host.size else b"")


def segment_array(segment: Segment, name: str) -> "Hdf5Array":
    """One array of a segment, to be read when it is asked for."""
    from lightwell.hdf5 import Hdf5Array

    return Hdf5Array.find(os.fspath(segment.path), name)
