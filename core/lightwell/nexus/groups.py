"""NeXus groups to classes of the model, by NX_class and by name."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lightwell.errors import LightwellError, MissingSource
from lightwell.hdf5 import Hdf5Array, decode, locate, open_file, read_attributes
from lightwell.model import ArrayRef, Data, Entry, Group, Note, Parameter, Parameters
from lightwell.model.base import Member, members
from lightwell.nexus.header import Header
from lightwell.units import ascii_unit

__all__ = ["GroupReader"]

G = TypeVar("G", bound=Group)


class GroupReader:
    """Reads groups of an open NeXus file into the model; doubts and originals go to `header`."""

    def __init__(
        self,
        file: Any,
        source: Path,
        root: Path,
        header: Header,
        roots: Sequence[Path] | None = None,
    ) -> None:
        self.file = file
        self.source = source
        self.header = header
        self.roots = roots
        self.name = Path(os.path.relpath(source, root)).as_posix()

    def entry(self, schema: type[Entry], path: str) -> Entry:
        """Return the entry at a path."""
        return self.group(schema, path, "")

    def group(self, cls: type[G], path: str, field: str) -> G:
        """Return the group at a path as a class of the model; `field` is its place in the model."""
        values = self._values(cls, path, field)
        values.update(self._groups(cls, path, field))
        if issubclass(cls, Data):
            values.update(self._data(path))
        elif issubclass(cls, Parameters):
            values["values"] = dict(self._parameters(path, field))
        elif issubclass(cls, Note):
            values["data"] = self.header.text(f"{path}/data") or self._long_text(path)
        return self._made(cls, values, path)

    def array(self, path: str) -> ArrayRef | None:
        """Return a reference to the array at a path, or None where there is none.

        Missing sources are not flagged here: `Header.flag_missing_sources` does it for all.
        """
        try:
            found = Hdf5Array.find(self.source, path, roots=self.roots)
        except MissingSource:
            return None
        except LightwellError as error:
            self.header.flag("array-unreadable", str(error.what), path)
            return None
        unit = self._unit(path)
        return ArrayRef.hdf5(self.name, path, found.shape, found.dtype.name, unit)

    def _made(self, cls: type[G], values: dict[str, Any], path: str) -> G:
        """Return an object of the class, without the values it refuses; those are flagged."""
        while True:
            try:
                return cls.model_validate(values)
            except ValidationError as error:
                places = {str(e["loc"][0]) for e in error.errors() if e["loc"]} & set(values)
                for name in places or set(values):
                    self.header.flag("value-refused", f"{name} does not fit the model.", path)
                    del values[name]

    def _values(self, cls: type[Group], path: str, field: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for member in members(cls):
            if member.kind == "value":
                value = self._value(member, f"{path}/{member.name}", _dotted(field, member.name))
                if value is not None:
                    found[member.name] = value
        if "unit" in cls.not_in_nexus:
            found["unit"] = self._unit(f"{path}/value")
        return found

    def _value(self, member: Member, path: str, field: str) -> Any:
        """Return one value of the model from the dataset of its name."""
        link = self._link(path)
        if link is None:
            return None
        if ArrayRef in member.types and self._is_array(path):
            return self.array(path)
        if path not in self.header and getattr(link, "filename", None):
            self._record_linked(path)
        return self._scalar(member, path, field)

    def _scalar(self, member: Member, path: str, field: str) -> Any:
        header = self.header
        if datetime in member.types:
            return header.time(path, field=field)
        if member.many:
            numbers = header.numbers(path, to=member.unit, field=field)
            return tuple(map(int, numbers)) if numbers and int in member.types else numbers
        if str in member.types:
            return header.text(path, field=field)
        if float in member.types:
            # Pixels are counted; files that say nothing about them mean nothing else.
            default = "pixel" if member.unit == "pixel" else None
            return header.number(path, to=member.unit, unit_default=default, field=field)
        if bool in member.types:
            return header.boolean(path, field=field)
        return header.integer(path, field=field) if int in member.types else None

    def _record_linked(self, path: str) -> None:
        """Take a short value from the file that an external link leads to."""
        try:
            place = locate(self.source, path, roots=self.roots)
            with open_file(place.file) as file:
                item: Any = file[place.path]
                value = decode(item[()]) if item.size and item.size <= 16 else None
                unit = read_attributes(item).get("units")
        except (LightwellError, KeyError, OSError, RuntimeError, AttributeError):
            return
        if value is not None:
            self.header.record(path, value, None if unit is None else str(unit))

    def _groups(self, cls: type[Group], path: str, field: str) -> dict[str, Any]:
        """Return the groups of the model in a group: single ones first, the rest by name."""
        children = list(self._children(path))
        taken: set[str] = set()
        found: dict[str, Any] = {}
        for member in sorted(members(cls), key=lambda m: m.kind == "groups"):
            if member.group is None:
                continue
            wanted = "NXsubentry" if member.name == "subentries" else member.group.nx_class
            fitting = [n for n, nx_class in children if nx_class == wanted and n not in taken]
            if member.kind == "groups":
                found[member.name] = {
                    name: self.group(
                        member.group, f"{path}/{name}", f"{_dotted(field, member.name)}.{name}"
                    )
                    for name in fitting
                }
            elif chosen := self._chosen(member, fitting, path):
                child = self.group(member.group, f"{path}/{chosen}", _dotted(field, member.name))
                if chosen != member.name:
                    child = child.model_copy(update={"group_name": chosen})
                found[member.name] = child
                taken.add(chosen)
        return found

    def _chosen(self, member: Member, fitting: list[str], path: str) -> str | None:
        """Return the main group of a class: by name, else the first whose data is there."""
        if member.name in fitting:
            return member.name
        if not fitting or (member.group is not None and member.group.nx_class == "NXcollection"):
            # A collection means something by its name only.
            return None
        if len(fitting) == 1:
            return fitting[0]
        readable = (name for name in fitting if self._readable(f"{path}/{name}/data"))
        return next(readable, fitting[0])

    def _readable(self, path: str) -> bool:
        try:
            Hdf5Array.find(self.source, path, roots=self.roots)
        except LightwellError:
            return False
        return True

    def _children(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield name and NX_class of the groups in a group that can be opened in this file."""
        group = self.file[path]
        for name in group:
            link = self._link(f"{path}/{name}")
            if link is None or getattr(link, "filename", None):
                continue
            try:
                nx_class = read_attributes(group[name]).get("NX_class")
            except (KeyError, OSError, RuntimeError):
                continue
            if isinstance(nx_class, str):
                yield str(name), nx_class

    def _data(self, path: str) -> dict[str, Any]:
        """Return signal, axes and fields of an NXdata, new and old conventions."""
        attributes = read_attributes(self.file[path])
        fields = {
            name: ref
            for name in self.file[path]
            if self._is_array(f"{path}/{name}") and (ref := self.array(f"{path}/{name}"))
        }
        signal = attributes.get("signal") or self._old_signal(path, fields)
        axes = _names(attributes.get("axes"))
        found: dict[str, Any] = {
            "fields": fields,
            "signal": signal if isinstance(signal, str) else None,
            "auxiliary_signals": _names(attributes.get("auxiliary_signals")),
            "axes": axes,
            "indices": dict(_indices(attributes, axes)),
            "long_names": {
                name: long_name
                for name in fields
                if isinstance(long_name := self._attributes(f"{path}/{name}").get("long_name"), str)
            },
        }
        if found["signal"] and found["signal"] not in fields:
            self.header.flag("signal-missing", f"There is no array {signal!r} to show.", path)
        return found

    def _old_signal(self, path: str, fields: Mapping[str, ArrayRef]) -> str | None:
        """Return the field marked `signal=1`, as files before 2014 do."""
        marks = (n for n in fields if str(self._attributes(f"{path}/{n}").get("signal")) == "1")
        return next(marks, None)

    def _parameters(self, path: str, field: str) -> Iterator[tuple[str, Parameter]]:
        """Yield the short values of an NXparameters as they stand."""
        for name in self.file[path]:
            value = self.header.value(f"{path}/{name}", field=f"{field}.values.{name}")
            if value is not None:
                original = self.header.original([f"{path}/{name}"]).get(f"{path}/{name}")
                if original is not None:
                    yield str(name), Parameter(value=original.value, unit=original.unit)

    def _long_text(self, path: str) -> str | None:
        """Return the text of a note whose data is an array of bytes."""
        try:
            raw = self.file[f"{path}/data"][()]
            return bytes(raw).decode("utf-8").replace("\x00", "")
        except (KeyError, OSError, RuntimeError, UnicodeDecodeError, TypeError, ValueError):
            return None

    def _link(self, path: str) -> Any:
        """Return the link at a path, or None; nothing is opened."""
        parent, _, name = path.rpartition("/")
        try:
            return self.file[parent or "/"].get(name, getlink=True)
        except (KeyError, OSError, RuntimeError):
            return None

    def _is_array(self, path: str) -> bool:
        """Return whether numbers in more than one element stand at a path, or a broken link."""
        link = self._link(path)
        if getattr(link, "filename", None):
            return self._external_is_array(path)
        try:
            item = self.file[path]
            return item.dtype.kind in "biufc" and item.size is not None and item.size != 1
        except (AttributeError, KeyError, OSError, RuntimeError):
            return False

    def _external_is_array(self, path: str) -> bool:
        try:
            found = Hdf5Array.find(self.source, path, roots=self.roots)
        except LightwellError:
            return False
        return found.shape not in ((), (1,))

    def _attributes(self, path: str) -> dict[str, Any]:
        try:
            return dict(read_attributes(self.file[path]))
        except (KeyError, OSError, RuntimeError):
            return {}

    def _unit(self, path: str) -> str | None:
        unit = self._attributes(path).get("units")
        return ascii_unit(unit) or None if isinstance(unit, str) else None


def _dotted(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _names(value: Any) -> tuple[str, ...]:
    """Return axis names from an array of texts, or from one text with separators."""
    if isinstance(value, str):
        parts = value.strip("[]").replace(",", ":").split(":")
        return tuple(part.strip().strip("'\"") for part in parts if part.strip())
    return tuple(str(item) for item in value) if isinstance(value, tuple) else ()


def _indices(
    attributes: Mapping[str, Any], axes: tuple[str, ...]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the dimensions that axes span, where they are not simply their place in `axes`."""
    for name, value in attributes.items():
        if not name.endswith("_indices"):
            continue
        axis = name.removesuffix("_indices")
        items = value if isinstance(value, tuple) else (value,)
        try:
            spans = tuple(int(item) for item in items)
        except (TypeError, ValueError):
            continue
        if axis not in axes or spans != (axes.index(axis),):
            yield axis, spans
