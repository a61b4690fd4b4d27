"""How arrays of frames are stored: one frame per chunk, compressed by what readers know."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from lightwell.errors import ParameterError

__all__ = ["COMPRESSIONS", "Compression", "chunks_of", "filters"]

Compression: TypeAlias = Literal["bitshuffle-lz4", "gzip", "none"]

COMPRESSIONS: tuple[str, ...] = get_args(Compression)

# Shorter arrays are not worth a chunk index.
_SMALL_BYTES = 64 * 1024
_CHUNK_BYTES = 2**20


def filters(compression: str) -> Mapping[str, Any]:
    """The options of `create_dataset` for a compression by name.

    bitshuffle-lz4 : fast, needs hdf5plugin to be read, as detectors' own files do;
    gzip : every HDF5 reads it.
    Errors: ParameterError for another name.
    """
    if compression == "none":
        return {}
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if compression == "bitshuffle-lz4":
        import hdf5plugin

        return dict(hdf5plugin.Bitshuffle(cname="lz4"))
    raise ParameterError(
        f"there is no compression '{compression}'", remedy=f"Choose {', '.join(COMPRESSIONS)}"
    )


def chunks_of(shape: Sequence[int], itemsize: int) -> tuple[int, ...] | None:
    """The chunk of an array that is read along its first axis; None for one too small for it.

    >>> chunks_of((1501, 2048, 2560), 2), chunks_of((100000, 64), 8), chunks_of((1501,), 8)
    ((1, 2048, 2560), (2048, 64), None)
    """
    size = itemsize
    for length in shape:
        size *= length
    if not shape or not size or (size <= _SMALL_BYTES and len(shape) < 3):
        return None
    row = size // shape[0]
    count = 1 if len(shape) > 2 else max(1, min(shape[0], _CHUNK_BYTES // row))
    return (count, *shape[1:])
