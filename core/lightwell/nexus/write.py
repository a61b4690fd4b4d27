"""The model as a NeXus file: groups every viewer opens, arrays linked, the exact entry beside."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from lightwell.hdf5 import writing
from lightwell.model import ArrayRef, Data, Entry, Group, Parameter, Parameters
from lightwell.model.base import members
from lightwell.nexus.arrays import ArrayWriter
from lightwell.units import ascii_unit

__all__ = ["DOCUMENT_ATTRIBUTE", "HasRoot", "Root", "add_entry", "write_entry"]

#: Marks the NXnote that holds the exact entry; the value is the version of its form.
DOCUMENT_ATTRIBUTE = "lightwell_document"
_VERSION = 1


class HasRoot(Protocol):
    """What names files below a root: a manifest."""

    @property
    def root(self) -> str: ...


Root = str | os.PathLike[str] | HasRoot


def _folder(root: Root) -> Path | None:
    """Return the folder of a root, or None where it is not on a disk."""
    given = root if isinstance(root, (str, os.PathLike)) else root.root
    text = os.fspath(given)
    if "://" not in text:
        return Path(text)
    url = urlsplit(text)
    return Path(url2pathname(url.path)) if url.scheme in ("file", "local") else None


def write_entry(
    path: str | os.PathLike[str],
    entry: Entry,
    root: Root | None = None,
    *,
    name: str = "entry",
    replace: bool = False,
) -> Path:
    """Write an entry as a NeXus file and return its path; arrays are linked, never copied.

    `root` is the manifest, or the folder its file names are relative to (the file's own folder,
    if not given). Arrays that HDF5 cannot link (TIFF…) stay in the description only. The file
    appears under its name when it is complete; raises Conflict if the name is taken.
    """
    target = Path(path)
    with writing(target, replace=replace) as file:
        add_entry(file, entry, path=target, root=root, name=name)
    return target


def add_entry(
    file: Any,
    entry: Entry,
    *,
    path: str | os.PathLike[str],
    root: Root | None = None,
    name: str = "entry",
) -> None:
    """Write an entry into an open HDF5 file that will be called `path`.

    Arrays that the file already holds at their place in the entry are left as they are.
    """
    target = Path(path)
    file.attrs.setdefault("NX_class", "NXroot")
    file.attrs.setdefault("default", name)
    file.attrs.setdefault("creator", "lightwell")
    arrays = ArrayWriter(target, target.parent if root is None else _folder(root))
    group = file.require_group(name)
    _write_group(group, entry, "NXentry", arrays)
    _write_document(group, entry)


def _write_group(group: Any, model: Group, nx_class: str, arrays: ArrayWriter) -> None:
    """Write a group of the model with all that is in it."""
    group.attrs["NX_class"] = nx_class
    if isinstance(model, Entry):
        _write_entry_head(group, model)
    for member in members(type(model)):
        value = getattr(model, member.name)
        if member.kind == "value" and value is not None:
            unit = member.unit or getattr(model, "unit", None)
            _write_value(group, member.name, value, unit, arrays)
    for name, member, child in model.children():
        inner = "NXsubentry" if isinstance(child, Entry) else child.nx_class
        _write_group(group.require_group(name), child, inner, arrays)
        if member.name == "data" and isinstance(model, Entry):
            group.attrs.setdefault("default", name)
    if isinstance(model, Data):
        _write_data(group, model, arrays)
    if isinstance(model, Parameters):
        for name, parameter in model.values.items():
            _write_parameter(group, name, parameter)


def _write_entry_head(group: Any, entry: Entry) -> None:
    """Write what only an entry has: its definition and what to show first."""
    if entry.definition_name:
        _write_plain(group, "definition", entry.definition_name, None)
    shown = entry.default or ("data" if "data" in entry.data else None)
    if shown is not None:
        group.attrs["default"] = _text(shown)


def _write_value(group: Any, name: str, value: Any, unit: str | None, arrays: ArrayWriter) -> None:
    if isinstance(value, ArrayRef):
        arrays.write(group, name, value)
    else:
        _write_plain(group, name, value, unit)


def _write_plain(group: Any, name: str, value: Any, unit: str | None) -> None:
    """Write a scalar or a short list; what HDF5 cannot hold is in the document anyway."""
    stored = _storable(value)
    if stored is None or name in group:
        return
    dataset = group.create_dataset(name, data=stored)
    if unit is not None:
        dataset.attrs["units"] = ascii_unit(_text(unit))


def _write_parameter(group: Any, name: str, parameter: Parameter) -> None:
    _write_plain(group, name, parameter.value, parameter.unit)


def _storable(value: Any) -> Any:
    """Return a value as h5py writes it, or None where HDF5 has no such thing."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        if not value:
            return None
        if any(isinstance(item, str) for item in value):
            return [_text(str(item)) for item in value]
    array = np.asarray(value)
    # Integers beyond 64 bits become objects.
    return array if array.dtype.kind in "biuf" else None


def _text(value: str) -> str:
    """Return a text without NUL, which ends a string in HDF5."""
    return value.replace("\x00", "")


def _write_data(group: Any, data: Data, arrays: ArrayWriter) -> None:
    """Write the fields of an NXdata and the attributes by which viewers find them."""
    for name, ref in data.fields.items():
        arrays.write(group, name, ref)
        if name in data.long_names:
            arrays.set_attribute(group, name, "long_name", _text(data.long_names[name]))
    if data.signal is None or data.signal not in group:
        return
    group.attrs["signal"] = data.signal
    others = [name for name in data.auxiliary_signals if name in group]
    if others:
        group.attrs["auxiliary_signals"] = others
    _write_axes(group, data)
    signal = data.fields.get(data.signal)
    interpretation = data.interpretation or ("image" if signal and signal.ndim > 2 else None)
    if interpretation is not None:
        arrays.set_attribute(group, data.signal, "interpretation", _text(interpretation))


def _write_axes(group: Any, data: Data) -> None:
    """Write one axis name per dimension of the signal; viewers show nothing for fewer or more."""
    signal = data.fields.get(data.signal or "")
    rank = signal.ndim if signal is not None else len(data.axes)
    if not data.axes or rank == 0:
        return
    names = [name if name in group else "." for name in data.axes[:rank]]
    names += ["."] * (rank - len(names))
    group.attrs["axes"] = [_text(name) for name in names]
    for dimension, name in enumerate(names):
        if name != ".":
            spans = data.indices.get(name, (dimension,))
            group.attrs[f"{name}_indices"] = spans[0] if len(spans) == 1 else list(spans)


def _write_document(group: Any, entry: Entry) -> None:
    """Write the exact entry as an NXnote: nothing is lost, whatever NeXus has no place for."""
    name = "lightwell"
    while name in group:
        name += "_"
    note = group.create_group(name)
    note.attrs["NX_class"] = "NXnote"
    note.attrs[DOCUMENT_ATTRIBUTE] = _VERSION
    note["type"] = "application/json"
    note["description"] = "the entry as lightwell keeps it; read in preference to the groups"
    # A fixed-length byte string is what validators take for NX_BINARY and h5web for JSON.
    text = json.dumps(entry.document(), separators=(",", ":"))
    note["data"] = np.bytes_(text.encode("ascii"))
