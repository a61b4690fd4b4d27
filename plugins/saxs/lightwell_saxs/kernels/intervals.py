"""Which bins intervals touch, and how much of them lies in each; a bin is one unit wide."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["overlaps", "touched_bins"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def overlaps(low: Floats, high: Floats, bins: int) -> tuple[Integers, Integers, Floats]:
    """Which interval, which bin, and the share of the interval in it."""
    which, cell = touched_bins(low, high, bins)
    first, last = low[which], high[which]
    length = last - first
    shared = np.minimum(last, cell + 1.0) - np.maximum(first, cell)
    # An interval without length is a point, and wholly in its bin.
    share = np.where(length > 0.0, shared / np.where(length > 0.0, length, 1.0), 1.0)
    return which, cell, np.maximum(share, 0.0)


def touched_bins(low: Floats, high: Floats, bins: int) -> tuple[Integers, Integers]:
    """Every bin that an interval touches: the interval's index and the bin, in rising order."""
    first = np.maximum(np.floor(low), 0.0).astype(np.int64)
    last = np.minimum(np.floor(high), bins - 1.0).astype(np.int64)
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(low)), count)
    begin = np.cumsum(count) - count
    return which, first[which] + np.arange(len(which)) - begin[which]
