"""Zone maps: what a block of values can hold, so that most blocks are judged without being read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BINS", "BLOCK", "ZoneMap", "bin_of", "block_count", "histogram", "limits", "storable"]

BLOCK: Final = 256
"""Values a block holds: few enough that a scan of 2000 frames has blocks to leave out."""

BINS: Final = 16
_AT_ONCE: Final = 2048


def storable(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return values of a type the index keeps: bool, 32-bit where it is exact, or 64-bit.

    What is not finite is missing, and becomes NaN.
    """
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return values
    if kind == "f":
        kept = np.array(values, "f4" if size <= 4 else "f8")
        kept[~np.isfinite(kept)] = np.nan
        return kept
    if size < 4 or (kind == "i" and size == 4):
        return values.astype("i4")
    # Half of the unsigned 64-bit numbers do not fit; a counter that reached them is no counter.
    if kind == "u" and size == 8 and values.size and int(values.max()) >= 1 << 63:
        return values.astype("f8")
    return values.astype("i8")


def block_count(length: int) -> int:
    """Return how many blocks hold so many values."""
    return -(-length // BLOCK)


def bin_of(value: Any, low: Any, span: Any) -> Any:
    """Return the bin of a value among 16 between the smallest and the largest of its block.

    Every step rounds, and none turns the order round: a larger value is never in a lower bin.
    """
    return np.floor((value - low) * (BINS / span))


@dataclass(frozen=True, slots=True)
class ZoneMap:
    """Of every block the smallest and largest value, how many are missing, which bins hold any.

    low, high : (block) of the values' own type; a block without values has low above high;
    missing : (block) int32; bins : (block) uint16, bit n set where bin n of 16 between low and
    high holds a value.
    """

    low: "NDArray[Any]"
    high: "NDArray[Any]"
    missing: "NDArray[Any]"
    bins: "NDArray[Any]"

    def parted(self, times: int, number: int) -> "ZoneMap":
        """Return the map for so many blocks, `times` of which make one of these.

        It leaves out what this one does, and takes as sure what this one does.
        """
        zones = (self.low, self.high, self.missing, self.bins)
        return ZoneMap(*(np.repeat(zone, times)[:number] for zone in zones))

    @classmethod
    def of(cls, blocks: "NDArray[Any]", length: int) -> "ZoneMap":
        """Return the map of values in blocks, of which `length` count; blocks : (block, BLOCK)."""
        parts = [
            _mapped(blocks[start : start + _AT_ONCE], length - start * BLOCK)
            for start in range(0, len(blocks), _AT_ONCE)
        ]
        return cls(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def within(self, low: Any, high: Any) -> "NDArray[np.bool_]":
        """Tell of every block whether a value from `low` to `high`, both included, may be in it."""
        may: NDArray[np.bool_] = (self.low <= high) & (self.high >= low)
        doubtful = np.flatnonzero(may & ((self.low < low) | (self.high > high)))
        may[doubtful] = self._touched(doubtful, low, high)
        return may

    def _touched(self, blocks: "NDArray[Any]", low: Any, high: Any) -> "NDArray[np.bool_]":
        """Tell of some blocks whether a bin between two values holds anything."""
        start = self.low[blocks].astype("f8")
        end = self.high[blocks].astype("f8")
        span = np.where(end > start, end - start, 1.0)
        usable = (end > start) & np.isfinite(BINS / span)
        span[~usable] = 1.0
        first = np.clip(bin_of(np.maximum(start, float(low)), start, span), 0, BINS - 1)
        last = np.clip(bin_of(np.minimum(end, float(high)), start, span), 0, BINS - 1)
        asked = (2 << last.astype("i4")) - (1 << first.astype("i4"))
        touched: NDArray[np.bool_] = ~usable | ((self.bins[blocks] & asked) != 0)
        return touched


def _mapped(blocks: "NDArray[Any]", length: int) -> Mapping[str, "NDArray[Any]"]:
    """Return the parts of the map of some blocks."""
    present = ~np.isnan(blocks) if blocks.dtype.kind == "f" else np.ones(blocks.shape, bool)
    if length < blocks.size:
        present.reshape(-1)[max(length, 0) :] = False
    smallest, largest = limits(blocks.dtype)
    low = np.where(present, blocks, largest).min(axis=1)
    high = np.where(present, blocks, smallest).max(axis=1)
    counted = np.minimum(BLOCK, np.maximum(0, length - np.arange(len(blocks)) * BLOCK))
    return {
        "low": low,
        "high": high,
        "missing": (counted - present.sum(axis=1)).astype("i4"),
        "bins": _bins(blocks, present, low, high),
    }


def _bins(
    blocks: "NDArray[Any]", present: Any, low: "NDArray[Any]", high: "NDArray[Any]"
) -> "NDArray[Any]":
    start, end = low.astype("f8"), high.astype("f8")
    span = np.where(end > start, end - start, 1.0)
    usable = np.isfinite(BINS / span) & (end >= start)
    safe = np.where(present & usable[:, None], blocks, start[:, None]).astype("f8")
    safe[~usable] = 0.0
    start, span = np.where(usable, start, 0.0), np.where(usable, span, 1.0)
    place = np.clip(bin_of(safe, start[:, None], span[:, None]), 0, BINS - 1).astype("u2")
    bits = np.where(present, np.left_shift(np.uint16(1), place), np.uint16(0))
    joined: NDArray[Any] = np.bitwise_or.reduce(bits.astype("u2"), axis=1)
    return joined


def limits(dtype: "np.dtype[Any]") -> tuple[Any, Any]:
    """Return the smallest and the largest value of a type."""
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    if dtype.kind == "b":
        return np.False_, np.True_
    info = np.iinfo(dtype)
    return dtype.type(info.min), dtype.type(info.max)


def histogram(values: "NDArray[Any]") -> "NDArray[Any]":
    """Return how many values each of 16 bins between the smallest and the largest holds."""
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not present.size:
        return np.zeros(BINS, "u4")
    start, end = float(present.min()), float(present.max())
    span = end - start
    if not span > 0 or not np.isfinite(BINS / span):
        return np.bincount([0], [present.size], BINS).astype("u4")
    place = np.clip(bin_of(present.astype("f8"), start, span), 0, BINS - 1)
    return np.bincount(place.astype("i8"), minlength=BINS).astype("u4")
