"""OME-Zarr 0.5: a pyramid of ever coarser copies that viewers stream, zarr version 3."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lightwell.exports.placing import complete_output
from lightwell.exports.protocol import Export

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["halved", "write_ome_zarr"]

_VERSION: Final = "0.5"
_AXES: Final = ("z", "y", "x")
_MICROMETRE = 1e-6
_SMALL = 128
"""A level with no longer edge is the last one."""

_CHUNK_VALUES = 2**20
_SLAB_BYTES = 128 * 2**20
"""More than elsewhere: a chunk is as thick as a slab, and thin chunks make poor pyramids."""

_THICKEST_CHUNK = 64
_SMALLEST_EDGE = 64


@dataclass(frozen=True)
class _Level:
    """One copy of the volume: its array, and how many voxels of the first one are one of it."""

    array: Any
    factors: tuple[int, int, int]


def write_ome_zarr(export: Export) -> None:
    """Write the pyramid: every level the mean of 2 x 2 x 2 voxels of the one before."""
    z, y, x = export.volume.shape
    needed = z * y * x * int(export.grey.dtype.itemsize)
    # Compression saves what the coarser levels take, and mostly more; a full disk says the rest.
    with complete_output(export.path, needed=needed // 8) as part:
        import zarr

        root = zarr.create_group(store=str(part), zarr_format=3)
        depth = _depth(export)
        levels = [_Level(_create(root, 0, export.volume.shape, export, depth), (1, 1, 1))]
        for first, slab in export.slabs(depth):
            levels[0].array[first : first + len(slab)] = slab
            del slab
        while max(levels[-1].array.shape) > _SMALL:
            levels.append(_coarser(root, levels[-1], len(levels), export, depth))
            export.tell({"event": "level-written", "level": len(levels) - 1})
        # Last, since only now is known what was clipped.
        root.update_attributes({"ome": _metadata(export, levels), "lightwell": export.facts()})


def _depth(export: Export) -> int:
    """How many slices a chunk is thick: a power of two, so that a slab of them fits in memory."""
    fitting = export.volume.slab_depth(_SLAB_BYTES)
    depth = 1
    while depth * 2 <= min(fitting, _THICKEST_CHUNK):
        depth *= 2
    return depth


def _create(root: Any, number: int, shape: tuple[int, ...], export: Export, depth: int) -> Any:
    from zarr.codecs import BloscCodec

    edge = _SMALLEST_EDGE
    while edge * edge * 4 * depth <= _CHUNK_VALUES:
        edge *= 2
    chunks = tuple(min(*pair) for pair in zip((depth, edge, edge), shape, strict=True))
    return root.create_array(
        str(number),
        shape=shape,
        dtype=export.grey.dtype,
        chunks=chunks,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        dimension_names=list(_AXES),
    )


def _coarser(root: Any, finer: _Level, number: int, export: Export, depth: int) -> _Level:
    """Write the next level, reading the one before a slab at a time."""
    import numpy as np

    old = finer.array.shape
    steps = tuple(2 if length > 1 else 1 for length in old)
    shape = tuple(-(-length // step) for length, step in zip(old, steps, strict=True))
    array = _create(root, number, shape, export, depth)
    for first in range(0, shape[0], depth):
        count = min(depth, shape[0] - first)
        slab = np.empty((count, *shape[1:]), dtype=export.grey.dtype)
        # Half a slab after the other, so that no more of the finer level is held than of it.
        half = max(depth // 2, 1)
        for start in range(0, count, half):
            stop = min(start + half, count)
            source = finer.array[(first + start) * steps[0] : (first + stop) * steps[0]]
            slab[start:stop] = halved(np.asarray(source), steps)
        array[first : first + count] = slab
    factors = [f * s for f, s in zip(finer.factors, steps, strict=True)]
    return _Level(array, (factors[0], factors[1], factors[2]))


def halved(values: "NDArray[Any]", steps: tuple[int, ...]) -> "NDArray[Any]":
    """The means of blocks of `steps` voxels; at the far edge, of those that are there.

    >>> import numpy as np
    >>> halved(np.array([[[1, 3, 8]]], np.uint8), (1, 1, 2))
    array([[[2, 8]]], dtype=uint8)
    """
    import numpy as np

    missing = [-length % step for length, step in zip(values.shape, steps, strict=True)]
    if any(missing):
        values = np.pad(values, [(0, more) for more in missing], mode="edge")
    z, y, x = values.shape
    a, b, c = steps
    # One axis after the other: each pass reads less, and no block of eight is ever copied.
    mean = values.reshape(z // a, a, y, x).mean(axis=1, dtype=np.float32)
    mean = mean.reshape(z // a, y // b, b, x).mean(axis=2)
    mean = mean.reshape(z // a, y // b, x // c, c).mean(axis=3)
    rounded = mean if values.dtype.kind == "f" else np.rint(mean)
    result: NDArray[Any] = rounded.astype(values.dtype)
    return result


def _metadata(export: Export, levels: list[_Level]) -> dict[str, Any]:
    """What NGFF 0.5 asks of an image: axes with units, and for each level scale and place."""
    sizes = [size / _MICROMETRE if size else None for size in export.volume.voxel]
    axes = [
        {"name": name, "type": "space", **({"unit": "micrometer"} if size else {})}
        for name, size in zip(_AXES, sizes, strict=True)
    ]
    edges = [size or 1.0 for size in sizes]
    start = export.volume.origin / _MICROMETRE if sizes[0] else float(export.volume.chosen.start)
    datasets = []
    for number, level in enumerate(levels):
        scale = [edge * factor for edge, factor in zip(edges, level.factors, strict=True)]
        # The middle of a coarse voxel lies between those of the fine ones it is the mean of.
        place = [edge * (f - 1) / 2 for edge, f in zip(edges, level.factors, strict=True)]
        place[0] += start
        changes = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": place},
        ]
        datasets.append({"path": str(number), "coordinateTransformations": changes})
    image = {
        "name": export.volume.title,
        "axes": axes,
        "datasets": datasets,
        "type": "mean",
        "metadata": {
            "method": "mean of 2 x 2 x 2 voxels",
            "description": f"array {export.volume.name} of {export.volume.pid}",
        },
    }
    return {"version": _VERSION, "multiscales": [image]}
