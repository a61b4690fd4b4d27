"""The angles of beamline 8.3.2: of every frame, or evenly over the range of the scan."""

from collections.abc import Sequence
from typing import Any

from lightwell import ArrayRef
from lightwell.errors import MissingMetadata
from lightwell.model import EvenPart
from lightwell.nexus import Header
from lightwell_tomography.importers.als832_facts import parameter_number
from lightwell_tomography.importers.angles import ASK

__all__ = ["frame_angles", "scan_angles"]

_MOST_RUNS = 64
"""So that the description of thousands of frames stays a short document."""
_EXACT_DEG = 1e-6


def scan_angles(header: Header, numbers: Sequence[int], where: str) -> ArrayRef:
    """The angles of the projections with these numbers: nangles of them evenly over arange.

    Both ends are included and the first is 0, as alsmicroct and dxchange's users take them; the
    file does not say so, and that is flagged.
    Errors: MissingMetadata without arange or nangles.
    """
    span, said = parameter_number(header, "arange"), parameter_number(header, "nangles")
    if not span or not said:
        raise MissingMetadata(
            "arange and nangles do not say the angles of the projections", where=where, remedy=ASK
        )
    # A scan that was broken off has fewer projections, at the angles it had planned.
    count = max(int(said), numbers[-1] + 1)
    text = (
        f"The file holds no angles: {count} of them evenly from 0 to {span:g} degree (arange), "
        "both ends included, are assumed."
    )
    header.flag("angles-assumed", text, "arange")

    def planned(index: int) -> float:
        return span * index / max(count - 1, 1)

    rows = _consecutive(numbers)
    return _angles([EvenPart(first=planned(a), last=planned(b), count=b - a + 1) for a, b in rows])


def frame_angles(header: Header, values: Sequence[float | None]) -> ArrayRef | None:
    """The angles that the frames' own attribute rot_angle says, None where one does not.

    They are kept as runs of even steps; the largest difference that makes is flagged.
    """
    import numpy as np

    if any(value is None for value in values):
        header.flag("angles-incomplete", "Some frames have no rot_angle; none is used.", None)
        return None
    known = np.asarray(values, np.float64)
    if not np.isfinite(known).all():
        header.flag("angles-incomplete", "Some rot_angle are no numbers; none is used.", None)
        return None
    within = _EXACT_DEG
    while len(parts := _even_runs(known, within)) > _MOST_RUNS:
        within *= 2
    worst = float(np.abs(np.concatenate([p.values for p in parts]) - known).max())
    if worst > _EXACT_DEG:
        text = f"The angles are kept as {len(parts)} even runs, within {worst:.2g} degree."
        header.flag("angles-rounded", text, None)
    return _angles(parts)


def _angles(parts: Sequence[EvenPart]) -> ArrayRef:
    count = sum(part.count for part in parts)
    return ArrayRef(shape=(count,), dtype="float64", unit="degree", parts=tuple(parts))


def _consecutive(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of every row of consecutive numbers."""
    rows: list[tuple[int, int]] = []
    for number in numbers:
        if rows and rows[-1][1] + 1 == number:
            rows[-1] = (rows[-1][0], number)
        else:
            rows.append((number, number))
    return rows


def _even_runs(values: Any, within: float) -> list[EvenPart]:
    """The longest even runs, one after the other, that are nowhere further off than `within`."""
    parts: list[EvenPart] = []
    start = 0
    while start < len(values):
        # Twice the length as long as it fits, then the boundary by halves.
        fits, fails = start, len(values)
        step = 1
        while start + step < len(values) and _is_even(values[start : start + step + 1], within):
            fits, step = start + step, 2 * step
        fails = min(start + step, len(values))
        while fails - fits > 1:
            middle = (fits + fails) // 2
            if _is_even(values[start : middle + 1], within):
                fits = middle
            else:
                fails = middle
        first, last = float(values[start]), float(values[fits])
        parts.append(EvenPart(first=first, last=last, count=fits - start + 1))
        start = fits + 1
    return parts


def _is_even(values: Any, within: float) -> bool:
    import numpy as np

    line = np.linspace(values[0], values[-1], len(values))
    return bool(np.abs(line - values).max() <= within)
