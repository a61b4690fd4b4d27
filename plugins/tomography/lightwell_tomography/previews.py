"""Pictures of a scan on its way to a volume: raw, norm, sino, rec."""

from typing import TYPE_CHECKING, Any

from lightwell import Preview
from lightwell_tomography.products import Projections, Scan, Sinograms, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PREVIEWS"]


def _raw(scan: Scan) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(scan.frames)[0]


def _norm(projections: Projections) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(projections.transmission)[0]


def _sino(sinograms: Sinograms) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(sinograms.attenuation)[:, 0]


def _rec(volume: Volume) -> "NDArray[Any]":
    import numpy as np

    return np.asarray(volume.data)[0]


PREVIEWS = (
    Preview("raw", Scan, "angle", _raw),
    Preview("norm", Projections, "angle", _norm),
    Preview("sino", Sinograms, "row", _sino),
    Preview("rec", Volume, "row", _rec),
)
