"""Rotation axis from two views of the sample half a turn apart."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PairFit", "pair_axis"]

Floats = NDArray[np.float64]

_SMOOTHING = 1.0
_LEAST_OVERLAP = 0.15
_ITERATIONS = 30
_CONVERGED = 1e-4
_REWEIGHTINGS = 2
# Tukey's 4.685 standard deviations, each 1.4826 median deviations.
_BIWEIGHT = 4.685 * 1.4826


class PairFit(NamedTuple):
    """Rotation axis from one pair of opposite views.

    value       : pixel, 0 at the centre of the first pixel
    sigma       : pixel, from the noise and the sharpness of the views alone
    correlation : of the two views at this axis, -1 to 1
    """

    value: float
    sigma: float
    correlation: float


def pair_axis(
    first: ArrayLike, opposite: ArrayLike, near: float | None = None, search: float | None = None
) -> PairFit:
    """Rotation axis that makes a view the mirror image of the one taken half a turn later.

    first, opposite : (row, x) float, line integrals
    near            : pixel, middle of the search; the middle of the detector by default
    search          : pixel, to either side of it; half the width by default

    The whole pixel comes from the correlation of the overlapping parts, of the views or of their
    slopes, weighed so that a short chance overlap does not win; the fraction from a robust
    least-squares registration, in which parts that do not match lose their weight.

    Raises ValueError when the views differ in shape or are narrower than 8 pixels.

    Source: the correlation of overlaps, D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012);
    the registration, B. D. Lucas and T. Kanade, Proc. IJCAI, 674 (1981), with Tukey's biweight.
    """
    view = np.atleast_2d(np.asarray(first, np.float64))
    mirrored = np.atleast_2d(np.asarray(opposite, np.float64))[:, ::-1]
    if view.shape != mirrored.shape:
        raise ValueError(f"the two views differ in shape: {view.shape} and {mirrored.shape}")
    width = view.shape[1]
    if width < 8:
        raise ValueError(f"views {width} pixels wide are too narrow to find an axis in")
    middle = 0.5 * (width - 1)
    offset = 0.0 if near is None else near - middle
    reach = 0.5 * width if search is None else search
    view, mirrored = _smoothed(view), _smoothed(mirrored)
    fits = [
        _registered(view, mirrored, start, correlation)
        for start, correlation in _candidates(view, mirrored, offset, reach)
    ]
    return min(fits, key=lambda fit: fit.sigma)


def _candidates(
    view: Floats, mirrored: Floats, offset: float, search: float
) -> list[tuple[float, float]]:
    """Best whole shift, with its correlation, by the views themselves and by their slopes.

    The slopes do not see a change that covers one end of a view; the views are less noisy.
    """
    width = view.shape[1]
    shifts, plain = _overlap_correlation(view, mirrored)
    _, slopes = _overlap_correlation(np.gradient(view, axis=1), np.gradient(mirrored, axis=1))
    overlap = width - np.abs(shifts)
    allowed = np.abs(0.5 * shifts - offset) <= search + 0.5
    allowed &= overlap >= max(6.0, _LEAST_OVERLAP * width)
    if not allowed.any():
        raise ValueError("the search for the axis leaves the two views no overlap")
    found: list[tuple[float, float]] = []
    for correlation in (plain, slopes):
        score = np.arctanh(np.clip(correlation, -0.999999, 0.999999)) * np.sqrt(overlap)
        best = int(np.argmax(np.where(allowed, score, -np.inf)))
        found.append((float(shifts[best]), float(plain[best])))
    return found


def _registered(view: Floats, mirrored: Floats, start: float, correlation: float) -> PairFit:
    shift, sigma = _refined(view, mirrored, start)
    return PairFit(0.5 * (view.shape[1] - 1 + shift), 0.5 * sigma, correlation)


def _smoothed(view: Floats) -> Floats:
    reach = int(np.ceil(4.0 * _SMOOTHING))
    taps = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / _SMOOTHING))
    taps /= taps.sum()
    padded = np.pad(view, ((0, 0), (reach, reach)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.size, axis=1)
    return np.asarray(windows @ taps)


def _overlap_correlation(view: Floats, mirrored: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Pearson correlation of the overlap for mirrored(x) = view(x + shift), row means removed."""
    width = view.shape[1]
    view = view - view.mean(axis=1, keepdims=True)
    mirrored = mirrored - mirrored.mean(axis=1, keepdims=True)
    shifts = np.arange(1 - width, width)
    start, stop = np.maximum(shifts, 0), np.minimum(width, width + shifts)
    count = stop - start

    def sums(values: Floats, low: NDArray[np.int64], high: NDArray[np.int64]) -> Floats:
        total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        return total[:, high] - total[:, low]

    spectrum = np.fft.rfft(view, 2 * width) * np.conj(np.fft.rfft(mirrored, 2 * width))
    product = np.fft.irfft(spectrum, 2 * width)[:, shifts]
    sum_view = sums(view, start, stop)
    sum_mirrored = sums(mirrored, start - shifts, stop - shifts)
    covariance = product - sum_view * sum_mirrored / count
    variance_view = sums(view**2, start, stop) - sum_view**2 / count
    variance_mirrored = sums(mirrored**2, start - shifts, stop - shifts) - sum_mirrored**2 / count
    power = np.maximum(variance_view, 0.0).sum(axis=0)
    power *= np.maximum(variance_mirrored, 0.0).sum(axis=0)
    usable = power > 1e-18 * max(float(power.max()), 1e-300)
    scale = np.sqrt(np.where(usable, power, 1.0))
    return shifts, np.where(usable, covariance.sum(axis=0), 0.0) / scale


def _refined(view: Floats, mirrored: Floats, shift: float) -> tuple[float, float]:
    """Shift and its sigma by iterated, reweighted least squares on the overlap."""
    width = view.shape[1]
    x = np.arange(width, dtype=np.float64)
    start = shift
    sigma = float("inf")
    for _ in range(_ITERATIONS):
        # Both views move by half the shift, so that both lose the same detail.
        reach = 0.5 * abs(shift)
        inside = x[(x >= reach) & (x <= width - 1 - reach)]
        if inside.size < 4:
            return start, float("inf")
        one = _at(view, inside + 0.5 * shift)
        two = _at(mirrored, inside - 0.5 * shift)
        slope = 0.5 * (np.gradient(one, axis=1) + np.gradient(two, axis=1))
        step, sigma = _least_squares_step(one - two, slope, np.hanning(inside.size + 2)[1:-1])
        shift -= float(np.clip(step, -0.5, 0.5))
        if abs(shift - start) > 2.0:
            return start, float("inf")
        if abs(step) < _CONVERGED:
            break
    return shift, sigma


def _least_squares_step(residual: Floats, slope: Floats, taper: Floats) -> tuple[float, float]:
    weight = np.broadcast_to(taper, residual.shape)
    step, normal, rest = _weighted_step(residual, slope, weight)
    for _ in range(_REWEIGHTINGS):
        scale = _BIWEIGHT * float(np.median(np.abs(rest))) + 1e-300
        weight = taper * np.square(np.maximum(1.0 - np.square(rest / scale), 0.0))
        step, normal, rest = _weighted_step(residual, slope, weight)
    # Smoothing leaves neighbours correlated: this many pixels carry one independent value.
    dependent = 2.0 * np.sqrt(np.pi) * _SMOOTHING
    variance = float((weight * rest**2).sum() / (weight.sum() + 1e-30))
    return step, float(np.sqrt(variance * dependent / normal))


def _weighted_step(residual: Floats, slope: Floats, weight: Floats) -> tuple[float, float, Floats]:
    """The step, its normal equation's coefficient, and what it leaves; each row has its level."""
    mass = weight.sum(axis=1, keepdims=True) + 1e-30
    level = residual - (weight * residual).sum(axis=1, keepdims=True) / mass
    flat = slope - (weight * slope).sum(axis=1, keepdims=True) / mass
    normal = float((weight * flat**2).sum()) + 1e-300
    step = float((weight * flat * level).sum()) / normal
    return step, normal, level - step * flat


def _at(rows: Floats, position: Floats) -> Floats:
    """Rows at fractional positions, by cubic convolution (R. Keys, 1981)."""
    base = np.floor(position).astype(np.int64)
    t = position - base
    last = rows.shape[1] - 1
    taps = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1.0 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2.0 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    values = np.zeros((rows.shape[0], position.size))
    for n, tap in enumerate(taps):
        values += tap * rows[:, np.clip(base + n - 1, 0, last)]
    return values
