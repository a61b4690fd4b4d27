"""Writing so that a file is whole or not there: a part file, synchronised, then renamed."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lightwell.disks import needing_room
from lightwell.errors import Conflict
from lightwell.failpoints import failpoint
from lightwell.hdf5.opening import release
from lightwell.hdf5.surviving import surviving

__all__ = [
    "Source",
    "external_link",
    "soft_link",
    "write_virtual",
    "write_virtual_stack",
    "writing",
]


@contextmanager
def writing(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Any]:
    """Lend a new `h5py.File` that gets its name only when it is complete and on the disk.

    Raises Conflict if the name is taken and `replace` was not asked for, DiskFull where there is
    no room; after any error the unfinished file is removed and what stood there still stands.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    _refuse_taken(target, replace=replace)
    with needing_room(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with surviving(part) as (file, check):
                failpoint("hdf5-begun")
                yield file
                file.flush()
                check()
                failpoint("hdf5-flushed")
            failpoint("hdf5-closed")
            _synchronise(part)
            failpoint("hdf5-synchronised")
            release(target)
            _name(part, target, replace=replace)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        failpoint("hdf5-renamed")
        _synchronise(target.parent)
        failpoint("hdf5-name-synchronised")


def _refuse_taken(target: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise Conflict("the file exists already", where=str(target), remedy="Choose another name")


def _name(part: Path, target: Path, *, replace: bool) -> None:
    """Give the finished file its name; another's file of that name stays, even a new one."""
    if replace:
        part.replace(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        _refuse_taken(target, replace=replace)
    except OSError:
        # Some file systems have no hard links; the check is then only as good as its moment.
        _refuse_taken(target, replace=replace)
        part.replace(target)
        return
    failpoint("hdf5-linked")
    part.unlink()


def _synchronise(path: Path) -> None:
    """Have the system write a file or a folder to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        # Windows opens no folders; it needs no synchronising there either.
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows `start … stop` of a dataset in a file named relative to the master's folder.

    `new_axis`: the dataset lacks the axis along which the sources are joined.
    """

    file: str
    path: str
    start: int
    stop: int
    new_axis: bool = False


def write_virtual(
    group: Any,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    sources: Sequence[Source | tuple[str, str, int, int]],
    *,
    axis: int = 0,
    fillvalue: complex | None = None,
) -> Any:
    """Write and return a virtual dataset that shows sources one after the other along `axis`.

    What no source covers reads as NaN for floats, unless `fillvalue` says otherwise.
    """
    kind = np.dtype(dtype)
    if fillvalue is None:
        fillvalue = _no_number(kind)
    layout = h5py.VirtualLayout(shape=tuple(shape), dtype=kind)
    position = 0
    for item in sources:
        source = item if isinstance(item, Source) else Source(*item)
        position = _place(layout, source, shape, axis, position)
    if position != shape[axis]:
        raise ValueError(f"the sources hold {position} of {shape[axis]} rows of {name}")
    return group.create_virtual_dataset(name, layout, fillvalue=fillvalue)


def write_virtual_stack(
    group: Any,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    members: Sequence[Sequence[Source | tuple[str, str, int, int]]],
    *,
    axis: int = 0,
    flat: bool = False,
) -> Any:
    """Write and return a virtual dataset with a first axis more than its sources.

    members : for each place along the first axis, the sources that are joined along `axis` of
    their own; flat : it is one row of one source, and that axis is left out.
    """
    kind = np.dtype(dtype)
    layout = h5py.VirtualLayout(shape=tuple(shape), dtype=kind)
    inner = [*shape[1:]]
    if flat:
        inner.insert(axis, 1)
    for index, sources in enumerate(members):
        position = 0
        for item in sources:
            source = item if isinstance(item, Source) else Source(*item)
            count = source.stop - source.start
            extent = [*inner]
            extent[axis] = source.stop
            here: list[Any] = [slice(None)] * len(extent)
            there = [*here]
            here[axis] = slice(source.start, source.stop)
            there[axis : axis + 1] = [] if flat else [slice(position, position + count)]
            view = h5py.VirtualSource(source.file, source.path, shape=tuple(extent))
            layout[(index, *there)] = view[tuple(here)]
            position += count
        if position != inner[axis]:
            raise ValueError(f"the sources hold {position} of {inner[axis]} rows of {name}")
    fillvalue = _no_number(kind)
    return group.create_virtual_dataset(name, layout, fillvalue=fillvalue)


def _no_number(kind: Any) -> complex | None:
    """What an array of a type reads as where it has no source; nothing special for whole numbers.

    HDF5 keeps a complex number as two fields and takes no single one for it.
    """
    if kind.kind == "c":
        return complex("nan+nanj")
    return float("nan") if kind.kind == "f" else None


def _place(layout: Any, source: Source, shape: Sequence[int], axis: int, position: int) -> int:
    """Map one source behind the others; return where the next begins."""
    count = source.stop - source.start
    others = [*shape[:axis], *shape[axis + 1 :]]
    whole = [slice(None)] * len(shape)
    if source.new_axis:
        view = h5py.VirtualSource(source.file, source.path, shape=tuple(others))
        layout[(*whole[:axis], position, *whole[axis + 1 :])] = view
        return position + 1
    extent = (*shape[:axis], source.stop, *shape[axis + 1 :])
    view = h5py.VirtualSource(source.file, source.path, shape=extent)
    here = (*whole[:axis], slice(source.start, source.stop), *whole[axis + 1 :])
    there = (*whole[:axis], slice(position, position + count), *whole[axis + 1 :])
    layout[there] = view[here]
    return position + count


def soft_link(path: str) -> Any:
    """Return a link to another object of the same file, to be assigned to a name in a group."""
    return h5py.SoftLink(path)


def external_link(file: str, path: str) -> Any:
    """Return a link to an object of another file, named relative to this one's folder."""
    return h5py.ExternalLink(file, path)
