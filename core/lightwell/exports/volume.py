"""The volume that is taken away: an unread array, its slices, and how large a voxel is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lightwell.datasets import Dataset
from lightwell.errors import InputError, MissingMetadata, ParameterError, UnitError
from lightwell.model import ArrayRef, Data, Entry
from lightwell.stacks import LazyArray, open_array
from lightwell.units import convert

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SLAB_BYTES", "Slices", "Volume", "open_volume"]

Slices: TypeAlias = tuple[int | None, int | None, int | None]
Sizes: TypeAlias = tuple[float | None, float | None, float | None]

SLAB_BYTES: Final = 32 * 2**20
"""What one slab may take in memory; a slice larger than that is a slab of its own."""

_UNEVEN: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Volume:
    """An array (z, y, x) of a dataset, unread, and what is known about it.

    voxel : edges (z, y, x) in m, None where the dataset does not say; origin : place of the first
    slice along z, m; chosen : the slices that are meant, counted in the dataset's array.
    """

    array: LazyArray
    chosen: range
    voxel: Sizes
    unit: str | None
    pid: str
    title: str
    name: str
    definition: str | None = None
    origin: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of slices, rows and columns that are meant."""
        _, height, width = self.array.shape
        return (len(self.chosen), height, width)

    @property
    def slice_bytes(self) -> int:
        """What one slice takes in memory as it is stored."""
        return self.shape[1] * self.shape[2] * int(self.array.dtype.itemsize)

    def slab_depth(self, limit: int = SLAB_BYTES) -> int:
        """How many slices fit into a slab; one at least."""
        return max(1, limit // max(self.slice_bytes, 1))

    def slabs(self, depth: int | None = None) -> Iterator[tuple[int, "NDArray[Any]"]]:
        """Yield the slices that are meant, a slab at a time, with the position of its first.

        Errors: MissingSource, UnreadableFile.
        """
        step = depth or self.slab_depth()
        for first in range(0, len(self.chosen), step):
            part = self.chosen[first : first + step]
            yield first, self.array.read((slice(part.start, part.stop, part.step),))


def open_volume(
    dataset: Dataset, *, array: str | None = None, slices: Slices | None = None
) -> Volume:
    """The volume of a dataset: its signal to plot, or the array at a path of its entry.

    dataset : with its list of files; slices : start, stop and step along the first axis.
    Errors: MissingMetadata where there is none; InputError for what is no stack of images;
    ParameterError for slices that are none.
    """
    name, ref, data = _found(dataset, array)
    if len(ref.shape) != 3 or 0 in ref.shape:
        shape = " x ".join(map(str, ref.shape)) or "no axes"
        raise InputError(
            f"the array {name} of {dataset.pid} ({shape}) is no volume (z, y, x)",
            remedy="Choose another: --array instrument.detector.data",
        )
    lazy = open_array(ref, dataset.manifest)
    if lazy.dtype.kind not in "biuf":
        raise InputError(f"the array {name} of {dataset.pid} holds {lazy.dtype}, not grey values")
    chosen = _chosen(slices, ref.shape[0])
    voxel, start = _voxel(dataset, data, array)
    depth = voxel[0]
    return Volume(
        lazy,
        chosen,
        (None if depth is None else depth * chosen.step, voxel[1], voxel[2]),
        ref.unit,
        dataset.pid,
        dataset.entry.title or dataset.pid,
        name,
        dataset.definition,
        start + (depth or 0.0) * chosen.start,
    )


def _found(dataset: Dataset, path: str | None) -> tuple[str, ArrayRef, Data | None]:
    """The name of the array, where it is, and the group it is plotted in."""
    entry: Entry = dataset.entry
    if path is not None:
        ref = entry.lookup(path)
        if not isinstance(ref, ArrayRef):
            raise MissingMetadata(f"{dataset.pid} has no array at {path}")
        return path, ref, None
    data = entry.data.get(entry.default or "data")
    ref = data.fields.get(data.signal) if data and data.signal else None
    if data is None or ref is None:
        raise MissingMetadata(
            f"{dataset.pid} does not say which of its arrays is the volume",
            remedy="Say it: --array instrument.detector.data",
        )
    return str(data.signal), ref, data


def _chosen(slices: Slices | None, count: int) -> range:
    chosen = range(*slice(*(slices or (None, None, None))).indices(count))
    if not chosen or chosen.step < 1:
        raise ParameterError(
            f"the slices {slices} are none of the {count}", remedy=f"Choose from 0:{count}"
        )
    return chosen


def _voxel(dataset: Dataset, data: Data | None, path: str | None) -> tuple[Sizes, float]:
    """The edges of a voxel and the place of the first slice, m, as far as they are known."""
    if data is None:
        group = dataset.entry.lookup((path or "").rpartition(".")[0])
        known = [getattr(group, f"{axis}_pixel_size", None) for axis in "yx"]
        return (None, known[0], known[1]), 0.0
    steps = [_step(dataset, data, index) for index in range(3)]
    (depth, start), (height, _), (width, _) = steps
    if depth is None and data.fields[data.signal or ""].shape[0] == 1:
        # One slice alone has no neighbour to measure to; it is as thick as its rows are high.
        depth = height
    return (depth, height, width), start or 0.0


def _step(dataset: Dataset, data: Data, index: int) -> tuple[float | None, float | None]:
    """The distance between the points of an axis and its first point, m, if they are lengths."""
    import numpy as np

    name = data.axes[index] if index < len(data.axes) else "."
    ref = data.fields.get(name)
    if ref is None or len(ref.shape) != 1 or not ref.unit:
        return None, None
    try:
        metres = convert(1.0, ref.unit, "m")
    except UnitError:
        return None, None
    values = np.asarray(open_array(ref, dataset.manifest).read(), np.float64) * metres
    if len(values) < 2:
        return None, float(values[0])
    steps = np.diff(values)
    step = float(values[-1] - values[0]) / len(steps)
    even = step > 0 and bool((np.abs(steps - step) <= _UNEVEN * step).all())
    return (step, float(values[0])) if even else (None, None)
