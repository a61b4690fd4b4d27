"""The one frame of coordinates, what a person may say about it, and frames without a position.

Rows and columns are those of the frames as they are stored. A position says where the illumination
is on the object, along rows and along columns: it grows where the patch of the object that is lit
has larger indices. CXI instead says where the sample is, in its laboratory axes (x, y, z), and
where the pixels of the detector lie in them; what moves the sample one way moves the light the
other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lightwell import ArrayRef
from lightwell.errors import InputError
from lightwell.model import FilePart
from lightwell.nexus import Header
from lightwell_ptychography.schema import Scan

__all__ = ["CXI_BASIS", "Axes", "cut_to_shorter", "of_light", "of_sample"]

CXI_BASIS = (0.0, -1.0, 0.0, -1.0, 0.0, 0.0)
"""Rows run down and columns to the right of who looks along the beam: CXI's own default."""


class Axes(NamedTuple):
    """What a person says about the axes, recorded as given.

    swap_axes : positions are stored columns first; flip_rows, flip_columns : they grow the other
    way.
    """

    swap_axes: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def applied(self, scan: Scan) -> Scan:
        """The scan with what was said."""
        rows, columns = scan.to_rows, scan.to_columns
        if self.swap_axes:
            rows, columns = columns, rows
        update = {
            "to_rows": tuple(-one if self.flip_rows else one for one in rows),
            "to_columns": tuple(-one if self.flip_columns else one for one in columns),
        }
        return scan.model_copy(update=update)


def of_sample(basis: Sequence[float] | None) -> dict[str, Any]:
    """How a displacement (x, y, z) of the sample moves the light over rows and columns.

    basis : the step along rows, then that along columns, of the detector; CXI's default if None.

    >>> of_sample(None)
    {'to_rows': (0.0, 1.0, 0.0), 'to_columns': (1.0, 0.0, 0.0)}
    """
    steps = tuple(basis or CXI_BASIS)
    found: dict[str, Any] = {}
    for name, step in (("to_rows", steps[:3]), ("to_columns", steps[3:])):
        length = sum(one * one for one in step) ** 0.5
        if not length:
            raise InputError(
                "the basis vectors of the detector have no length",
                remedy="give a file whose detector_1/basis_vectors are steps from pixel to pixel",
            )
        found[name] = tuple(0.0 - one / length for one in step)
    return found


def of_light() -> dict[str, Any]:
    """Positions that are those of the illumination already, along rows, then along columns."""
    return {"to_rows": (1.0, 0.0), "to_columns": (0.0, 1.0)}


def cut_to_shorter(
    header: Header, frames: ArrayRef, positions: ArrayRef, *, components_first: bool = False
) -> tuple[ArrayRef, ArrayRef]:
    """Frames and positions of one number; where they differ the longer is cut, and that is said.

    A list of positions with the components first is not cut here: its reader takes as many as
    there are frames.
    """
    count = positions.shape[1 if components_first else 0]
    number = min(frames.shape[0], count)
    if frames.shape[0] == count:
        return frames, positions
    header.flag(
        "count-contradicts",
        f"There are {frames.shape[0]} frames and {count} positions; the first {number} of each "
        "are used.",
        "instrument.detector.data",
    )
    return _first(frames, number), positions if components_first else _first(positions, number)


def _first(ref: ArrayRef, number: int) -> ArrayRef:
    """The first members of an array along its first axis."""
    parts: list[Any] = []
    left = number
    for part, length in zip(ref.parts, ref.lengths(), strict=True):
        if left and isinstance(part, FilePart):
            parts.append(part.model_copy(update={"count": min(length, left)}))
            left -= min(length, left)
    shape = (number, *ref.shape[1:])
    return ArrayRef(shape=shape, dtype=ref.dtype, unit=ref.unit, parts=tuple(parts))
