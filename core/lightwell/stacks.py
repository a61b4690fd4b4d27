"""Arrays that lie in files, as one lazy array that reads only what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from lightwell.computed import Constant, Even
from lightwell.errors import MissingSource, ParameterError, UnreadableFile
from lightwell.model.arrays import ArrayRef, ConstantPart, EvenPart, FilePart, SeriesPart

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lightwell.files import File
    from lightwell.hdf5 import ArrayLayout, Hdf5Array
    from lightwell.manifests import Manifest

    Selection: TypeAlias = tuple[slice | npt.NDArray[np.integer[Any]], ...]

__all__ = [
    "ArrayInMemory",
    "LazyArray",
    "frame_numbers",
    "layouts_of",
    "open_array",
    "read_into",
    "take",
]


@runtime_checkable
class LazyArray(Protocol):
    """An array somewhere else: shape and type are known, values are read on demand.

    It is picklable, so that a worker process can read its own part. A selection holds one slice
    (positive step) per axis, missing ones meaning everything; the first axis may also be
    selected by an array of indices in any order.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def read(self, selection: Selection = ()) -> npt.NDArray[Any]:
        """Return the selected values; raises `MissingSource` or `UnreadableFile`."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayInMemory:
    """An array that is here already, where a lazy one is expected."""

    values: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def grain(self) -> tuple[int, ...]:
        """How many points along each axis are read together."""
        return (1,) * self.values.ndim

    def read(self, selection: Selection = ()) -> npt.NDArray[Any]:
        """Return the selected values, a copy where the selection is not a plain slice."""
        return self.values[selection]


def read_into(
    lazy: LazyArray,
    selection: Selection,
    out: npt.NDArray[Any],
    threads: int | None = None,
) -> None:
    """Read a selection of a lazy array into an array that is there, by so many threads.

    out : of the shape that `read` would return, and best of the array's type;
    threads : as many as the process has cores where nobody says.
    Errors: as for `read`.
    """
    direct = getattr(lazy, "read_into", None)
    if direct is None:
        out[...] = lazy.read(selection)
    else:
        direct(selection, out, threads)


def layouts_of(lazy: LazyArray) -> list[tuple[int, ArrayLayout]]:
    """How the HDF5 datasets behind a lazy array are stored, each with its members of it.

    Frames in files of their own are represented by the first; nothing for other formats.
    """
    found = getattr(lazy, "layouts", None)
    if found is not None:
        return list(found())
    layout = getattr(lazy, "layout", None)
    return [] if layout is None else [(lazy.shape[0] if lazy.shape else 1, layout())]


@dataclass(frozen=True)
class _Hdf5Frames:
    """HDF5 datasets (file, path inside) that are a frame of a stack each, opened one at a time."""

    places: tuple[tuple[str, str], ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    roots: tuple[str, ...] | None = None
    leading: bool = False
    """Whether each dataset has the axis of the stack too, with one member."""

    def read(self, selection: Selection = ()) -> npt.NDArray[Any]:
        return _fresh(self, selection)

    def read_into(
        self, selection: Selection, out: npt.NDArray[Any], threads: int | None = None
    ) -> None:
        """Read the selected values into an array of their shape; frames are shared by threads."""
        from lightwell.hdf5 import reading_threads, share

        first, rest = _completed(selection, self.shape)

        def work(position: int) -> None:
            array, leading = self._frame(first[position])
            target = out[position]
            array.read_into((*leading, *rest), target[None] if leading else target, 1)

        share(range(len(first)), work, threads or reading_threads())

    def layouts(self) -> list[tuple[int, ArrayLayout]]:
        """How the first frame is stored; the others are taken to be alike."""
        return [(self.shape[0], self._frame(0)[0].layout())] if self.places else []

    def _frame(self, index: int) -> tuple[Hdf5Array, tuple[slice, ...]]:
        """Return a frame, unread, and what to select of its leading axis."""
        from lightwell.hdf5 import Hdf5Array

        path, inner = self.places[index]
        if not Path(path).exists():
            raise MissingSource(
                f"{Path(path).name} is listed in the manifest, but is not there",
                where=path,
                remedy="Stage or restore the file",
            )
        frame = self.shape[1:]
        if self.leading:
            return Hdf5Array(path, inner, (1, *frame), self.dtype, self.roots), (slice(None),)
        return Hdf5Array(path, inner, frame, self.dtype, self.roots), ()


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Members of the first axis of another lazy array."""

    source: LazyArray

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._members), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    @property
    def _members(self) -> npt.NDArray[np.intp]:
        raise TypeError("which members are chosen is said by the classes below")

    def read(self, selection: Selection = ()) -> npt.NDArray[Any]:
        return _gathered(self.source, *self._chosen(selection))

    def _chosen(self, selection: Selection) -> tuple[npt.NDArray[np.intp], tuple[slice, ...]]:
        first, rest = _completed(selection, self.shape)
        return self._members[first], rest

    def read_into(
        self, selection: Selection, out: npt.NDArray[Any], threads: int | None = None
    ) -> None:
        _gathered_into(self.source, *self._chosen(selection), out, threads)

    def layouts(self) -> list[tuple[int, ArrayLayout]]:
        count = len(self._members)
        return [(min(number, count), one) for number, one in layouts_of(self.source)]


@dataclass(frozen=True, eq=False)
class _Window(_Chosen):
    """The members `start … start + count`."""

    start: int
    count: int

    @property
    def _members(self) -> npt.NDArray[np.intp]:
        import numpy as np

        return np.arange(self.start, self.start + self.count, dtype=np.intp)


@dataclass(frozen=True, eq=False)
class _Taken(_Chosen):
    """The members at some indices, in an order of one's own."""

    indices: npt.NDArray[np.intp]

    @property
    def _members(self) -> npt.NDArray[np.intp]:
        return self.indices


@dataclass(frozen=True, eq=False)
class _Joined:
    """Lazy arrays one after the other along the first axis."""

    parts: tuple[LazyArray, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, selection: Selection = ()) -> npt.NDArray[Any]:
        return _fresh(self, selection)

    def read_into(
        self, selection: Selection, out: npt.NDArray[Any], threads: int | None = None
    ) -> None:
        import numpy as np

        first, rest = _completed(selection, self.shape)
        start = 0
        for part in self.parts:
            stop = start + part.shape[0]
            mine = np.flatnonzero((first >= start) & (first < stop))
            if len(mine) and mine[-1] - mine[0] == len(mine) - 1:
                here = slice(int(mine[0]), int(mine[-1]) + 1)
                _gathered_into(part, first[mine] - start, rest, out[here], threads)
            elif len(mine):
                out[mine] = _gathered(part, first[mine] - start, rest)
            start = stop

    def layouts(self) -> list[tuple[int, ArrayLayout]]:
        return [one for part in self.parts for one in layouts_of(part)]


def take(lazy: LazyArray, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> LazyArray:
    """Return the members `indices` of the first axis, in that order, still unread.

    >>> import numpy as np
    >>> take(ArrayInMemory(np.array([10, 11, 12])), [2, 0]).read()
    array([12, 10])

    Raises `ParameterError` for an index outside the array.
    """
    import numpy as np

    checked = _within(np.asarray(indices, dtype=np.intp).reshape(-1), lazy.shape[0])
    if isinstance(lazy, _Taken):
        return _Taken(lazy.source, lazy.indices[checked])
    return _Taken(lazy, checked)


def frame_numbers(lazy: LazyArray, stack: LazyArray) -> npt.NDArray[np.intp] | None:
    """Return which members of a stack an array consists of, or None if it was not taken from it.

    >>> import numpy as np
    >>> stack = ArrayInMemory(np.array([10, 11, 12]))
    >>> frame_numbers(take(stack, [2, 0]), stack)
    array([2, 0])
    """
    import numpy as np

    if lazy is stack:
        return np.arange(stack.shape[0], dtype=np.intp)
    return lazy.indices if isinstance(lazy, _Taken) and lazy.source is stack else None


def open_array(
    ref: ArrayRef, manifest: Manifest, *, roots: Sequence[Path] | None = None
) -> LazyArray:
    """Return the array a description leads to, unread, joined over all its parts.

    `roots`, if given, are the folders that links inside HDF5 files may lead into.
    Raises `MissingSource` naming a file that is not there, and `UnreadableFile` if the files
    hold another shape than the description says.
    """
    import numpy as np

    # JAX takes the machine's own byte order only, and that is what every part reads as.
    shape, dtype = tuple(ref.shape), np.dtype(ref.dtype).newbyteorder("=")
    parts = tuple(_open_part(part, shape, dtype, manifest, roots) for part in ref.parts)
    for part in parts:
        if part.shape[1:] != shape[1:]:
            raise _another_shape(part.shape, shape, manifest)
    if len(parts) == 1 and parts[0].shape == shape and parts[0].dtype == dtype:
        return parts[0]
    found = sum(part.shape[0] for part in parts) if shape else 0
    if not shape or found != shape[0]:
        raise _another_shape((found, *shape[1:]), shape, manifest)
    return _Joined(parts, shape, dtype)


def _another_shape(
    found: tuple[int, ...], expected: tuple[int, ...], manifest: Manifest
) -> UnreadableFile:
    return UnreadableFile(
        f"an array of shape {expected} was described, the files hold {found}",
        where=manifest.root,
        remedy="The files changed since they were ingested; ingest them again",
    )


def _open_part(
    part: FilePart | SeriesPart | EvenPart | ConstantPart,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    manifest: Manifest,
    roots: Sequence[Path] | None,
) -> LazyArray:
    if isinstance(part, EvenPart):
        return Even(part.first, part.last, (part.count,), dtype)
    if isinstance(part, ConstantPart):
        return Constant(part.value, (part.count, *shape[1:]), dtype)
    names = None if roots is None else tuple(str(root) for root in roots)
    if isinstance(part, SeriesPart):
        path = str(manifest.present_file(part.file).local_path())
        places = tuple((path, inner) for inner in part.paths)
        whole = (part.count, *shape[1:])
        return _Hdf5Frames(places, whole, dtype, names, leading=not part.new_axis)
    files = _files_of(part, manifest)
    opened = _open_files(part, files, shape, dtype, names)
    if not opened.shape:
        return opened
    count = opened.shape[0] - part.start if part.count is None else part.count
    if part.start == 0 and count == opened.shape[0]:
        return opened
    if part.start + count > opened.shape[0]:
        raise _another_shape(opened.shape, (part.start + count, *opened.shape[1:]), manifest)
    return _Window(opened, part.start, count)


def _files_of(part: FilePart, manifest: Manifest) -> list[File]:
    """Return the one file or all files of the role; the first one is there."""
    if part.file:
        return [manifest.present_file(part.file)]
    names = [file.name for file in manifest.by_role(part.role or "")]
    if not names:
        raise MissingSource(
            f"the manifest has no file of the role {part.role!r}", where=manifest.root
        )
    # Looking for 10,000 files here would cost seconds; a later one is looked for when it is read.
    return [manifest.present_file(names[0]), *(manifest.file(name) for name in names[1:])]


def _open_files(
    part: FilePart,
    files: list[File],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    roots: tuple[str, ...] | None,
) -> LazyArray:
    """Open an array in one file, or files (or new axes) of one frame each, in its container."""
    if part.container == "tiff":
        from lightwell.containers.tiff import TiffStack

        return TiffStack(files)
    if part.container == "fabio":
        from lightwell.containers.fabio_images import FabioStack

        return FabioStack(files)
    if part.container == "txrm":
        from lightwell.containers.txrm import TxrmArray

        return TxrmArray.find(files[0], part.path)
    if part.container in ("columns", "npz", "xml"):
        from lightwell.containers.numbers import open_numbers

        return open_numbers(part.container, files[0], part.path)
    if part.container != "hdf5":
        raise _unknown_container(part)
    from lightwell.hdf5 import Hdf5Array

    if part.role or part.new_axis:
        places = tuple((str(file.local_path()), part.path) for file in files)
        # Frames are opened when they are read; that they are shaped alike is checked then.
        return _Hdf5Frames(places, (len(places), *shape[1:]), dtype, roots)
    allowed = None if roots is None else [Path(root) for root in roots]
    return Hdf5Array.find(files[0].local_path(), part.path, roots=allowed)


def _unknown_container(part: FilePart) -> UnreadableFile:
    return UnreadableFile(
        f"arrays in containers of kind {part.container!r} cannot be read",
        where=part.file or part.role,
        remedy="Known are hdf5, tiff, fabio, txrm, columns, npz and xml; "
        "install the plugin that described the data",
    )


def _completed(
    selection: Selection, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], tuple[slice, ...]]:
    """Return the indices along the first axis and one slice for every other axis."""
    import numpy as np

    if len(selection) > len(shape):
        raise ParameterError(f"{len(selection)} selections for an array of {len(shape)} axes")
    full = (*selection, *(slice(None),) * (len(shape) - len(selection)))
    head, rest = full[0], full[1:]
    if any(not isinstance(each, slice) or (each.step or 1) < 1 for each in rest):
        raise ParameterError(
            "axes after the first are selected by slices with positive steps",
            remedy="Read the slice, then pick from the array that was read",
        )
    if isinstance(head, slice):
        first = np.arange(shape[0], dtype=np.intp)[head]
    else:
        first = _within(np.asarray(head, dtype=np.intp), shape[0])
    return first, tuple(each for each in rest if isinstance(each, slice))


def _within(indices: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Return indices counted from the start; raises `ParameterError` for one outside."""
    import numpy as np

    counted = np.where(indices < 0, indices + length, indices)
    outside = (counted < 0) | (counted >= length)
    if outside.any():
        raise ParameterError(f"index {indices[outside][0]} of an axis of length {length}")
    return counted


def _gathered(
    source: LazyArray, indices: npt.NDArray[np.intp], rest: tuple[slice, ...]
) -> npt.NDArray[Any]:
    """Read members of the first axis in any order, asking the source for each one once.

    Files are asked in rising order, by a slice where the members are evenly spaced: HDF5 reads
    a slice many times faster than a list of indices, and refuses one that is not rising.
    """
    import numpy as np

    if not len(indices):
        return np.empty((0, *_shape_of(rest, source.shape[1:])), dtype=source.dtype)
    wanted, places = np.unique(indices, return_inverse=True)
    steps = np.diff(wanted)
    if len(wanted) == 1 or (steps == steps[0]).all():
        step = int(steps[0]) if len(steps) else 1
        values = source.read((slice(int(wanted[0]), int(wanted[-1]) + 1, step), *rest))
    else:
        values = source.read((wanted, *rest))
    in_order = len(wanted) == len(indices) and bool((places[1:] > places[:-1]).all())
    return values if in_order else values[places]


def _fresh(lazy: Any, selection: Selection) -> npt.NDArray[Any]:
    """Read a selection into an array of its own."""
    from lightwell.hdf5 import aligned

    first, rest = _completed(selection, lazy.shape)
    result = aligned((len(first), *_shape_of(rest, lazy.shape[1:])), lazy.dtype)
    lazy.read_into((first, *rest), result)
    return result


def _gathered_into(
    source: LazyArray,
    indices: npt.NDArray[np.intp],
    rest: tuple[slice, ...],
    out: npt.NDArray[Any],
    threads: int | None,
) -> None:
    """Read members of the first axis into an array; without a copy where they rise evenly."""
    import numpy as np

    steps = np.diff(indices)
    even = len(indices) and (not len(steps) or (steps[0] > 0 and (steps == steps[0]).all()))
    if not even:
        out[...] = _gathered(source, indices, rest)
        return
    step = int(steps[0]) if len(steps) else 1
    head = slice(int(indices[0]), int(indices[-1]) + 1, step)
    read_into(source, (head, *rest), out, threads)


def _shape_of(selection: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape a selection by slices gives."""
    sizes = (len(range(*each.indices(size))) for each, size in zip(selection, shape, strict=True))
    return tuple(sizes)
