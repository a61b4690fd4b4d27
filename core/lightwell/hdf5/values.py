"""Small values of a file: scalars, short arrays, attributes, decoded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from lightwell.hdf5.opening import identity

__all__ = ["Values", "decode", "read_attributes", "read_scalars", "read_values", "resolve_alias"]

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

#: Longer arrays are data, not header.
SHORT = 16
# What NeXus and HDF5 use to say how a file is built; it is not a value of the measurement.
_STRUCTURE = {
    *("NX_class", "units", "unit", "target", "signal", "axes", "axis", "default", "primary"),
    *("interpretation", "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid"),
}


@dataclass(frozen=True)
class Values:
    """What `read_values` found: values with units by path, and other names of the same objects."""

    values: dict[str, tuple[Value, str | None]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def decode(value: Any) -> Value | None:
    r"""Return a value as Python's own, text stripped; None for what is no short value.

    >>> decode(b"19.26 keV\r"), decode(np.float32(0.5)), decode(np.arange(3))
    ('19.26 keV', 0.5, (0, 1, 2))
    """
    scalar = _scalar(value)
    if scalar is not None:
        return scalar
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.names or value.size > SHORT or value.dtype.kind not in "biufSUO":
        return None
    items = [_scalar(item) for item in value.ravel()]
    scalars = tuple(item for item in items if item is not None)
    if len(scalars) != len(items):
        return None
    return scalars[0] if value.ndim == 0 or value.shape == (1,) else scalars


def _scalar(value: Any) -> Scalar | None:
    """Return one value as Python's own, or None."""
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, str):
        return str(value).replace("\x00", "").strip()
    if isinstance(value, np.floating) and value.itemsize < 8:
        # The shortest number that means the same: 6.7e-06, not 6.699999790726e-06.
        return float(str(value))
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (bool, int, float)) else None


def _text(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        # Older control systems write degree signs and umlauts so.
        text = value.decode("latin-1")
    return text.replace("\x00", "").strip()


def read_attributes(item: Any) -> dict[str, Value]:
    """Return the readable short attributes of an open group or dataset."""
    found: dict[str, Value] = {}
    for name in item.attrs:
        try:
            value = decode(item.attrs[name])
        except (OSError, RuntimeError, TypeError, ValueError, KeyError):
            continue
        if value is not None:
            found[str(name)] = value
    return found


def read_scalars(file: Any, group: str = "/") -> dict[str, tuple[Value, str | None]]:
    """Return {path: (value, unit)} of all scalars, short arrays and attributes below a group.

    Paths are absolute; an attribute's is `path@name`. Neither soft nor external links are
    followed; an object with several names has its first.
    """
    return read_values(file, group).values


def read_values(file: Any, group: str = "/") -> Values:
    """Return what `read_scalars` does, and the other names of the objects read."""
    found = Values()
    first: dict[Any, str] = {}
    # The path asked for, not the group's own name: behind an external link that is another.
    prefix = f"/{group.strip('/')}".rstrip("/")
    for path, item in _walk(file[group], prefix, first, found):
        attributes = read_attributes(item)
        unit = attributes.get("units", attributes.get("unit"))
        if isinstance(item, h5py.Dataset):
            value = _dataset_value(item)
            if value is not None:
                found.values[path] = (value, str(unit) if unit not in (None, "") else None)
        for name, value in attributes.items():
            if _tells(name, value, path):
                found.values[f"{path or '/'}@{name}"] = (value, None)
    return found


def _tells(name: str, value: Value, path: str) -> bool:
    """Return whether an attribute says more than how the file is built or the object is called."""
    if name in _STRUCTURE or name.endswith("_indices"):
        return False
    own = path.rpartition("/")[2].strip()
    return not (isinstance(value, str) and value.rpartition(".")[2] == own)


def _walk(group: Any, path: str, first: dict[Any, str], found: Values) -> Iterator[tuple[str, Any]]:
    """Yield every object below a group once; note other names of datasets as aliases."""
    first[identity(group)] = path
    yield path, group
    for key in group:
        name = f"{path}/{key}"
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.SoftLink):
            found.aliases[name] = _absolute(path, str(link.path))
            continue
        if isinstance(link, h5py.ExternalLink):
            continue
        try:
            item = group[key]
        except (KeyError, OSError, RuntimeError):
            continue
        known = first.get(identity(item))
        if known is not None:
            found.aliases[name] = known
        elif isinstance(item, h5py.Group):
            yield from _walk(item, name, first, found)
        elif isinstance(item, h5py.Dataset):
            first[identity(item)] = name
            yield name, item


def _dataset_value(item: Any) -> Value | None:
    """Return the value of a short dataset that lies in this file."""
    if item.shape is None or item.size > SHORT or item.is_virtual:
        return None
    try:
        return decode(item[()])
    except (OSError, RuntimeError, TypeError, ValueError, KeyError):
        return None


def _absolute(path: str, target: str) -> str:
    return target if target.startswith("/") else f"{path}/{target}"


def resolve_alias(path: str, aliases: Mapping[str, str]) -> str:
    """Return the first name of an object, whatever name it is asked by.

    >>> resolve_alias("/entry/a/energy", {"/entry/a": "/entry/b"})
    '/entry/b/energy'
    """
    for _ in range(SHORT):
        known = next((p for p in _prefixes(path) if p in aliases), None)
        if known is None:
            return path
        path = aliases[known] + path[len(known) :]
    return path


def _prefixes(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
