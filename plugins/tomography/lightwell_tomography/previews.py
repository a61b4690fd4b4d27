"""Pictures of a scan on its way to a volume: raw, norm, sino, rec."""

from typing import TYPE_CHECKING, Any

from lightwell import Preview
from lightwell_tomography.products import Projections, Scan, Sinograms, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PREVIEWS"]


def _raw(scan: Scan) -> "NDArray[Any]":
    return _member(scan.frames, 0)


def _norm(projections: Projections) -> "NDArray[Any]":
    return _member(projections.transmission, 0)


def _sino(sinograms: Sinograms) -> "NDArray[Any]":
    return _member(sinograms.attenuation, (slice(None), 0))


def _rec(volume: Volume) -> "NDArray[Any]":
    # Pictures begin at the top, the coordinate y grows upwards.
    return _member(volume.data, 0)[::-1]


def _member(array: Any, index: Any) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(array[index])


PREVIEWS = (
    Preview("raw", Scan, "angle", _raw),
    Preview("norm", Projections, "angle", _norm),
    Preview("sino", Sinograms, "row", _sino),
    Preview("rec", Volume, "row", _rec),
)
