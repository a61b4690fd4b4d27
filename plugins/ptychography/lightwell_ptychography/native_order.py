"""Frames with their zero frequency at the first pixel, as Fourier transforms want them."""

from typing import TYPE_CHECKING, Any

from lightwell.stacks import LazyArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CentredFrames", "NativeFrames", "native"]


def native(frames: Any) -> "NDArray[Any]":
    """Frames (…, row, column) whose centre is moved to the first pixel; for odd sides too.

    >>> import numpy as np
    >>> native(np.arange(5).reshape(1, 5)).tolist()
    [[2, 3, 4, 0, 1]]
    """
    import numpy as np

    shifts = tuple(-(length // 2) for length in np.shape(frames)[-2:])
    moved: NDArray[Any] = np.roll(frames, shifts, axis=(-2, -1))
    return moved


class NativeFrames:
    """A stack (frame, row, column) that is so, read from one with its zero frequency centred."""

    def __init__(self, source: LazyArray) -> None:
        self.source = source
        self.shape = tuple(source.shape)
        self.dtype = source.dtype

    @property
    def grain(self) -> tuple[int, ...] | None:
        """How many points along each axis are read together: whole frames."""
        inner = getattr(self.source, "grain", None)
        return None if inner is None else (inner[0], *self.shape[1:])

    def read(self, selection: Any = ()) -> "NDArray[Any]":
        """Return the selected part; whole frames are read for it."""
        found: NDArray[Any] = native(self.source.read(selection[:1]))[(slice(None), *selection[1:])]
        return found


class CentredFrames:
    """A stack of counts with its zero frequency in the middle, read from one that is otherwise.

    corner : the stack has it at the first pixel; roots : the stack holds roots of counts.
    """

    def __init__(self, source: LazyArray, *, corner: bool, roots: bool) -> None:
        self.source = source
        self.corner, self.roots = corner, roots
        self.shape = tuple(source.shape)
        self.dtype = source.dtype

    def read(self, selection: Any = ()) -> "NDArray[Any]":
        """Return the selected part; whole frames are read for it."""
        import numpy as np

        found = self.source.read(selection[:1])
        if self.roots:
            found = found * found
        if self.corner:
            found = np.fft.fftshift(found, axes=(-2, -1))
        part: NDArray[Any] = found[(slice(None), *selection[1:])]
        return part
