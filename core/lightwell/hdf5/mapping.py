"""Arrays of a file as mapped memory: read by whoever touches them, without HDF5 in between."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lightwell.errors import UnreadableFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["map_array"]


def map_array(dataset: Any, path: str | os.PathLike[str]) -> "NDArray[Any]":
    """Return the array of an open HDF5 dataset as read-only mapped memory of its file.

    It stays readable after the file is closed, replaced or removed. The dataset must lie in one
    piece, neither chunked nor compressed; raises UnreadableFile if it does not, or reaches beyond
    the end of the file.
    """
    if not dataset.size:
        return np.empty(dataset.shape, dataset.dtype)
    offset = dataset.id.get_offset()
    end = 0 if offset is None else offset + dataset.size * dataset.dtype.itemsize
    if offset is None or dataset.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        raise UnreadableFile(f"{dataset.name} does not lie in one piece", where=str(path))
    if end > Path(path).stat().st_size:
        raise UnreadableFile(f"{dataset.name} reaches beyond the end of the file", where=str(path))
    mapped = np.memmap(path, dataset.dtype, mode="r", offset=offset, shape=dataset.shape)
    return np.asarray(mapped)
