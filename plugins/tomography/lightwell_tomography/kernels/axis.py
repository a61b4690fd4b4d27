"""The rotation axis of a scan, with an uncertainty and a judgement."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightwell_tomography.kernels.axis_pair import PairFit, pair_axis
from lightwell_tomography.kernels.axis_vo import VoFit, vo_axis

__all__ = ["AxisFit", "PairFit", "VoFit", "find_axis", "pair_axis", "vo_axis"]

Floats = NDArray[np.float64]
Verdict = Literal["good", "doubtful", "failed"]

_VO_ROWS = 8
_VO_SEARCH = 5.0
_MOST_PAIRS = 9
_NEAR_HALF_TURN = 3.5
_ALIKE = 0.125
_SEVERAL = 5
_SIGMA_FLOOR = 0.02
_RESEMBLANCE = 0.7
_CONTRAST = 0.03
_DISAGREEMENT = 0.5
_FINE_WIDTH = 64
_FINE_VIEWS = 0.65


class AxisFit(NamedTuple):
    """Where the rotation axis is and how far to trust it.

    value   : pixel, 0 at the centre of the first pixel
    sigma   : pixel, one standard deviation
    verdict : "good", "doubtful" (look at a slice first) or "failed" (value is the detector middle)
    reason  : one sentence for the person who reads the verdict
    """

    value: float
    sigma: float
    verdict: Verdict
    reason: str


class _Measured(NamedTuple):
    value: float
    sigma: float
    quality: float


def find_axis(sinograms: ArrayLike, angles: ArrayLike, search: float | None = None) -> AxisFit:
    """Rotation axis from opposite views, refined by Vo's metric where the scan is fine enough.

    sinograms : (angle, row, x) float, line integrals; a few rows are enough
    angles    : (angle,) float64, degree, in any order, covering half a turn or more
    search    : pixel, to either side of the detector's middle; half the width by default

    Views that miss half a turn by a few steps are used by extrapolation. Vo's metric counts when
    the views are about as many as the pixels; otherwise it is only a cross-check.

    Raises ValueError when the shapes do not fit together. A scan without opposite views, or
    without a usable row, is answered by the verdict "failed", not by an exception.
    """
    stack, degrees = np.asarray(sinograms, np.float64), np.asarray(angles, np.float64).ravel()
    if stack.ndim != 3 or stack.shape[0] != degrees.size or degrees.size == 0:
        raise ValueError(
            f"{degrees.size} angles do not fit sinograms (angle, row, x) of shape {stack.shape}"
        )
    width = stack.shape[2]
    stack = stack[:, np.isfinite(stack).all(axis=(0, 2))]
    if stack.shape[1] == 0:
        return _failed(width, "every detector row holds invalid numbers")
    if width < 8:
        return _failed(width, f"{width} pixels are too narrow")
    covered = float(np.ptp(degrees))
    # The margin is what averaging of neighbouring views can take away, and Vo's metric needs 170.
    if not covered >= 170.0 + float(np.rad2deg(1.0 / width)):
        return _failed(width, f"the angles cover only {covered:.1f} degrees")
    order = np.argsort(degrees, kind="stable")
    stack, degrees = _binned(stack[order], degrees[order])
    pair = _from_pairs(stack, degrees, search)
    if pair is None:
        return _failed(width, "no two views lie half a turn apart")
    return _judged(pair, _from_vo(stack, degrees, pair.value), stack, degrees)


def _failed(width: int, reason: str) -> AxisFit:
    return AxisFit(0.5 * (width - 1), 0.5 * width, "failed", f"The axis was not found: {reason}.")


def _binned(stack: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Views averaged over the turn in which the rim of the sample moves by half a pixel."""
    step = float(np.ptp(degrees)) / max(degrees.size - 1, 1)
    together = int(np.rad2deg(1.0 / stack.shape[2]) / max(step, 1e-9))
    if together < 2:
        return stack, degrees
    count = degrees.size // together
    starts = np.arange(count) * together
    sizes = np.diff(np.append(starts, degrees.size))
    views = np.add.reduceat(stack, starts, axis=0) / sizes[:, None, None]
    return views, np.add.reduceat(degrees, starts) / sizes


def _from_pairs(stack: Floats, degrees: Floats, search: float | None) -> _Measured | None:
    pairs = _opposite_views(degrees)
    if not pairs:
        return None
    fits = [pair_axis(stack[i], stack[j], search=search) for i, j in pairs]
    values, sigmas = np.array([f.value for f in fits]), np.array([f.sigma for f in fits])
    missing = 180.0 - np.array([degrees[j] - degrees[i] for i, j in pairs])
    quality = float(np.median([f.correlation for f in fits]))
    sigmas = np.hypot(np.where(np.isfinite(sigmas), sigmas, stack.shape[2]), _SIGMA_FLOOR)
    # Off half a turn, the content seems to move in proportion to the missing angle.
    slanted = float(np.ptp(missing)) > 0.25 * _step(degrees)
    design = np.stack([np.ones(values.size), missing], axis=1)[:, : 2 if slanted else 1]
    weighted = design / sigmas[:, None]
    solution, *_ = np.linalg.lstsq(weighted, values / sigmas, rcond=None)
    covariance = np.linalg.inv(weighted.T @ weighted)
    free = max(values.size - design.shape[1], 1)
    scatter = float(np.sum(np.square((values - design @ solution) / sigmas))) / free
    variance = float(covariance[0, 0]) * max(scatter, 1.0) + _row_variance(stack, pairs[0])
    if not slanted:
        moved = 0.25 * stack.shape[2] * float(np.deg2rad(np.abs(missing)).min())
        variance += moved * moved / values.size
    return _Measured(float(solution[0]), float(np.sqrt(variance)), quality)


def _row_variance(stack: Floats, pair: tuple[int, int]) -> float:
    """Squared standard error of the axis between groups of rows; 0 with a single row."""
    groups = np.array_split(np.arange(stack.shape[1]), min(4, stack.shape[1]))
    if len(groups) < 2:
        return 0.0
    near = pair_axis(stack[pair[0]], stack[pair[1]]).value
    fits = [
        pair_axis(stack[pair[0], rows], stack[pair[1], rows], near, 3.0).value for rows in groups
    ]
    spread = 1.4826 * float(np.median(np.abs(np.asarray(fits) - np.median(fits))))
    return spread * spread / len(groups)


def _step(degrees: Floats) -> float:
    return float(np.ptp(degrees)) / max(degrees.size - 1, 1)


def _opposite_views(degrees: Floats) -> list[tuple[int, int]]:
    """Pairs half a turn apart: exact ones, or many that miss it alike, or else the nearest."""
    step = _step(degrees)
    found: list[tuple[float, int, int]] = []
    for i, start in enumerate(degrees):
        reach = 180.0 + _NEAR_HALF_TURN * step * np.array([-1.0, 1.0])
        first, last = np.searchsorted(degrees, start + reach)
        misses = np.abs(degrees[first:last] - start - 180.0)
        found += [(float(miss), i, int(first) + n) for n, miss in enumerate(misses)]
    found.sort()
    alike = sorted((i, j) for miss, i, j in found if miss < found[0][0] + _ALIKE * step)
    if found and (found[0][0] < _ALIKE * step or len(alike) >= _SEVERAL):
        # From all around the turn, so that what a missing angle shifts this way and that cancels.
        chosen = np.unique(np.linspace(0, len(alike) - 1, _MOST_PAIRS).round().astype(int))
        return [alike[n] for n in chosen]
    return [(i, j) for _, i, j in found[:_MOST_PAIRS]]


def _from_vo(stack: Floats, degrees: Floats, guess: float) -> _Measured | None:
    rows, width = stack.shape[1:]
    if not 0.1 * width < guess < 0.9 * width - 1.0:
        return None
    # Neighbouring rows are averaged, so that the noise of many rows is not thrown away.
    groups = np.array_split(np.arange(rows), min(_VO_ROWS, rows))
    reach = min(_VO_SEARCH, 0.2 * width)
    fits = [vo_axis(stack[:, g].mean(axis=1), degrees, guess, reach) for g in groups]
    inner = np.array([f.value for f in fits if not f.at_edge])
    if inner.size == 0:
        return None
    spread = 1.4826 * float(np.median(np.abs(inner - np.median(inner))))
    # One row shows no spread, and few rows understate it.
    spread = max(spread, 0.15) if inner.size < 4 else spread
    sigma = float(np.hypot(1.25 * spread / np.sqrt(inner.size), _SIGMA_FLOOR))
    contrast = float(np.median([f.contrast for f in fits]))
    return _Measured(float(np.median(inner)), sigma, contrast)


def _judged(pair: _Measured, vo: _Measured | None, stack: Floats, degrees: Floats) -> AxisFit:
    if vo is None or vo.quality < _CONTRAST:
        return _verdict(pair.value, pair.sigma, pair.quality, "Opposite views agree.")
    difference = abs(vo.value - pair.value)
    if difference > max(_DISAGREEMENT, 3.0 * float(np.hypot(pair.sigma, vo.sigma))):
        sigma = float(np.hypot(pair.sigma, 0.5 * difference))
        reason = f"Opposite views put the axis at {pair.value:.2f}, Vo's metric at {vo.value:.2f}."
        return AxisFit(pair.value, sigma, "doubtful", reason)
    width = stack.shape[2]
    views = int(np.count_nonzero(degrees < degrees[0] + 180.0 - 1e-6))
    fine = width >= _FINE_WIDTH and views >= _FINE_VIEWS * width
    value, sigma = _mean(pair, vo) if fine else (pair.value, pair.sigma)
    return _verdict(value, sigma, pair.quality, "Opposite views and Vo's metric agree.")


def _verdict(value: float, sigma: float, resemblance: float, good: str) -> AxisFit:
    if resemblance < _RESEMBLANCE:
        reason = f"Opposite views resemble each other little (correlation {resemblance:.2f})."
        return AxisFit(value, sigma, "doubtful", reason)
    if sigma > _DISAGREEMENT:
        return AxisFit(value, sigma, "doubtful", f"The axis is uncertain by {sigma:.2f} pixels.")
    return AxisFit(value, sigma, "good", good)


def _mean(pair: _Measured, vo: _Measured) -> tuple[float, float]:
    """Mean weighted by variance; its sigma grows where the two methods differ by more."""
    weights = np.array([pair.sigma, vo.sigma]) ** -2.0
    values = np.array([pair.value, vo.value])
    value = float(weights @ values / weights.sum())
    scatter = float(weights @ np.square(values - value))
    return value, float(np.sqrt(max(scatter, 1.0) / weights.sum()))
