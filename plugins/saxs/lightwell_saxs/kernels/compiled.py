"""Weighted averages of frames over bins: the form for processors, several times as fast.

The signatures are those of `averaging`, and a test holds the two together. It needs numba, which
is an extra (`pip install 'lightwell[compiled]'`).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightwell_saxs.kernels.averaging import AveragePlan, ErrorModel, shared_tables
from lightwell_saxs.kernels.spans import PARTS, Spans, scatter, spans_of
from lightwell_saxs.kernels.splitting import Operator

__all__ = ["average", "compiled_plan"]


class ByPixel(NamedTuple):
    """The operator turned round: the shares of each pixel together, pixels in order.

    cells : (entry) uint16, or int32 where there are more of them; shares : (entry) float32;
    pointer : (pixel + 1) int64; spans : the same, arranged for single frames
    """

    cells: Any
    shares: Any
    pointer: Any
    spans: Spans


def compiled_plan(
    operator: Operator, weight: NDArray[Any], dark: NDArray[Any] | None = None
) -> AveragePlan:
    """The plan of `average` in this module, made once."""
    kind: Any = np.uint16 if operator.bins <= np.iinfo(np.uint16).max else np.int32
    cell = np.repeat(np.arange(operator.bins, dtype=kind), np.diff(operator.pointer))
    # Rows are bins: a stable order of pixels leaves the bins of each in order too.
    order = np.argsort(operator.pixels, kind="stable")
    pointer = np.zeros(operator.pixel_count + 1, np.int64)
    np.cumsum(np.bincount(operator.pixels, minlength=operator.pixel_count), out=pointer[1:])
    cells, shares = cell[order], operator.coefficients[order]
    tables = ByPixel(cells, shares, pointer, spans_of(operator.pixels[order], cells, shares))
    return AveragePlan(**shared_tables(operator, weight, dark), tables=tables)


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
    spans, bins = plan.tables.spans, len(plan.norm)

    def work(part: int) -> NDArray[np.float64]:
        return scatter(frame, spans, part, bins)

    if threads == 1:
        sums = [work(part) for part in range(PARTS)]
    else:
        # This thread works too: a thread is started in a tenth of the time that a frame takes.
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(work, part) for part in range(PARTS // threads, PARTS)]
            sums = [work(part) for part in range(PARTS // threads)]
            sums += [other.result() for other in others]
    signal, variance = np.sum(sums, axis=0).T
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
