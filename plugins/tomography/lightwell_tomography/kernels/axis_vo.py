"""Rotation axis from the shape of a sinogram's spectrum."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightwell_numerics.fft_sizes import fast_length

__all__ = ["VoFit", "half_turn", "vo_axis"]

Floats = NDArray[np.float64]

_COARSE_STEP = 0.5
_FINE_STEP = 0.1
_FINE_REACHES = (1.0, 0.4, 0.4)
_WEDGE_MARGIN = 1.15


class VoFit(NamedTuple):
    """Rotation axis from one sinogram.

    value    : pixel, 0 at the centre of the first pixel
    contrast : depth of the minimum below the median of the metric over the search, 0 to 1
    at_edge  : whether the minimum lies at the end of the search
    """

    value: float
    contrast: float
    at_edge: bool


def vo_axis(sinogram: ArrayLike, angles: ArrayLike, guess: float, search: float) -> VoFit:
    """Axis about which a sinogram and its mirror image join into a full turn.

    sinogram : (angle, x) float, line integrals
    angles   : (angle,) float64, degree, in any order, covering half a turn or more
    guess    : pixel, middle of the search
    search   : pixel, to either side

    The spectrum of a full turn is empty outside a double wedge; what lies there is least at the
    true axis. A coarse search in half pixels is followed by a fine one and a parabola. Unlike the
    source, the columns without a partner are cut off, and frequencies are weighted.

    Raises ValueError when the angles cover less than 170 degrees, or the guess leaves no overlap.

    Source: N. T. Vo, M. Drakopoulos, R. C. Atwood, C. Reinhard, "Reliable method for calculating
    the center of rotation in parallel-beam tomography", Opt. Express 22, 19078 (2014).
    """
    half = half_turn(np.asarray(sinogram, np.float64), np.asarray(angles, np.float64))
    width = half.shape[1]
    low, high = max(guess - search, 0.1 * width), min(guess + search, 0.9 * width - 1.0)
    if high <= low:
        raise ValueError(f"an axis near pixel {guess} is too close to the rim of the detector")
    coarse = np.linspace(low, high, max(5, int(np.ceil((high - low) / _COARSE_STEP)) + 1))
    metric = _metric(half, coarse, 0.5 * (low + high))
    best = int(np.argmin(metric))
    middle = float(np.median(metric))
    contrast = 1.0 - float(metric[best]) / middle if middle > 0.0 else 0.0
    at_edge = best in (0, coarse.size - 1)
    value = float(coarse[best])
    # The window draws the minimum towards its middle; moved there, it stops doing so.
    for reach in _FINE_REACHES:
        fine = value + np.arange(-reach, reach + 0.5 * _FINE_STEP, _FINE_STEP)
        value = _parabola_minimum(fine, _metric(half, fine, value))
    return VoFit(value, contrast, at_edge)


def half_turn(sinogram: Floats, angles: Floats) -> Floats:
    """The sinogram on evenly spaced angles of exactly half a turn, which ends where it starts.

    sinogram : (angle, x) float64
    angles   : (angle,) float64, degree
    """
    order = np.argsort(angles, kind="stable")
    ascending = angles[order] - angles[order[0]]
    if ascending[-1] < 170.0:
        raise ValueError(
            f"angles over {ascending[-1]:.1f} degrees are no half turn to find an axis in"
        )
    within = ascending < 180.0 - 1e-6
    count = int(np.count_nonzero(within))
    wanted = np.arange(count) * (180.0 / count)
    after = np.clip(np.searchsorted(ascending, wanted, side="right"), 1, ascending.size - 1)
    gap = np.maximum(ascending[after] - ascending[after - 1], 1e-9)
    # Beyond the last angle the last view is repeated; the true one would need the axis.
    share = np.clip((wanted - ascending[after - 1]) / gap, 0.0, 1.0)[:, None]
    rows = sinogram[order]
    return np.asarray((1.0 - share) * rows[after - 1] + share * rows[after])


def _metric(half: Floats, candidates: Floats, middle: float) -> Floats:
    """Weighted mean modulus outside the double wedge, for each candidate axis near `middle`."""
    count, width = half.shape
    reach = int(min(middle, width - 1 - middle))
    centre = round(middle)
    reach = min(reach, centre, width - 1 - centre)
    part = half[:, centre - reach : centre + reach + 1]
    distance = np.arange(2 * reach + 1, dtype=np.float64) + (centre - reach - middle)
    part = (part - part.mean()) * _taper(distance, reach)
    size = fast_length(2 * part.shape[1])
    outside = _outside_wedge(count, size, reach)
    angular, radial = np.nonzero(outside)
    if radial.size == 0:
        return np.zeros(candidates.size)
    direct = _spectrum(part, size)[outside]
    # The second half turn shows the part mirrored about its own middle column.
    delay = np.where(angular % 2 == 1, -1.0, 1.0)
    mirrored = (_spectrum(part[:, ::-1], size)[outside] * delay).astype(np.complex64)
    direct = direct.astype(np.complex64)
    # A mismatch is a jump in angle, so its spectrum falls as one over the angular frequency;
    # the noise does not fall, and unweighted it would hide the minimum.
    weight = (1.0 / _angular_frequency(count)[angular, 0]).astype(np.float32)
    frequency = np.arange(size // 2 + 1) / size
    metric = np.zeros(candidates.size)
    for n, candidate in enumerate(candidates):
        move = np.exp(-4j * np.pi * frequency * (candidate - centre)).astype(np.complex64)
        metric[n] = np.sum(weight * np.abs(direct + mirrored * move[radial]), dtype=np.float64)
    return metric / float(np.sum(weight, dtype=np.float64))


def _spectrum(part: Floats, size: int) -> NDArray[np.complex128]:
    """Transform (angular, radial) of half a turn within a full one that is zero elsewhere."""
    radial = np.fft.rfft(part, size, axis=1)
    return np.asarray(np.fft.fft(radial, 2 * part.shape[0], axis=0))


def _taper(distance: Floats, reach: int) -> Floats:
    """One in the middle, falling to zero over the last quarter of the reach on either side."""
    rise = (reach + 1.0 - np.abs(distance)) / (0.25 * reach + 1.0)
    return np.asarray(np.square(np.sin(0.5 * np.pi * np.clip(rise, 0.0, 1.0))))


def _outside_wedge(count: int, size: int, radius: float) -> NDArray[np.bool_]:
    """Points (angular, radial frequency) that no sample inside `radius` pixels can reach."""
    radial = np.arange(size // 2 + 1)[None, :] / size
    wedge = _WEDGE_MARGIN * 2.0 * np.pi * radius * radial + 4.0
    return np.asarray((_angular_frequency(count) > wedge) & (radial > 0.0))


def _angular_frequency(count: int) -> Floats:
    return np.asarray(np.abs(np.fft.fftfreq(2 * count, 0.5 / count))[:, None])


def _parabola_minimum(position: Floats, value: Floats) -> float:
    best = int(np.clip(np.argmin(value), 2, position.size - 3))
    near = slice(best - 2, best + 3)
    origin = float(position[best])
    curvature, slope, _ = np.polyfit(position[near] - origin, value[near], 2)
    if curvature <= 0.0:
        return origin
    reach = 2.0 * float(position[1] - position[0])
    return origin + float(np.clip(-0.5 * slope / curvature, -reach, reach))
