"""Angles: read or given by a person, judged, and laid over the frames of a scan."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lightwell import ArrayRef
from lightwell.errors import InputError, MissingMetadata, ParameterError, UnitError
from lightwell.model import EvenPart, FilePart, Flag
from lightwell.model.arrays import Part, SeriesPart
from lightwell.units import convert, resolve_unit
from lightwell_tomography.schema import PROJECTION

__all__ = ["ASK", "angle_unit", "cut", "doubts", "given_angles", "needed", "over_frames"]

ASK = "give them: --set first_angle=0 --set last_angle=180 (degree, both ends included)"
"""How a person gives the angles that no file holds."""


def given_angles(first: float | None, last: float | None, count: int) -> ArrayRef | None:
    """The angles of `count` projections that a person gave, both ends included, or None.

    first, last : degree
    Errors: ParameterError for one without the other, and for angles that are no scan.
    """
    if first is None and last is None:
        return None
    if first is None or last is None:
        missing = "first_angle" if first is None else "last_angle"
        raise ParameterError(
            f"{missing} is missing beside the other end of the scan",
            remedy=f"give it: --set {missing}=… (degree)",
        )
    if not (math.isfinite(first) and math.isfinite(last)) or (first == last and count > 1):
        raise ParameterError(
            f"a scan of {count} projections cannot go from {first:g} to {last:g} degrees",
            remedy="give first_angle and last_angle as two different numbers (degree)",
        )
    return ArrayRef.even(first, last, count, "degree")


def needed(angles: ArrayRef | None, where: str) -> ArrayRef:
    """The angles, if there are any.

    Errors: MissingMetadata where neither file nor person gave them.
    """
    if angles is None:
        raise MissingMetadata(
            "the angles of the projections are not in the files", where=where, remedy=ASK
        )
    return angles


def angle_unit(text: str | None, place: str, where: str) -> tuple[str, list[Flag]]:
    """The unit that angles are in; one that the file does not say is degree, and flagged.

    Errors: InputError for a unit that is none of angles.
    """
    try:
        unit = resolve_unit(text) if text else None
        if unit is None:
            said = f"{place} has no unit; its angles are taken for degrees."
            return "degree", [Flag(code="angle-unit-assumed", message=said, path=place)]
        # That "degrees" and "deg" are "degree" spares every reader the question.
        return "degree" if convert(1.0, unit, "degree") == 1.0 else unit, []
    except UnitError:
        raise InputError(
            f"the unit of {place} is {text!r}, which is no unit of angles",
            where=where,
            remedy=f"correct the file, or {ASK}",
        ) from None


def doubts(values: Any, unit: str, place: str) -> list[Flag]:
    """What is odd about angles (an array): half a turn or a turn in radian called degrees."""
    import numpy as np

    known = values[np.isfinite(values)]
    found = []
    if len(known) < len(values):
        said = f"{len(values) - len(known)} of {len(values)} angles in {place} are not numbers."
        found.append(Flag(code="angles-not-numbers", message=said, path=place))
    span = float(np.ptp(known)) if len(known) else 0.0
    if unit == "degree" and len(values) > 8 and round(span / math.pi, 1) in (1.0, 2.0):
        said = f"{place} spans {span:.4g} degree, which looks like radian; degrees are taken."
        found.append(Flag(code="angle-unit-doubtful", message=said, path=place))
    return found


def over_frames(angles: ArrayRef, key: Sequence[int]) -> ArrayRef:
    """The angles of all frames, given those of the projections among them.

    key : of every frame, what it is; flats and darks get 0, since no angle is known for them.
    """
    parts: list[Part] = []
    done = 0
    for kind, frames in groupby(key):
        count = sum(1 for _ in frames)
        if kind == PROJECTION:
            parts.extend(cut(angles, done, count))
            done += count
        else:
            parts.extend(ArrayRef.constant(0.0, count).parts)
    return ArrayRef(shape=(len(key),), dtype=angles.dtype, unit=angles.unit, parts=tuple(parts))


def cut(array: ArrayRef, start: int, count: int) -> list[Part]:
    """The parts that hold `count` members of an array from `start` on."""
    found: list[Part] = []
    for part, length in zip(array.parts, array.lengths(), strict=True):
        first, stop = max(start, 0), min(start + count, length)
        start -= length
        if first >= stop:
            continue
        if isinstance(part, EvenPart):
            values = part.values
            ends = values[first], values[stop - 1]
            found.append(EvenPart(first=ends[0], last=ends[1], count=stop - first))
        elif isinstance(part, FilePart):
            moved = {"start": part.start + first, "count": stop - first}
            found.append(part.model_copy(update=moved))
        elif isinstance(part, SeriesPart):
            moved = {"first": part.first + first * part.step, "count": stop - first}
            found.append(part.model_copy(update=moved))
        else:
            found.append(part.model_copy(update={"count": stop - first}))
    return found
