"""Which way round an image is stored: rings are sharp in one orientation and smear in others.

Scattering that does not depend on the azimuth leaves nothing when its mean round the beam is taken
off; what is left is small where the geometry fits. Of the share of the variance of log counts that
the means leave, orientations are compared.
"""

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.geometry import Geometry, positions, two_theta

__all__ = ["ORIENTATIONS", "clearer_orientation", "unexplained"]

ORIENTATIONS = (1, 2, 3, 4)

_PIXELS_PER_BIN = 1.0
_FEWEST = 8
_MUCH = 0.75
"""An orientation is clearer where it leaves at most this share of what the assumed one leaves."""


def unexplained(image: NDArray[np.float64], valid: NDArray[np.bool_], geometry: Geometry) -> float:
    """The share of the variance of ln(1 + counts) that means round the beam do not explain.

    image : (row, column) counts; valid : (row, column), pixels that count. 1 where none do.
    """
    shape = (image.shape[0], image.shape[1])
    rows, columns = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    angle = two_theta(*positions(geometry, rows, columns, shape))[valid]
    if angle.size < _FEWEST:
        return 1.0
    light = np.log1p(np.maximum(image[valid], 0.0))
    width = _PIXELS_PER_BIN * np.sqrt(geometry.pixel1 * geometry.pixel2) / geometry.distance
    ring = ((angle - angle.min()) / width).astype(np.int64)
    count = np.bincount(ring)
    safe = np.maximum(count, 1)
    mean = np.bincount(ring, light) / safe
    # A mean of few pixels explains them for no reason: what it takes from the sum is put back.
    rest = (light - mean[ring]) ** 2 * np.where(count > 1, count / np.maximum(count - 1, 1), 0)[
        ring
    ]
    alone = (count == 1)[ring]
    total = np.var(light[~alone]) if (~alone).any() else 0.0
    return float(rest[~alone].mean() / total) if total > 0 else 1.0


def clearer_orientation(
    image: NDArray[np.float64], valid: NDArray[np.bool_], geometry: Geometry
) -> int | None:
    """The orientation in which rings are much sharper than in the one of the geometry, if any is.

    image, valid : (row, column)
    """
    left = {
        way: unexplained(image, valid, geometry._replace(orientation=way)) for way in ORIENTATIONS
    }
    best = min(left, key=left.__getitem__)
    return best if left[best] <= _MUCH * left[geometry.orientation] else None
