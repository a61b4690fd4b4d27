"""The arrays of a result as one file that shows the segments, and refers to them by name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.segments import Segment, SegmentFolder
from lightwell.engines.spec import Output
from lightwell.model.arrays import ArrayRef

__all__ = ["gather_arrays"]


def gather_arrays(output: Output, path: Path) -> Mapping[str, ArrayRef]:
    """Write a file of virtual datasets over the segments and say where each array is in it.

    The names of segments are relative to the file, so that the folder can be moved as a whole.
    """
    from lightwell.hdf5 import Hdf5Array, write_virtual, writing

    tiles = sorted({point // output.tile for point in output.points})
    segments = SegmentFolder(output.folder).holding(tiles)
    refs: dict[str, ArrayRef] = {}
    with writing(path, replace=True) as file:
        for name, dims in output.product.dims().items():
            first = Hdf5Array.find(segments[0].path, name)
            along = dims.names.index(output.axis) if output.axis in dims.names else None
            shape = list(first.shape)
            if along is None:
                relative = os.path.relpath(segments[0].path, path.parent)
                whole = first.shape[0] if first.shape else 1
                sources = [(relative, name, 0, whole)]
            else:
                shape[along] = len(output.points)
                sources = _sources(output, segments, name, path.parent)
            if 0 in shape:
                file.create_dataset(name, shape=tuple(shape), dtype=first.dtype)
            elif first.shape:
                write_virtual(file, name, shape, first.dtype, sources, axis=along or 0)
            else:
                file.create_dataset(name, data=first.read(()))
            _describe(file[name], name, output)
            refs[name] = ArrayRef.hdf5(path.name, f"/{name}", tuple(shape), first.dtype, dims.unit)
    return refs


def _describe(dataset: Any, name: str, output: Output) -> None:
    """Unit, and what the definition of the result asks for, where the array itself stands."""
    dims = output.product.dims()[name]
    if dims.unit is not None:
        dataset.attrs["units"] = dims.unit
    for key, text in output.product.result_attributes.get(name, {}).items():
        dataset.attrs[key] = text


def _sources(
    output: Output, segments: Sequence[Segment], name: str, folder: Path
) -> list[tuple[str, str, int, int]]:
    """Which rows of which segment make up the array, in the order of the points."""
    found: list[Any] = []
    for point in output.points:
        segment = next(s for s in segments if s.first <= point // output.tile < s.last)
        row = point - segment.first * output.tile
        relative = os.path.relpath(segment.path, folder)
        if found and found[-1][0] == relative and found[-1][3] == row:
            found[-1] = (relative, name, found[-1][2], row + 1)
        else:
            found.append((relative, name, row, row + 1))
    return found
