"""Arrays that are worked out when they are read: even steps, and one value everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Constant", "Even"]


@dataclass(frozen=True)
class Even:
    """Values at equal distances from `first` to `last`, both included."""

    first: float
    last: float
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, selection: Any = ()) -> npt.NDArray[Any]:
        """Return the selected values."""
        import numpy as np

        # The formula of `EvenPart.values`, so that both give the same bits.
        index = np.arange(self.shape[0], dtype=np.float64)[selection]
        steps = max(self.shape[0] - 1, 1)
        values = (self.first * (steps - index) + self.last * index) / steps
        found: npt.NDArray[Any] = values.astype(self.dtype, copy=False)
        return found


@dataclass(frozen=True)
class Constant:
    """One value everywhere."""

    value: float
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, selection: Any = ()) -> npt.NDArray[Any]:
        """Return the selected values."""
        import numpy as np

        whole = np.broadcast_to(np.asarray(self.value, dtype=self.dtype), self.shape)
        return np.ascontiguousarray(whole[selection])
