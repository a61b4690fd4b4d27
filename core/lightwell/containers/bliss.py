"""ESRF BLISS: a master file with one NXentry per scan, ``<scan>.<subscan>``, or links to them.

Layout: the ID11 file of Dioptas' tests; nxtomomill 2.1.7, `settings.py`, `tests/utils/bliss.py`.
What a scan was for is not known here; frames and motors are told where they stand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lightwell.hdf5 import decode, members, read_attributes

__all__ = ["BlissScan", "array_length", "bliss_scans", "detectors", "motor_path", "text_at"]

# In files of a proposal the name of the dataset stands before the numbers.
_NAME = re.compile(r"(?:(?P<dataset>.*)_)?(?P<scan>\d+)\.(?P<subscan>\d+)")
_BROKEN = (KeyError, OSError, RuntimeError, AttributeError, TypeError, ValueError)
_MOTOR_PLACES = ("measurement/{}", "instrument/{}/value", "instrument/{}/data")
_POSITIONERS = ("instrument/positioners/{}", "instrument/positioners_start/{}")


@dataclass(frozen=True, order=True)
class BlissScan:
    """One entry of a master: its place in the order of acquisition, its name and title."""

    dataset: str
    scan: int
    subscan: int
    name: str
    title: str


def bliss_scans(opened: Any) -> list[BlissScan]:
    """Return the scans of an open master in the order they were taken; none of other files.

    Every NXentry has to be named as BLISS does. Entries behind links that dangle are left out.
    """
    found = []
    for member in members(opened):
        try:
            group = opened[member.name]
            if read_attributes(group).get("NX_class") != "NXentry":
                continue
        except _BROKEN:
            continue
        name = _NAME.fullmatch(member.name)
        if name is None:
            return []
        title = text_at(group, "title") or ""
        numbers = int(name["scan"]), int(name["subscan"])
        found.append(BlissScan(name["dataset"] or "", *numbers, member.name, title))
    return sorted(found)


def text_at(group: Any, path: str) -> str | None:
    """Return the text, or a number as text, at a path below a group; None where there is none."""
    try:
        value = decode(group[path][()])
    except _BROKEN:
        return None
    if isinstance(value, tuple):
        value = value[0] if value else None
    return str(value) if value not in (None, "") else None


def detectors(group: Any) -> Iterator[str]:
    """Yield the names of the detectors of a scan that have a stack of images, missing ones too."""
    try:
        instrument = group["instrument"]
        names = list(instrument)
    except _BROKEN:
        return
    for name in names:
        try:
            if read_attributes(instrument[name]).get("NX_class") != "NXdetector":
                continue
            link = instrument[name].get("data", getlink=True)
            if link is None:
                continue
            # A link that dangles may well lead to images; what does not is looked at.
            dangles = getattr(link, "filename", None) and instrument[name].get("data") is None
            if dangles or len(instrument[name]["data"].shape) == 3:
                yield str(name)
        except _BROKEN:
            continue


def motor_path(group: Any, motor: str) -> str | None:
    """Return where the positions of a motor stand in a scan, recorded ones before set ones."""
    for place in (*_MOTOR_PLACES, *_POSITIONERS):
        path = place.format(motor)
        if array_length(group, path) is not None:
            return path
    return None


def array_length(group: Any, path: str) -> int | None:
    """Return how many numbers a path holds, 1 for a single one, None where there are none."""
    try:
        item = group[path]
        return int(item.shape[0]) if len(item.shape) == 1 else (1 if item.shape == () else None)
    except _BROKEN:
        return None
