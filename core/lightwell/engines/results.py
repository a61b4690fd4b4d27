"""The arrays of a result as one file that shows the segments, and refers to them by name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.segments import Segment, SegmentFolder
from lightwell.engines.showing import Shown, segment_rows
from lightwell.engines.spec import Output
from lightwell.errors import ParameterError
from lightwell.model.arrays import ArrayRef

__all__ = ["gather_arrays"]


def gather_arrays(
    output: Output, path: Path, units: Mapping[str, str] | None = None
) -> Mapping[str, ArrayRef]:
    """Write a file of virtual datasets over the segments and say where each array is in it.

    units : of the arrays whose unit is that of the data and not declared, by name.
    The names of segments are relative to the file, so that the folder can be moved as a whole.
    The arrays of a sweep have its values as their first axis.
    Errors: ParameterError where the values of a sweep gave arrays of different sizes.
    """
    from lightwell.hdf5 import writing

    tiles = sorted({point // output.tile for point in output.points})
    held = [SegmentFolder(part.folder).holding(tiles) for part in output.parts()]
    refs: dict[str, ArrayRef] = {}
    with writing(path, replace=True) as file:
        for name, dims in output.product.dims().items():
            _gather(file, name, output, held, path.parent)
            unit = dims.unit if dims.unit is not None else (units or {}).get(name)
            _describe(file[name], name, output, unit)
            shape, dtype = file[name].shape, file[name].dtype
            refs[name] = ArrayRef.hdf5(path.name, f"/{name}", shape, dtype, unit)
        if output.sweep is None:
            _shown(output, path).keep(file)
    return refs


def _shown(output: Output, path: Path) -> Shown:
    dims = output.product.dims()
    cut = {
        name: one.names.index(output.axis) if output.axis in one.names else None
        for name, one in dims.items()
    }
    folder = os.path.relpath(output.folder, path.parent)
    return Shown(output.axis, output.tile, output.points, folder, cut)


def _gather(
    file: Any, name: str, output: Output, held: Sequence[Sequence[Segment]], folder: Path
) -> None:
    """Show one array, or one of every value of a sweep, as one dataset."""
    from lightwell.hdf5 import Hdf5Array, write_virtual, write_virtual_stack

    firsts = [Hdf5Array.find(segments[0].path, name) for segments in held]
    first = firsts[0]
    names = output.product.dims()[name].names
    along = names.index(output.axis) if output.axis in names else None
    _check_sizes(name, output, [array.shape for array in firsts], along)
    shape = list(first.shape)
    flat = len(output.shown(names)) < len(names)
    if along is not None:
        shape[along : along + 1] = [] if flat else [len(output.points)]
    swept = [len(held)] if output.sweep is not None else []
    if 0 in shape:
        file.create_dataset(name, shape=(*swept, *shape), dtype=first.dtype)
    elif not first.shape:
        values = [array.read(()) for array in firsts]
        file.create_dataset(name, data=values if swept else values[0])
    else:
        sources = [_sources(output, segments, name, folder, along) for segments in held]
        if swept:
            whole = (*swept, *shape)
            axis = along or 0
            write_virtual_stack(file, name, whole, first.dtype, sources, axis=axis, flat=flat)
        else:
            write_virtual(file, name, shape, first.dtype, sources[0], axis=along or 0)


def _check_sizes(
    name: str, output: Output, shapes: Sequence[tuple[int, ...]], along: int | None
) -> None:
    """Refuse a sweep whose values give arrays of different sizes; segments may differ in theirs."""
    sizes = {tuple(n for i, n in enumerate(shape) if i != along) for shape in shapes}
    if len(sizes) > 1 and output.sweep is not None:
        raise ParameterError(
            f"'{name}' has another size for every value of {output.sweep.address}, so the sweep "
            "cannot be one result",
            remedy="run the recipe once for each value",
        )


def _describe(dataset: Any, name: str, output: Output, unit: str | None) -> None:
    """Unit, and what the definition of the result asks for, where the array itself stands."""
    if unit is not None:
        dataset.attrs["units"] = unit
    for key, text in output.product.result_attributes.get(name, {}).items():
        dataset.attrs[key] = text


def _sources(
    output: Output, segments: Sequence[Segment], name: str, folder: Path, along: int | None
) -> list[tuple[str, str, int, int]]:
    """Which rows of which segment make up the array, in the order of the points."""
    from lightwell.hdf5 import Hdf5Array

    if along is None:
        whole = Hdf5Array.find(segments[0].path, name).shape[0]
        return [(os.path.relpath(segments[0].path, folder), name, 0, whole)]
    return segment_rows(output.points, output.tile, segments, name, folder)
