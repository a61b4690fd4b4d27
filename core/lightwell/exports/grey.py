"""Grey values: from the numbers of a volume to the type that is written, nothing lost silently."""

from typing import TYPE_CHECKING, Any, Final

from lightwell.errors import ParameterError
from lightwell.exports.volume import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DTYPES", "Grey", "parse_range"]

DTYPES: Final = ("uint8", "uint16", "float32")
"""What every reader of images takes."""

PERCENTILES: Final = (0.1, 99.9)
_SAMPLED_SLICES = 16
_SAMPLED_VALUES = 1_000_000


def parse_range(text: str) -> tuple[float, float]:
    """The values that become black and white, from what a person typed.

    Errors: ParameterError.

    >>> parse_range("-0.5:2e-2")
    (-0.5, 0.02)
    """
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise ParameterError(f"--range {text!r} is not lo:hi", remedy="Write 0:0.02") from None


class Grey:
    """The step from values to what is written; it counts what did not fit.

    Values from `low` to `high` become 0 to the largest of the type; without `low` they are
    written as they are.
    """

    def __init__(
        self,
        volume: Volume,
        dtype: str | None = None,
        limits: tuple[float, float] | None = None,
        *,
        allowed: tuple[str, ...] = DTYPES,
        default: str = "float32",
    ) -> None:
        import numpy as np

        self.source = volume.array.dtype
        own = "uint8" if self.source.kind == "b" else self.source.name
        self.dtype = np.dtype(_known(dtype) if dtype else own if own in allowed else default)
        self.low: float | None = None
        self.high: float | None = None
        self.origin = "as they are"
        self.below = self.above = self.not_finite = 0
        if limits is not None and self.dtype.kind == "f":
            raise ParameterError(
                "a range makes sense for whole numbers; floats are written as they are",
                remedy="Leave --range out, or add --dtype uint16",
            )
        if limits is not None:
            self.low, self.high = _checked(limits)
            self.origin = "range given"
        elif self.dtype.kind != "f" and own != self.dtype.name:
            self.low, self.high, number = _percentiles(volume)
            first, last = PERCENTILES
            self.origin = f"percentiles {first} and {last} of {number} values"

    @property
    def largest(self) -> int:
        """What white is written as."""
        return 255 if self.dtype.name == "uint8" else 65535

    @property
    def slope(self) -> float:
        """How much of the unit one step of grey is."""
        if self.low is None or self.high is None:
            return 1.0
        return (self.high - self.low) / self.largest

    @property
    def offset(self) -> float:
        """The value that is written as 0."""
        return 0.0 if self.low is None else self.low

    @property
    def clipped(self) -> int:
        """How many voxels were outside of what could be written."""
        return self.below + self.above

    def __call__(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """The values of a slab as they are written; counts those that do not fit."""
        import numpy as np

        if values.dtype.kind == "f":
            self.not_finite += int(values.size - np.count_nonzero(np.isfinite(values)))
        if self.low is None or self.high is None:
            return self._cast(values)
        # Page by page, so that the floats in between stay small.
        result = np.empty(values.shape, dtype=self.dtype)
        for position, page in enumerate(values):
            result[position] = self._scaled(page)
        return result

    def _scaled(self, page: "NDArray[Any]") -> "NDArray[Any]":
        import numpy as np

        known = page.astype(np.float64)
        self.below += int(np.count_nonzero(known < self.offset))
        self.above += int(np.count_nonzero(known > (self.high or 0.0)))
        steps = (known - self.offset) / self.slope
        limited = np.clip(np.nan_to_num(steps, nan=0.0, posinf=self.largest, neginf=0.0), 0, None)
        grey: NDArray[Any] = np.rint(np.minimum(limited, self.largest)).astype(self.dtype)
        return grey

    def _cast(self, values: "NDArray[Any]") -> "NDArray[Any]":
        import numpy as np

        with np.errstate(over="ignore"):
            cast = values.astype(self.dtype, copy=False)
        if values.dtype.kind == "f" and values.dtype.itemsize > self.dtype.itemsize:
            lost = np.isinf(cast) & np.isfinite(values)
            self.above += int(np.count_nonzero(lost & (values > 0)))
            self.below += int(np.count_nonzero(lost & (values < 0)))
        return cast

    def facts(self) -> dict[str, Any]:
        """How values became grey, and back: value = offset + slope × grey."""
        found: dict[str, Any] = {
            "dtype": self.dtype.name,
            "dtype_in_dataset": self.source.name,
            "values": self.origin,
            "not_finite": self.not_finite,
            "clipped_below": self.below,
            "clipped_above": self.above,
        }
        if self.low is not None:
            found.update(black=self.low, white=self.high, offset=self.offset, slope=self.slope)
        return found


def _known(dtype: str) -> str:
    if dtype not in DTYPES:
        raise ParameterError(f"{dtype} cannot be written", remedy=f"Choose {', '.join(DTYPES)}")
    return dtype


def _checked(limits: tuple[float, float]) -> tuple[float, float]:
    import math

    low, high = map(float, limits)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            f"the range {low:g} to {high:g} is none",
            remedy="Write the smaller number first: 0:0.02",
        )
    return low, high


def _percentiles(volume: Volume) -> tuple[float, float, int]:
    """Limits that leave out the outermost values of a sample of slices, and its size."""
    import numpy as np

    count = len(volume.chosen)
    places = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED_SLICES)).astype(int))
    share = max(1, int(np.prod(volume.shape[1:])) * len(places) // _SAMPLED_VALUES)
    taken = []
    for place in places:
        index = volume.chosen[int(place)]
        page = volume.array.read((slice(index, index + 1),))
        taken.append(np.asarray(page).ravel()[::share].astype(np.float64))
    values = np.concatenate(taken)
    values = values[np.isfinite(values)]
    if not values.size:
        raise ParameterError("the volume holds no finite number", remedy="Look at how it was made")
    low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
    # A volume of one value only has no contrast; it becomes black.
    return (low, high, int(values.size)) if low < high else (low, low + 1.0, int(values.size))
