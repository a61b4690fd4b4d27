"""Channels: the arrays of an entry that hold one number for every frame, and their names."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lightwell.frame_index.quantities import channel_unit
from lightwell.model import ArrayRef, Data, Entry, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Channel", "channel_values", "find_channels", "frame_stack"]

_NAMES: Final[Mapping[str, str]] = {
    "instrument.source.current": "ring_current",
    "instrument.detector.image_key": "image_key",
    "instrument.detector.count_time": "exposure_time",
    "instrument.detector.frame_time": "frame_time",
    "instrument.detector.sequence_number": "sequence_number",
    "sample.rotation_angle": "rotation_angle",
    "instrument.detector.rotation_angle": "detector_rotation_angle",
    "sample.x_translation": "sample_x",
    "sample.y_translation": "sample_y",
    "sample.z_translation": "sample_z",
    "sample.temperature": "temperature",
    "sample.pressure": "pressure",
    "instrument.monochromator.energy": "energy",
    "instrument.monochromator.wavelength": "wavelength",
    "instrument.beam.flux": "flux",
    "instrument.detector.distance": "distance",
}
"""Names people ask by; one that is not here is made of the last names of its path."""

_NEVER: Final = frozenset({"pixel_mask", "flatfield"})
_MEANS_THE_GROUP: Final = frozenset({"data", "value"})
_ODD: Final = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Channel:
    """One number for every frame: its name, its place in the model, and where the array is."""

    name: str
    path: str
    ref: ArrayRef


def frame_stack(entry: Entry) -> ArrayRef | None:
    """Return the array whose first axis counts the frames of an entry.

    It is the main detector's; without one, the signal that is shown by default, if that is a
    stack of images or a row of points. None for an entry without frames.
    """
    found = entry.lookup("instrument.detector.data")
    if isinstance(found, ArrayRef) and found.ndim:
        return found
    data = entry.data.get(entry.default or "data")
    signal = data.fields.get(data.signal) if data and data.signal else None
    return signal if signal is not None and signal.ndim in (1, 3, 4) else None


def find_channels(entry: Entry) -> tuple[Channel, ...]:
    """Return every 1-D array of an entry that is as long as there are frames, each once.

    An axis of a plot counts only where it belongs to the first dimension.
    """
    stack = frame_stack(entry)
    if stack is None or not stack.shape[0]:
        return ()
    found: dict[str, Channel] = {}
    seen: list[tuple[Any, ...]] = []
    for path, ref in sorted(_arrays(entry, ""), key=lambda each: _rank(each[0])):
        if ref.shape != stack.shape[:1] or ref.parts in seen or path.split(".")[-1] in _NEVER:
            continue
        seen.append(ref.parts)
        name = _free(_name(path), path, found)
        found[name] = Channel(name, path, ref)
    return tuple(found.values())


def _arrays(group: Group, path: str) -> Iterator[tuple[str, ArrayRef]]:
    """Yield the arrays of a group and of the groups in it, with their places in the model."""
    for name in type(group).model_fields:
        here = f"{path}.{name}" if path else name
        value = getattr(group, name)
        if isinstance(value, ArrayRef):
            yield here, value
        elif isinstance(group, Data) and name == "fields":
            yield from _along_frames(group, here)
        elif isinstance(value, Group) and not isinstance(value, Entry):
            yield from _arrays(value, here)
        elif isinstance(value, Mapping) and name not in ("subentries", "unknown"):
            for key, child in value.items():
                if isinstance(child, Group):
                    yield from _arrays(child, f"{here}.{key}")


def _along_frames(data: Data, path: str) -> Iterator[tuple[str, ArrayRef]]:
    """Yield the fields of a plot that are not the axis of another dimension than the first."""
    for name, ref in data.fields.items():
        spans = data.indices.get(name) or tuple(
            place for place, axis in enumerate(data.axes) if axis == name
        )
        if not spans or spans == (0,):
            yield f"{path}.{name}", ref


def _rank(path: str) -> tuple[int, str]:
    """Sort arrays so that the one with a name of its own, or in no plot, names the channel."""
    return (0 if path in _NAMES else 2 if path.startswith("data.") else 1, path)


def _name(path: str) -> str:
    """Return the name of a channel by its place in the model.

    >>> _name("sample.x_translation"), _name("monitors.I0.data"), _name("data.plot.fields.th-2")
    ('sample_x', 'I0', 'th_2')
    """
    if path in _NAMES:
        return _NAMES[path]
    *groups, last = path.split(".")
    words = [groups[-1]] if last in _MEANS_THE_GROUP and groups else [last]
    if last not in _MEANS_THE_GROUP and groups and groups[0] in ("monitors", "instrument"):
        words = [groups[-1], last]
    return _ODD.sub("_", "_".join(words)).strip("_") or "channel"


def _free(name: str, path: str, taken: Mapping[str, Any]) -> str:
    """Return a name that no other channel has: that of the whole path if need be."""
    if name not in taken:
        return name
    whole = _ODD.sub("_", path)
    number = 2
    unique = whole
    while unique in taken:
        unique = f"{whole}_{number}"
        number += 1
    return unique


def channel_values(
    name: str, unit: str | None, values: "NDArray[Any]"
) -> "tuple[str, NDArray[Any]]":
    """Return the unit a channel is kept in, and its values in that unit.

    >>> import numpy as np
    >>> channel_values("sample_x", "um", np.array([500.0]))
    ('mm', array([0.5]))
    """
    kept = channel_unit(name, unit)
    return kept.kept, values if values.dtype.kind == "b" else kept.of(values)
