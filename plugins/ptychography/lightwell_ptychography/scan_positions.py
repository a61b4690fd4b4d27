"""Positions of an entry in the one frame of coordinates: pixels of the object, rows first.

Both axes grow with the indices of the object's pixels; the frame that a position belongs to sees
the patch whose first pixel is there.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lightwell import ArrayRef, Entry
from lightwell.errors import MissingMetadata
from lightwell.stacks import LazyArray
from lightwell.units import convert

if TYPE_CHECKING:
    from lightwell_ptychography.optics import Optics

__all__ = ["MARGIN", "light_positions"]

MARGIN = 8
"""Pixels of the object round all frames, for positions to be refined into."""


def light_positions(
    entry: Entry, open_array: Callable[[ArrayRef], LazyArray], optics: "Optics"
) -> Any:
    """Where the light was at every frame: (frame, 2) float64, pixels of the object.

    Errors: MissingMetadata where there are no positions, or no size of a pixel to count them in.
    """
    import numpy as np

    scan = entry.lookup("scan")
    ref = entry.lookup("scan.positions")
    if not isinstance(ref, ArrayRef):
        raise MissingMetadata(
            "the dataset has no positions of its frames",
            remedy="ingest the file that has them, or a scan of ptychography",
        )
    values = np.asarray(open_array(ref).read(), np.float64)
    if scan.components_first:
        values = values.T
    count = entry.lookup("instrument.detector.data").shape[0]
    turned = np.array([scan.to_rows, scan.to_columns])
    light = values[:count, : turned.shape[1]] @ turned.T
    if ref.unit == "pixel":
        return light
    sizes = np.array([optics.object_row, optics.object_column])
    if not np.isfinite(sizes).all():
        raise MissingMetadata(
            "positions are lengths, and the size of a pixel of the object is not known without "
            "energy, distance and pixel size of the detector",
            remedy="give them when you ingest: --set energy=… --set distance=… --set pixel_size=…",
        )
    return light * convert(1.0, ref.unit or "m", "m") / sizes
