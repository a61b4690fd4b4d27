"""An entry with all its arrays inside one file: copied a slab at a time, described as before."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from lightwell.hdf5 import Hdf5Array, locate, open_file, read_attributes
from lightwell.hdf5.compression import chunks_of, filters
from lightwell.model import ArrayRef, Data, Entry, FilePart, Group
from lightwell.model.arrays import SeriesPart
from lightwell.model.base import members
from lightwell.stacks import LazyArray
from lightwell.units import ascii_unit

__all__ = ["Copy", "Tell", "array_places", "with_arrays"]

Tell: TypeAlias = Callable[[Mapping[str, Any]], None]

_SLAB_BYTES: Final = 64 * 2**20
# What is said anew about the copy, or is about the file it comes from.
_NOT_COPIED: Final = {
    *("units", "unit", "target", "signal", "axes", "axis", "primary", "interpretation"),
    *("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid"),
}


@dataclass(frozen=True)
class Copy:
    """How arrays come into a file: opened by what, compressed how, told to whom."""

    open_array: Callable[[ArrayRef], LazyArray]
    compression: str
    tell: Tell

    def array(
        self,
        group: Any,
        name: str,
        source: LazyArray,
        *,
        unit: str | None = None,
    ) -> Any:
        """Write an array at a name below a group and return its dataset.

        Errors: MissingSource, UnreadableFile where it cannot be read.
        """
        shape, kind = source.shape, source.dtype
        chunks = chunks_of(shape, kind.itemsize)
        options = {"chunks": chunks, **filters(self.compression)} if chunks else {}
        dataset = group.create_dataset(name, shape=shape, dtype=kind, **options)
        if unit is not None:
            dataset.attrs["units"] = ascii_unit(unit)
        if len(shape) == 0:
            dataset[()] = source.read()
            return dataset
        count, step = dataset.len(), _rows_at_once(shape, kind.itemsize, chunks)
        for first in range(0, count, step):
            stop = min(first + step, count)
            dataset[first:stop] = source.read((slice(first, stop),))
            if len(shape) > 2:
                event = {"event": "frames-copied", "array": name, "done": stop, "of": count}
                self.tell(event)
        return dataset


def _rows_at_once(shape: tuple[int, ...], itemsize: int, chunks: tuple[int, ...] | None) -> int:
    """How many rows are a slab: as many as fit, in whole chunks."""
    row = itemsize
    for length in shape[1:]:
        row *= length
    thick = chunks[0] if chunks else 1
    return max(thick, _SLAB_BYTES // max(row, 1) // thick * thick)


def array_places(group: Group, path: str) -> Iterator[tuple[str, ArrayRef]]:
    """Yield every array of a group and where a file keeps it, in the order they are written."""
    for member in members(type(group)):
        value = getattr(group, member.name)
        if isinstance(value, ArrayRef):
            yield f"{path}/{member.name}", value
    for name, _, child in group.children():
        yield from array_places(child, f"{path}/{name}")
    if isinstance(group, Data):
        for name, ref in group.fields.items():
            yield f"{path}/{name}", ref


def lies_in_files(ref: ArrayRef) -> bool:
    """Whether values of an array come from files, and not from its description alone."""
    return any(isinstance(part, (FilePart, SeriesPart)) for part in ref.parts)


def copied(
    file: Any,
    entry: Entry,
    *,
    path: Path,
    name: str,
    copy: Copy,
    present: Mapping[ArrayRef, str],
) -> Entry:
    """Copy the arrays of an entry into an open file and return the entry that describes them.

    present : arrays that the file, which will be called `path`, holds already, and where.
    """
    moved: dict[ArrayRef, ArrayRef] = {}
    homes = {_home(copy.open_array(ref)): inner for ref, inner in present.items()}
    for place, ref in array_places(entry, f"/{name}"):
        if ref in moved or not lies_in_files(ref):
            continue
        inner = present.get(ref)
        if inner is None:
            source = copy.open_array(ref)
            home = _home(source)
            inner = homes.get(home)
            if inner is None:
                inner = homes[home] = place
                _copy_one(file, place, source, ref.unit, copy)
            else:
                _share(file[inner], inner, ref.unit)
        moved[ref] = ArrayRef.hdf5(path.name, inner, ref.shape, ref.dtype, ref.unit)
    return with_arrays(entry, moved)


def _home(source: LazyArray) -> Any:
    """Where an array really is, behind all links; itself where it is put together from parts."""
    return locate(source.path, source.inner) if isinstance(source, Hdf5Array) else source


def _copy_one(file: Any, place: str, source: LazyArray, unit: str | None, copy: Copy) -> None:
    group, _, last = place.rpartition("/")
    written = copy.array(file.require_group(group), last, source, unit=unit)
    for key, value in _own_attributes(source).items():
        written.attrs[key] = value


def _share(dataset: Any, inner: str, unit: str | None) -> None:
    """Let two links to one array stay two names of one array, with the unit that one of them has.

    NeXus asks what is linked to for its own name.
    """
    dataset.attrs["target"] = inner
    if unit is not None and "units" not in dataset.attrs:
        dataset.attrs["units"] = ascii_unit(unit)


def _own_attributes(source: LazyArray) -> dict[str, Any]:
    """What an array's file says about it beyond unit and links; definitions ask for some of it."""
    if not isinstance(source, Hdf5Array):
        return {}
    place = locate(source.path, source.inner)
    with open_file(place.file) as file:
        found = read_attributes(file[place.path])
    return {key: value for key, value in found.items() if key not in _NOT_COPIED}


def with_arrays(entry: Entry, moved: Mapping[ArrayRef, ArrayRef]) -> Entry:
    """Return the entry with some of its arrays elsewhere."""

    def changed(value: Any) -> Any:
        if isinstance(value, ArrayRef):
            return moved.get(value, value)
        if isinstance(value, Group):
            fields = {name: getattr(value, name) for name in type(value).model_fields}
            updates = {name: changed(old) for name, old in fields.items() if name != "unknown"}
            return value.model_copy(update={n: v for n, v in updates.items() if v is not fields[n]})
        if isinstance(value, Mapping) and any(_holds_arrays(one) for one in value.values()):
            return {key: changed(one) for key, one in value.items()}
        return value

    result = changed(entry)
    assert isinstance(result, Entry)  # noqa: S101 - what goes in comes out; for type checkers
    return result


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, (Group, ArrayRef))
