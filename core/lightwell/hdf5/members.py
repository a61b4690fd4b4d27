"""What a group holds and what an array is, told without following a link or reading an array."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import h5py

from lightwell.errors import UnreadableFile
from lightwell.hdf5.opening import identity
from lightwell.hdf5.values import SHORT, Value, decode

__all__ = [
    "ArrayFacts",
    "Member",
    "address",
    "all_attributes",
    "array_facts",
    "members",
    "object_kind",
]

ArrayKind = Literal["int", "uint", "float", "complex", "bool", "text", "opaque", "other"]
_KINDS: dict[str, ArrayKind] = {
    "i": "int",
    "u": "uint",
    "f": "float",
    "c": "complex",
    "b": "bool",
    "S": "text",
    "U": "text",
}
# A text longer than this is content, not a value to be judged.
_LONGEST_TEXT = 65_536
_LARGEST_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Member:
    """A name in a group, and how it leads to its object."""

    name: str
    link: Literal["hard", "soft", "external"]
    target_file: str | None = None
    target_path: str | None = None


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """Shape and kind of an HDF5 dataset, and its value where that is short.

    `shape` is None for a dataset without any values; `why` says why a value cannot be read.
    """

    shape: tuple[int, ...] | None
    kind: ArrayKind
    is_virtual: bool
    value: Value | None = None
    why: str | None = None


def members(group: Any) -> list[Member]:
    """Return the names in an open group, links not followed.

    Raises UnreadableFile where the group is damaged.
    """
    found = []
    try:
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                found.append(Member(str(name), "soft", None, str(link.path)))
            elif isinstance(link, h5py.ExternalLink):
                found.append(Member(str(name), "external", str(link.filename), str(link.path)))
            else:
                found.append(Member(str(name), "hard"))
    except Exception as error:
        # h5py raises whatever HDF5 thinks of at a damaged group.
        raise UnreadableFile(f"the names in a group cannot be read ({error})") from error
    return found


def object_kind(item: Any) -> Literal["group", "array", "type"]:
    """Return what an open object is; a named type is neither group nor array."""
    if isinstance(item, h5py.Group):
        return "group"
    return "array" if isinstance(item, h5py.Dataset) else "type"


def address(item: Any) -> int:
    """Return what is equal for two names of one object in one file."""
    return identity(item)[1]


def all_attributes(item: Any) -> dict[str, Value | None]:
    """Return every attribute of an object; None for one that is long, or cannot be read."""
    found: dict[str, Value | None] = {}
    try:
        names = list(item.attrs)
    except Exception:
        # A damaged list of attributes says as much as none.
        return found
    for name in names:
        try:
            found[str(name)] = decode(item.attrs[name])
        except Exception:
            # h5py knows dozens of reasons; the name is there all the same.
            found[str(name)] = None
    return found


def array_facts(dataset: Any) -> ArrayFacts:
    """Return what an open dataset is; its value where it is short and lies in its file."""
    dtype = dataset.dtype
    shape = None if dataset.shape is None else tuple(int(n) for n in dataset.shape)
    kind: ArrayKind = _KINDS.get(dtype.kind, "other")
    if dtype.kind == "O" and h5py.check_string_dtype(dtype) is not None:
        kind = "text"
    elif dtype.kind == "V" and not dtype.names:
        kind = "opaque"
    virtual = bool(dataset.is_virtual)
    readable = kind not in ("opaque", "other") and not virtual and shape is not None
    if not readable or dataset.size > SHORT or dtype.itemsize > _LONGEST_TEXT or _is_vast(dataset):
        return ArrayFacts(shape, kind, virtual)
    try:
        return ArrayFacts(shape, kind, virtual, decode(dataset[()]))
    except Exception as error:
        # Whatever HDF5 or numpy says: the value cannot be read.
        return ArrayFacts(shape, kind, virtual, None, str(error))


def _is_vast(dataset: Any) -> bool:
    """Return whether one value costs the reading of many: HDF5 reads chunks whole."""
    if not dataset.chunks:
        return False
    return bool(math.prod(dataset.chunks) * dataset.dtype.itemsize > _LARGEST_CHUNK)
