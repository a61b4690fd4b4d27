"""An HDF5 dataset as a lazy array that travels between processes and never invents zeros."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lightwell.errors import MissingSource, UnreadableFile
from lightwell.hdf5.links import Place, first_existing, locate, virtual_links
from lightwell.hdf5.opening import file_stamp, open_file, reading, release

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hdf5Array", "Selection"]

Selection = tuple["slice | NDArray[Any]", ...]
Stamps = dict[str, tuple[int, int, int] | None]

# Stand for "as the file has it"; no array has a negative length.
_UNREAD_SHAPE = (-1,)
_UNREAD_TYPE: np.dtype[Any] = np.dtype("V1")


@dataclass(frozen=True, slots=True)
class Hdf5Array:
    """The array at `inner` in the file at `path`; opened when read, pickled as a few values.

    Shape and type are read from the file, links followed, unless they are given. `roots`, if
    given, are the folders that links may lead into. Raises MissingSource where a link dangles,
    UnreadableFile where there is no array of numbers.
    """

    path: str
    inner: str
    shape: tuple[int, ...] = _UNREAD_SHAPE
    dtype: np.dtype[Any] = _UNREAD_TYPE
    roots: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.shape is _UNREAD_SHAPE or self.dtype is _UNREAD_TYPE:
            shape, dtype = self._described()
            object.__setattr__(self, "shape", shape)
            object.__setattr__(self, "dtype", dtype)

    @classmethod
    def find(
        cls, path: str | os.PathLike[str], inner: str, *, roots: Sequence[Path] | None = None
    ) -> "Hdf5Array":
        """Return the array in a file, its shape and type read there."""
        names = None if roots is None else tuple(os.fspath(root) for root in roots)
        return cls(os.fspath(path), inner, roots=names)

    def _described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type as the file has them; the type in this machine's byte order."""
        place = locate(self.path, self.inner, roots=self._roots())
        with reading(place.file) as (file, _):
            item = file[place.path]
            if not isinstance(item, h5py.Dataset) or item.shape is None:
                raise UnreadableFile("this is a group, not an array", where=self._where())
            if item.dtype.kind not in "biufc":
                raise UnreadableFile(f"{item.dtype} are not numbers", where=self._where())
            return tuple(int(n) for n in item.shape), item.dtype.newbyteorder("=")

    def _roots(self) -> list[Path] | None:
        return None if self.roots is None else [Path(root) for root in self.roots]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def read(self, selection: Selection = ()) -> "NDArray[Any]":
        """Return the selected part; arrays of indices select along their own axis each.

        Raises MissingSource naming the file if a linked file or a virtual source is missing, and
        UnreadableFile if the stored array is damaged or has another shape than was described.
        """
        place = self._place()
        for _ in range(2):
            with reading(place.file) as (file, known):
                dataset = self._dataset(file, place)
                stamps = known.get(place.path)
                if stamps is None:
                    stamps = known[place.path] = self._check(dataset, place)
                if _stamps(stamps) == stamps:
                    return self._selected(dataset, selection)
            # A source changed or went since it was checked: HDF5 must open it anew.
            release(place.file)
        raise MissingSource(
            "a part of the array changes while it is read", where=self._where(), remedy="Try again"
        )

    def _place(self) -> Place:
        """Return where the array really is; worked out once as long as the file is the same."""
        with reading(self.path) as (_, known):
            key = ("place", self.inner, self.roots)
            place = known.get(key)
            if not isinstance(place, Place) or not Path(place.file).is_file():
                place = known[key] = locate(self.path, self.inner, roots=self._roots())
            return place

    def _selected(self, dataset: Any, selection: Selection) -> "NDArray[Any]":
        try:
            return _read(dataset, selection)
        except (OSError, RuntimeError) as error:
            raise UnreadableFile(
                f"the array cannot be read ({error})", where=self._where()
            ) from error

    def _where(self) -> str:
        return f"{self.path}:{self.inner}"

    def _dataset(self, file: Any, place: Place) -> Any:
        try:
            dataset = file[place.path]
        except (KeyError, OSError, RuntimeError) as error:
            raise MissingSource(f"{place.file} has no {place.path}", where=self._where()) from error
        if tuple(dataset.shape) != self.shape:
            raise UnreadableFile(
                f"the array has shape {tuple(dataset.shape)}, {self.shape} was described",
                where=self._where(),
                remedy="Ingest the file again",
            )
        return dataset

    def _check(self, dataset: Any, place: Place) -> Stamps:
        """Raise MissingSource for the first missing source; load filters that h5py lacks.

        Return the source files as they are now.
        """
        ensure_filters(dataset)
        if not dataset.is_virtual:
            return {}
        sources: dict[str, None] = {}
        for link in virtual_links(dataset, place.path, place.file, self._roots()):
            if link.why is not None:
                raise MissingSource(
                    f"a part of the array is missing: {link.why}",
                    where=self._where(),
                    remedy="Put the file back, stage it, or repeat the job that wrote it",
                )
            source = first_existing(place.file, link.target_file) if link.target_file else None
            if source is not None:
                sources[source] = None
                self._load_filters_of(source, link.target_path)
        return _stamps(sources)

    def _load_filters_of(self, source: str, inner: str) -> None:
        """Load the filters of a virtual source; the virtual dataset itself names none."""
        # Not kept open: a result has more segments than a process may have files.
        with open_file(source) as file:
            item = file.get(inner)
            if isinstance(item, h5py.Dataset):
                ensure_filters(item)


def _stamps(paths: Iterable[str]) -> Stamps:
    """Return what changes when one of the files does; None for a file that went."""
    found: Stamps = {}
    for path in paths:
        try:
            found[path] = file_stamp(path)
        except OSError:
            found[path] = None
    return found


def ensure_filters(dataset: Any) -> None:
    """Make the filters of a dataset available, importing hdf5plugin only where one is lacking.

    Raises UnreadableFile naming a filter that nobody here has.
    """
    plist = dataset.id.get_create_plist()
    for index in range(plist.get_nfilters()):
        code, *_, name = plist.get_filter(index)
        if h5py.h5z.filter_avail(code):
            continue
        import hdf5plugin  # noqa: F401 - importing it registers its filters

        if not h5py.h5z.filter_avail(code):
            label = name.decode("utf-8", "replace") or "unnamed"
            raise UnreadableFile(
                f"the array is compressed by filter {code} ({label}), which is not installed",
                where=f"{dataset.file.filename}:{dataset.name}",
            )


def _read(dataset: Any, selection: Selection) -> "NDArray[Any]":
    """Read the smallest block HDF5 can select in one go, then pick the rest out of it."""
    stored: list[Any] = []
    after: list[Any] = []
    listed = False
    full: Selection = (*selection, *(slice(None) for _ in dataset.shape[len(selection) :]))
    for axis, (wanted, length) in enumerate(zip(full, dataset.shape, strict=True)):
        indices = _indices(wanted, length, axis)
        if isinstance(indices, slice):
            stored.append(indices)
            after.append(slice(None))
        elif indices.size == 0:
            stored.append(slice(0, 0))
            after.append(slice(None))
        else:
            unique, place = np.unique(indices, return_inverse=True)
            run: Any = _as_slice(unique)
            if run is None and not listed:
                run, listed = unique, True
            elif run is None:
                run, place = slice(int(unique[0]), int(unique[-1]) + 1), indices - unique[0]
            stored.append(run)
            after.append(place.reshape(-1))
    block: NDArray[Any] = np.asarray(dataset[tuple(stored)])
    for axis, picked in enumerate(after):
        if not isinstance(picked, slice):
            block = np.take(block, picked, axis=axis)
    # JAX takes the machine's own byte order only.
    return block.astype(block.dtype.newbyteorder("="), copy=False)


def _indices(wanted: Any, length: int, axis: int) -> Any:
    """Return a slice forwards, or indices from 0; IndexError beyond the axis."""
    if isinstance(wanted, slice):
        start, stop, step = wanted.indices(length)
        if step > 0:
            return slice(start, max(start, stop), step)
        return np.arange(start, stop, step)
    array = np.asarray(wanted)
    if array.dtype == bool:
        array = np.flatnonzero(array)
    array = np.where(array < 0, array + length, array)
    if array.size and (array.min() < 0 or array.max() >= length):
        raise IndexError(f"index beyond axis {axis} of length {length}")
    return array


def _as_slice(unique: Any) -> slice | None:
    """Return sorted indices as a slice, if they are evenly spaced."""
    steps = np.diff(unique)
    step = int(steps[0]) if steps.size else 1
    if steps.size and not (steps == step).all():
        return None
    return slice(int(unique[0]), int(unique[-1]) + 1, step)
