"""Sums over bins of one frame, compiled for processors by numba.

A pixel has its shares in a few neighbouring bins, its span. Spans of equal length stand together,
so that the loop over the shares of one is written out and no branch has to be foreseen; within a
length, pixels come in order, so that the frame is read forwards.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGEST", "PARTS", "Spans", "Stretch", "scatter", "spans_of"]

PARTS = 4
"""Always so many parts, so that the number of threads does not change a bit."""
LONGEST = 8
"""Bins; a longer span is cut."""
_WAYS = 2
_FARTHEST = np.iinfo(np.uint16).max


class Stretch(NamedTuple):
    """Spans of one length, each at most 65,535 pixels behind the one before."""

    length: int
    pixel: int
    first: int
    last: int
    share: int


class Spans(NamedTuple):
    """The shares of all pixels, span by span.

    parts : stretches of each part of equal work; steps : (span) uint16, pixels to the next one's;
    cells : (span) uint16 or int32, its first bin; shares : (entry) float32, span after span
    """

    parts: tuple[tuple[Stretch, ...], ...]
    steps: NDArray[np.uint16]
    cells: NDArray[Any]
    shares: NDArray[np.float32]


def spans_of(pixels: NDArray[Any], cells: NDArray[Any], shares: NDArray[np.float32]) -> Spans:
    """Return the spans of (entry) pixels, bins and shares, in order of pixels, then of bins."""
    count = len(pixels)
    is_first = np.ones(count, bool)
    is_first[1:] = (np.diff(pixels) != 0) | (np.diff(cells.astype(np.int64)) != 1)
    starts = np.flatnonzero(is_first)
    within = np.arange(count) - np.repeat(starts, np.diff(starts, append=count))
    starts = np.flatnonzero(within % LONGEST == 0)
    lengths = np.diff(starts, append=count)
    part = starts * PARTS // max(count, 1)
    order = np.lexsort((starts, lengths, part))
    starts, lengths, part = starts[order], lengths[order], part[order]
    ends = np.cumsum(lengths)
    entries = np.arange(count) + np.repeat(starts - (ends - lengths), lengths)
    place = pixels[starts].astype(np.int64)
    steps = np.diff(place, append=place[-1:])
    is_end = (np.diff(lengths) != 0) | (np.diff(part) != 0) | (steps[:-1] > _FARTHEST)
    firsts = np.append(0, np.flatnonzero(is_end) + 1)[: len(starts)]
    lasts = np.append(firsts[1:], len(starts))
    parts: tuple[list[Stretch], ...] = tuple([] for _ in range(PARTS))
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=False):
        length = int(lengths[first])
        stretch = Stretch(length, int(place[first]), first, last, int(ends[first]) - length)
        parts[int(part[first])].append(stretch)
    # The step out of a stretch is never taken.
    kept = np.clip(steps, 0, _FARTHEST).astype(np.uint16)
    return Spans(tuple(map(tuple, parts)), kept, cells[starts], shares[entries])


def scatter(frame: NDArray[Any], spans: Spans, part: int, bins: int) -> NDArray[np.float64]:
    """Return Σ c·counts and Σ c²·max(counts, 1), (bin, 2), of one part of one frame.

    frame : (pixel), where all pixels count
    """
    sums = np.zeros((_WAYS, bins, 2))
    tables = (spans.steps, spans.cells, spans.shares)
    for length, *where in spans.parts[part]:
        _walk(length)(frame, *where, *tables, sums)
    return np.asarray(sums.sum(axis=0))


@cache
def _walk(length: int) -> Callable[..., None]:
    """The loop over spans of one length."""
    from numba import njit

    def walk(
        frame: Any,
        pixel: Any,
        first: Any,
        last: Any,
        entry: Any,
        steps: Any,
        cells: Any,
        shares: Any,
        sums: Any,
    ) -> None:
        for span in range(first, last):
            # Neighbours fall into the same bins: two sums, so that none waits for the one before.
            way, cell, value = span & 1, np.int64(cells[span]), np.float64(frame[pixel])
            floored = max(value, 1.0)
            for k in range(length):
                share = np.float64(shares[entry + k])
                sums[way, cell + k, 0] += share * value
                sums[way, cell + k, 1] += share * share * floored
            pixel += np.int64(steps[span])
            entry += length

    options: Any = {"nogil": True, "error_model": "numpy", "boundscheck": False, "cache": True}
    return njit(**options)(walk)  # type: ignore[no-any-return, unused-ignore]
