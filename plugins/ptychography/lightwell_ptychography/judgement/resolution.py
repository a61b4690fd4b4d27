"""Resolution of an object from two halves of its frames, reconstructed apart."""

import dataclasses
from typing import TYPE_CHECKING, Any

from lightwell_numerics.shell_correlation import ShellCorrelation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Resolution", "halves", "object_resolution"]


@dataclasses.dataclass(frozen=True)
class Resolution:
    """What two halves of a scan agree on.

    half_period : smallest detail, in object pixels, that both halves show: half of one over the
    frequency at which the ring correlation falls under the half-bit threshold for good; 1, a pixel,
    where it never does, and then `limited` is False: the pixels end it, not the data.
    ring : the correlation itself.
    """

    half_period: float
    limited: bool
    ring: ShellCorrelation

    def sentence(self, pixel: float | None = None) -> str:
        """The resolution in words; pixel : of the object, metre."""
        size = f"{self.half_period:.2f} pixels"
        if pixel is not None:
            size += f" ({1e9 * self.half_period * pixel:.3g} nm)"
        if not self.limited:
            return f"Two halves of the frames agree down to the pixel: {size}, half period."
        return f"Two halves of the frames agree down to {size}, half period (half-bit)."


def halves(frames: int) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Two halves of a scan: every second frame, and the others.

    >>> halves(5)
    (array([0, 2, 4]), array([1, 3]))
    """
    import numpy as np

    every = np.arange(frames)
    return every[::2], every[1::2]


def object_resolution(first: Any, second: Any, region: Any) -> Resolution:
    """Ring correlation of two objects in a region of the second, and the resolution it tells.

    first, second : (slice, row, column) or (row, column) complex; region : (row, column) bool.
    Factor, ramp and shift between them are taken away. The largest rectangle of the region that
    both know is compared, its edges softened by a Hann window over an eighth of each side.
    Errors: InputError where the objects share less than 16 pixels.
    """
    import numpy as np

    from lightwell.errors import InputError
    from lightwell_numerics.shell_correlation import shell_correlation
    from lightwell_ptychography.judgement.ambiguities import aligned
    from lightwell_ptychography.judgement.comparison import projected

    second = np.asarray(projected(second), np.complex128)
    straight, where, _ = aligned(projected(first), second, region)
    box = _largest_rectangle(where)
    one, other = straight[box], second[box]
    if min(one.shape) < 16:
        raise InputError(
            f"the two halves share {one.shape[0]} x {one.shape[1]} pixels of the object, "
            "too few to compare",
            remedy="give a scan of which every second frame covers the sample",
        )
    # Together, so that a ramp that both have is not taken for detail.
    window = np.multiply.outer(*(_tapered(n) for n in one.shape))
    ramp = _common_ramp(other, window)
    ring = shell_correlation(one * ramp, other * ramp, window=window)
    crossing = ring.crossing()
    limited = crossing is not None
    return Resolution(0.5 / crossing if crossing else 1.0, limited, ring)


def _tapered(length: int) -> "NDArray[Any]":
    import numpy as np

    edge = max(length // 8, 1)
    rise = np.sin(0.5 * np.pi * (np.arange(edge) + 0.5) / edge) ** 2
    return np.concatenate([rise, np.ones(length - 2 * edge), rise[::-1]])


def _common_ramp(image: "NDArray[Any]", window: "NDArray[Any]") -> "NDArray[Any]":
    """Phases that bring the brightest frequency of an image to nought."""
    import numpy as np

    spectrum = np.abs(np.fft.fft2(image * window))
    up, across = np.unravel_index(int(np.argmax(spectrum)), spectrum.shape)
    rows, columns = np.indices(image.shape)
    turns = up * rows / image.shape[0] + across * columns / image.shape[1]
    return np.asarray(np.exp(-2j * np.pi * turns))


def _largest_rectangle(region: "NDArray[Any]") -> tuple[slice, slice]:
    """The largest rectangle without a hole, by heights of columns row after row."""
    import numpy as np

    height = np.zeros(region.shape[1], np.int64)
    best, found = 0, (slice(0, 0), slice(0, 0))
    for row, line in enumerate(region):
        height = np.where(line, height + 1, 0)
        stack: list[tuple[int, int]] = []
        for column, tall in enumerate([*height.tolist(), 0]):
            start = column
            while stack and stack[-1][1] >= tall:
                start, high = stack.pop()
                if high * (column - start) > best:
                    best = high * (column - start)
                    found = (slice(row + 1 - high, row + 1), slice(start, column))
            stack.append((start, tall))
    return found
