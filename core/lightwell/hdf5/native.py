"""The C functions inside hdf5plugin's filters, called without HDF5 and so without its lock."""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["function"]

_POINTER = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_LONG = ctypes.c_int64
_INT = ctypes.c_int

# name: (filter of hdf5plugin that holds it, result, arguments), as the libraries' headers say.
_SIGNATURES: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "bshuf_decompress_lz4": ("bshuf", _LONG, (_POINTER, _POINTER, _SIZE, _SIZE, _SIZE)),
    "bshuf_compress_lz4": ("bshuf", _LONG, (_POINTER, _POINTER, _SIZE, _SIZE, _SIZE)),
    "bshuf_compress_lz4_bound": ("bshuf", _SIZE, (_SIZE, _SIZE, _SIZE)),
    "bshuf_default_block_size": ("bshuf", _SIZE, (_SIZE,)),
    "blosc2_unshuffle": ("blosc2", _INT, (_INT, _INT, _POINTER, _POINTER)),
    "blosc_cbuffer_sizes": ("blosc", None, (_POINTER, _POINTER, _POINTER, _POINTER)),
    "blosc_cbuffer_validate": ("blosc", _INT, (_POINTER, _SIZE, _POINTER)),
    "blosc_decompress_ctx": ("blosc", _INT, (_POINTER, _POINTER, _SIZE, _INT)),
}


@functools.cache
def function(name: str) -> Callable[..., int] | None:
    """Return a C function that runs without Python's lock; None where this build hides it."""
    filter_name, result, arguments = _SIGNATURES[name]
    library = _library(filter_name)
    try:
        found: Any = getattr(library, name)
    except AttributeError:
        return None
    found.restype, found.argtypes = result, arguments
    if name == "blosc2_unshuffle":
        # It picks its instructions by what the processor has, once somebody asked it to look.
        library.blosc2_init()
    return found  # type: ignore[no-any-return]


@functools.cache
def _library(filter_name: str) -> Any:
    import hdf5plugin

    path = hdf5plugin.get_config().registered_filters.get(filter_name)
    # A filter that somebody else registered before is not a file we know.
    if not isinstance(path, str) or not Path(path).is_file():
        return None
    try:
        return ctypes.CDLL(path)
    except OSError:
        return None
