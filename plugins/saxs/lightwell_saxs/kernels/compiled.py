"""Weighted averages of frames over bins: the form for processors, several times as fast.

The signatures are those of `averaging`, and a test holds the two together. It needs numba, which
is an extra (`pip install 'lightwell[compiled]'`).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.averaging import AveragePlan, ErrorModel, shared_tables
from lightwell_saxs.kernels.splitting import Operator

__all__ = ["average", "compiled_plan"]

_PARTS = 4


class ByPixel(NamedTuple):
    """The operator turned round: the shares of each pixel together, pixels in order.

    cells : (entry) uint16, or int32 where there are more of them; shares : (entry) float32;
    pointer : (pixel + 1) int64; steps : (entry) uint8, pixels to the next entry's;
    runs : (run + 1) int64, entries where a stretch begins within which steps tell; places : (run)
    int64, the pixel there; parts : (part + 1) int64, runs where a part of equal work begins
    """

    cells: Any
    shares: Any
    pointer: Any
    steps: Any
    runs: Any
    places: Any
    parts: Any


def compiled_plan(
    operator: Operator, weight: NDArray[Any], dark: NDArray[Any] | None = None
) -> AveragePlan:
    """The plan of `average` in this module, made once."""
    kind: Any = np.uint16 if operator.bins <= np.iinfo(np.uint16).max else np.int32
    cell = np.repeat(np.arange(operator.bins, dtype=kind), np.diff(operator.pointer))
    order = np.argsort(operator.pixels, kind="stable")
    pointer = np.zeros(operator.pixel_count + 1, np.int64)
    np.cumsum(np.bincount(operator.pixels, minlength=operator.pixel_count), out=pointer[1:])
    walk = _walk(operator.pixels[order])
    tables = ByPixel(cell[order], operator.coefficients[order], pointer, *walk)
    return AveragePlan(**shared_tables(operator, weight, dark), tables=tables)


def _walk(pixels: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Steps, runs, places and parts of `ByPixel`, from the (entry) pixels in order."""
    longest = np.iinfo(np.uint8).max
    count = len(pixels)
    steps = np.diff(pixels, append=pixels[-1:])
    # Always so many parts, so that the number of threads does not change a bit.
    ends = np.linspace(0, count, _PARTS + 1).astype(np.int64)
    starts = np.union1d(np.flatnonzero(steps > longest) + 1, ends[:-1] if count else [])
    starts = starts.astype(np.int64)
    runs = np.append(starts, count)
    parts = np.searchsorted(runs, ends)
    # The step out of a run is never taken.
    return np.minimum(steps, longest).astype(np.uint8), runs, pixels[starts].astype(np.int64), parts


def average(
    frames: Any,
    plan: AveragePlan,
    *,
    errors: ErrorModel = "poisson",
    dummy: float | None = None,
    delta_dummy: float = 0.0,
    variance: Any = None,
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intensity and its error, both (frame, bin), as `averaging.average` gives them.

    threads : each works on sixteen frames at a time
    """
    from lightwell_saxs.kernels.lanes import LANES

    stack = np.asarray(frames)
    starts = range(0, len(stack), LANES)
    mean = np.empty((len(stack), len(plan.norm)))
    sigma = np.empty_like(mean)
    is_plain = dummy is None and stack.dtype.kind != "f" and errors in ("none", "poisson")
    if len(stack) == 1 and is_plain:
        return _one(stack[0], plan, errors, threads)
    rule = (np.float32(dummy or 0.0), np.float32(delta_dummy), dummy is not None)

    def work(start: int) -> None:
        group = slice(start, start + LANES)
        known = None if variance is None else np.asarray(variance[group], np.float32)
        mean[group], sigma[group] = _group(stack[group], plan, errors, rule, known)

    if threads == 1:
        for start in starts:
            work(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, starts))
    return mean, sigma


def _one(
    frame: NDArray[Any], plan: AveragePlan, errors: ErrorModel, threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average one frame: sixteen lanes would be fifteen too many."""
    from lightwell_saxs.kernels.lanes import WAYS, scatter_one

    tables = plan.tables
    walk = (tables.runs, tables.places, tables.steps, tables.cells, tables.shares)
    sums = np.zeros((_PARTS, WAYS, len(plan.norm), 2))

    def work(part: int) -> None:
        scatter_one(frame, tables.parts[part], tables.parts[part + 1], *walk, sums[part])

    if threads == 1:
        for part in range(_PARTS):
            work(part)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(_PARTS)))
    signal, variance = sums.sum(axis=(0, 1)).T
    empty = plan.norm <= 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(empty, np.nan, (signal - plan.dark_sum) / plan.norm)
        sigma = np.where(empty | (errors == "none"), np.nan, np.sqrt(variance) / plan.norm)
    return mean[None], sigma[None]


def _group(
    frames: NDArray[Any],
    plan: AveragePlan,
    errors: ErrorModel,
    rule: tuple[Any, Any, bool],
    known: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average up to sixteen frames."""
    from lightwell_saxs.kernels.lanes import (
        LANES,
        scatter_dummies,
        scatter_given,
        scatter_plain,
        scatter_spread,
    )

    tables = plan.tables
    entries = (tables.pointer, tables.cells, tables.shares)
    bins, count = len(plan.norm), len(frames)
    norm, dark_sum = plan.norm[:, None], plan.dark_sum[:, None]
    if rule[2] or frames.dtype.kind == "f":
        sums = np.zeros((4, bins * LANES))
        scatter_dummies(frames, *entries, plan.weight, plan.dark, *rule, sums)
        signal, variance, norm, dark_sum = sums.reshape(4, bins, LANES)[:, :, :count]
    else:
        sums = np.zeros((2, bins * LANES))
        scatter_plain(frames, *entries, sums[0], sums[1])
        signal, variance = sums.reshape(2, bins, LANES)[:, :, :count]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (signal - dark_sum) / norm
        if errors == "azimuthal":
            variance = np.zeros((bins, count))
            centre = np.where(norm > 0, mean, 0.0)
            scatter_spread(frames, *entries, plan.weight, plan.dark, *rule, centre, variance)
        if known is not None:
            variance = np.zeros((bins, count))
            scatter_given(frames, known, *entries, *rule, variance)
        empty = np.broadcast_to(norm <= 0, mean.shape)
        sigma = np.sqrt(variance) / norm
    sigma[empty | (errors == "none")] = np.nan
    mean[empty] = np.nan
    return mean.T, sigma.T
