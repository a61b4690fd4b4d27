"""Decoding and encoding the bytes of one chunk, in any thread and into memory that is there.

A codec never trusts the bytes: it writes no more than the chunk holds, reads no more than what is
stored (and a guard of zeros behind it), and says ValueError for anything else.
"""

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lightwell.hdf5.native import function

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]

__all__ = ["Codec", "Filter", "bitshuffle_bound", "codec_for", "encode_bitshuffle_lz4"]

DEFLATE, SHUFFLE, BLOSC, BITSHUFFLE = 1, 2, 32001, 32008
_LZ4 = 2
# Big-endian: bytes of the decoded chunk, bytes of a block (bitshuffle's own HDF5 format).
_HEADER = struct.Struct(">QI")
# The block that bitshuffle takes where nobody says is an eighth of this.
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of an HDF5 dataset: its registered number and its parameters."""

    code: int
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Codec:
    """How the bytes of a chunk become its numbers.

    decode : (stored, count, out), of which `stored` has room for `guard` bytes behind its `count`;
    most : how many times larger than what is stored a chunk can be at all, 0 for no limit.
    """

    name: str
    decode: "Callable[[Bytes, int, Bytes], None]"
    guard: int = 0
    most: int = 0


def codec_for(filters: Sequence[Filter], itemsize: int, chunk_bytes: int) -> Codec | None:
    """Return the codec of a chain of filters, or None where only HDF5 can undo it."""
    codes = tuple(one.code for one in filters)
    if not codes:
        return Codec("none", _copied)
    if codes == (BITSHUFFLE,):
        return _bitshuffle(filters[0], chunk_bytes)
    if codes == (BLOSC,) and function("blosc_decompress_ctx") is not None:
        return Codec("blosc", _blosc)
    if codes == (DEFLATE,):
        return Codec("deflate", _inflate, most=1100)
    if codes == (SHUFFLE, DEFLATE):
        width = filters[0].values[0] if filters[0].values else itemsize
        if width < 1 or chunk_bytes % width:
            return None
        return Codec("shuffle-deflate", _shuffled_deflate(width), most=1100)
    if codes == (SHUFFLE,) and filters[0].values and chunk_bytes % filters[0].values[0] == 0:
        return Codec("shuffle", _shuffled(filters[0].values[0]))
    return None


def _copied(stored: "Bytes", count: int, out: "Bytes") -> None:
    if count != out.size:
        raise ValueError(f"{count} bytes are stored, {out.size} are needed")
    out[:] = stored[:count]


def _inflate(stored: "Bytes", count: int, out: "Bytes") -> None:
    """Undo deflate; no more than the chunk is ever written."""
    out[:] = _inflated(stored, count, out.size)


def _inflated(stored: "Bytes", count: int, size: int) -> "Bytes":
    import deflate

    try:
        plain = deflate.zlib_decompress(stored[:count].data, size)
    except deflate.DeflateError as error:
        raise ValueError(f"the compressed stream does not hold {size} bytes ({error})") from error
    if len(plain) != size:
        raise ValueError(f"the compressed stream holds {len(plain)} bytes, {size} are needed")
    return np.frombuffer(plain, np.uint8)


def _shuffled_deflate(width: int) -> "Callable[[Bytes, int, Bytes], None]":
    """Undo HDF5's byte shuffle after deflate."""

    def decode(stored: "Bytes", count: int, out: "Bytes") -> None:
        _unshuffle(_inflated(stored, count, out.size), width, out)

    return decode


def _shuffled(width: int) -> "Callable[[Bytes, int, Bytes], None]":
    """Undo HDF5's byte shuffle alone."""

    def decode(stored: "Bytes", count: int, out: "Bytes") -> None:
        if count != out.size:
            raise ValueError(f"{count} bytes are stored, {out.size} are needed")
        _unshuffle(stored[:count], width, out)

    return decode


def _unshuffle(plain: "Bytes", width: int, out: "Bytes") -> None:
    """Put the bytes of each number together again; `width` divides their count."""
    native = function("blosc2_unshuffle")
    if native is not None and width < 256:
        native(width, plain.size, plain.ctypes.data, out.ctypes.data)
        return
    length = plain.size // width
    for byte in range(width):
        out[byte::width] = plain[byte * length : (byte + 1) * length]


def _bitshuffle(one: Filter, chunk_bytes: int) -> Codec | None:
    """Return the codec of bitshuffle with LZ4; None for its other compressors."""
    native = function("bshuf_decompress_lz4")
    if native is None or len(one.values) < 5 or one.values[4] != _LZ4:
        return None
    width = one.values[2]
    if width < 1 or chunk_bytes % width:
        return None
    # A block of all numbers is the largest there can be.
    largest = -(-chunk_bytes // (8 * width)) * 8 * width + _BLOCK

    def decode(stored: "Bytes", count: int, out: "Bytes") -> None:
        if count < _HEADER.size:
            raise ValueError(f"only {count} bytes are stored")
        size, block = _HEADER.unpack_from(stored.data)
        if size != out.size:
            raise ValueError(f"it says that it holds {size} bytes, {out.size} are needed")
        # 0 stands for the default, as LIMA writes it.
        block = block or _default_block(width)
        if block % (8 * width) or not 0 < block <= largest:
            raise ValueError(f"it says that its blocks have {block} bytes")
        # The library trusts the lengths of blocks. Behind one that lies there are zeros, at which
        # LZ4 ends before it has read twice what a block holds.
        stored[count : count + 2 * block + 64] = 0
        start = stored.ctypes.data + _HEADER.size
        used = native(start, out.ctypes.data, out.size // width, width, block // width)
        if not 0 <= used <= count - _HEADER.size:
            raise ValueError("the compressed blocks are damaged")

    return Codec("bitshuffle-lz4", decode, guard=2 * largest + 64, most=260)


def _default_block(width: int) -> int:
    """The bytes of a block of numbers of a width where nobody says."""
    default = function("bshuf_default_block_size")
    return default(width) * width if default is not None else 0


def bitshuffle_bound(count: int, width: int) -> int | None:
    """The most bytes that `encode_bitshuffle_lz4` writes; None where this build cannot encode."""
    bound, default = function("bshuf_compress_lz4_bound"), function("bshuf_default_block_size")
    if bound is None or default is None or function("bshuf_compress_lz4") is None:
        return None
    return int(bound(count, width, default(width))) + _HEADER.size


def encode_bitshuffle_lz4(chunk: "NDArray[Any]", out: "Bytes") -> int:
    """Write a C-ordered chunk as filter 32008 stores it; return how many bytes it takes.

    out : (bytes), at least `bitshuffle_bound` of the chunk.
    Errors: RuntimeError where hdf5plugin's build hides its functions.
    """
    compress, default = function("bshuf_compress_lz4"), function("bshuf_default_block_size")
    if compress is None or default is None:
        raise RuntimeError("this build of hdf5plugin exports no functions")
    width = chunk.itemsize
    block = default(width)
    _HEADER.pack_into(out.data, 0, chunk.nbytes, block * width)
    done = compress(chunk.ctypes.data, out.ctypes.data + _HEADER.size, chunk.size, width, block)
    if done < 0:
        raise ValueError(f"bitshuffle refuses the chunk (code {done})")
    return int(done) + _HEADER.size


def _blosc(stored: "Bytes", count: int, out: "Bytes") -> None:
    sizes, validate = function("blosc_cbuffer_sizes"), function("blosc_cbuffer_validate")
    decompress = function("blosc_decompress_ctx")
    if sizes is None or validate is None or decompress is None or count < 16:
        raise ValueError(f"only {count} bytes are stored")
    plain, packed, block = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_size_t()
    address = stored.ctypes.data
    sizes(address, *(ctypes.addressof(one) for one in (plain, packed, block)))
    if plain.value != out.size or packed.value > count:
        raise ValueError(f"it says that it holds {plain.value} bytes, {out.size} are needed")
    if validate(address, count, ctypes.addressof(plain)) < 0:
        raise ValueError("its Blosc header is damaged")
    if decompress(address, out.ctypes.data, out.size, 1) != out.size:
        raise ValueError("the compressed blocks are damaged")
