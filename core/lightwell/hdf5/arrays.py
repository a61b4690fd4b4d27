"""An HDF5 dataset as a lazy array that travels between processes and never invents zeros."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lightwell.errors import MissingSource, NotFound, UnreadableFile
from lightwell.hdf5.buffers import aligned
from lightwell.hdf5.layouts import ArrayLayout
from lightwell.hdf5.links import Place, first_existing, locate, virtual_links
from lightwell.hdf5.opening import file_stamp, open_file, reading, release
from lightwell.hdf5.selections import Selection, Wanted, as_index
from lightwell.hdf5.stored import Descriptor, StoredArray, open_stored
from lightwell.hdf5.threads import reading_threads
from lightwell.hdf5.virtual import OtherType, VirtualArray, open_virtual

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hdf5Array", "Selection"]

Stamps = dict[str, tuple[int, int, int] | None]

_Opened = StoredArray | VirtualArray | ArrayLayout

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
        wanted = Wanted.of(selection, self.shape)
        opened = self._opened()
        block = aligned(wanted.shape, opened.dtype.newbyteorder("="))
        self._fill(opened, wanted, block, None)
        return wanted.arranged(block)

    def read_into(
        self, selection: Selection, out: "NDArray[Any]", threads: int | None = None
    ) -> None:
        """Read the selected part into an array that is there, by so many threads.

        out : of the shape and the type that `read` would return. Errors: as for `read`.
        """
        wanted = Wanted.of(selection, self.shape)
        opened = self._opened()
        dtype = opened.dtype.newbyteorder("=")
        if wanted.is_plain and out.dtype == dtype:
            if out.shape != wanted.shape:
                raise ValueError(f"{wanted.shape} is read, the array given has {out.shape}")
            self._fill(opened, wanted, out, threads)
            return
        block = aligned(wanted.shape, dtype)
        self._fill(opened, wanted, block, threads)
        out[...] = wanted.arranged(block)

    def layout(self) -> ArrayLayout:
        """Return how the array is stored, and whether it is read without HDF5."""
        opened = self._opened()
        return opened if isinstance(opened, ArrayLayout) else opened.layout

    def source_layout(self) -> ArrayLayout:
        """Return how a source of a virtual dataset is stored, its first; others are taken alike."""
        opened = self._opened()
        if isinstance(opened, VirtualArray) and opened.pieces:
            first = opened.pieces[0]
            found: ArrayLayout = opened.open(first.file, first.path).layout()
            return found
        return self.layout()

    def _opened(self) -> "_Opened":
        """Return the stored array, or how it is stored where only HDF5 reads it."""
        place = self._place()
        for _ in range(2):
            with reading(place.file) as (file, known):
                dataset = self._dataset(file, place)
                stamps = known.get(place.path)
                if stamps is None:
                    stamps = known[place.path] = self._check(dataset, place)
                if _stamps(stamps) == stamps:
                    key = ("stored", place.path)
                    if key not in known:
                        known[key] = self._looked_up(dataset, place, known)
                    found: _Opened = known[key]
                    return found
            # A source changed or went since it was checked: HDF5 must open it anew.
            release(place.file)
        raise MissingSource(
            "a part of the array changes while it is read", where=self._where(), remedy="Try again"
        )

    def _looked_up(self, dataset: Any, place: Place, known: dict[Any, Any]) -> "_Opened":
        """Return how to read an open dataset, as far as that can be known beforehand."""
        if dataset.is_virtual:

            def source(name: str) -> str | None:
                return place.file if name == "." else first_existing(place.file, name)

            return open_virtual(dataset, source, lambda f, p: Hdf5Array(f, p, roots=self.roots))
        if "descriptor" not in known:
            known["descriptor"] = Descriptor(place.file)
        return open_stored(dataset, known["descriptor"], self._where())

    def _fill(
        self,
        opened: "_Opened",
        wanted: Wanted,
        out: "NDArray[Any]",
        threads: int | None,
    ) -> None:
        if not isinstance(opened, ArrayLayout):
            try:
                opened.read_into(wanted.axes, out, threads or reading_threads())
            except OtherType:
                pass
            except NotFound as error:
                raise MissingSource(
                    f"a part of the array is missing: {error.what}",
                    where=error.where or self._where(),
                    remedy="Put the file back, stage it, or repeat the job that wrote it",
                ) from error
            else:
                return
        place = self._place()
        with reading(place.file) as (file, _):
            out[...] = self._selected(self._dataset(file, place), wanted)

    def _place(self) -> Place:
        """Return where the array really is; worked out once as long as the file is the same."""
        with reading(self.path) as (_, known):
            key = ("place", self.inner, self.roots)
            place = known.get(key)
            if not isinstance(place, Place) or not Path(place.file).is_file():
                place = known[key] = locate(self.path, self.inner, roots=self._roots())
            return place

    def _selected(self, dataset: Any, wanted: Wanted) -> "NDArray[Any]":
        try:
            return np.asarray(dataset[tuple(as_index(along) for along in wanted.axes)])
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
