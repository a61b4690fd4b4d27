"""What intensities cannot tell: a complex factor, a phase ramp, a shift. Found and taken away.

If object O(x) and probe P(x) explain the frames, so do c · O(x - s) · exp(i r·x) with the probe and
the positions changed accordingly. Two reconstructions are the same if they differ by these alone.
Sources: Fienup 1997 (error without ambiguities), Guizar-Sicairos et al. 2008 (registration).
"""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ambiguity", "aligned"]

_ROUNDS = 30
_ENOUGH = 1e-5


@dataclasses.dataclass(frozen=True)
class Ambiguity:
    """How an object differs: found(x) = factor · reference(x - shift) · exp(i ramp·x).

    shift : pixels along rows and columns; ramp : radian per pixel, from the centre of the
    reference.
    """

    factor: complex
    shift: tuple[float, float]
    ramp: tuple[float, float]


def aligned(
    found: Any, reference: Any, region: Any
) -> "tuple[NDArray[Any], NDArray[Any], Ambiguity]":
    """An object without what tells it from a reference but is no difference.

    found, reference : (row, column) complex, of any shapes; region : (row, column) bool, where the
    reference is to be compared.
    Gives the object in the frame of the reference, (row, column) complex128; where both are known
    and the region is; what was taken away.
    """
    import numpy as np

    reference = np.asarray(reference, np.complex128)
    region = np.asarray(region, np.bool_)
    window = _window(region)
    whole = _whole_shift(np.asarray(found, np.complex128), reference, window)
    moved, known = _placed(np.asarray(found, np.complex128), reference.shape, whole)
    region = region & known
    window = _window(region)
    light = moved * window
    shift, ramp, factor = _refined(light, reference, region, _first_ramp(light, reference, window))
    rows, columns = _offsets(reference.shape)
    straight = _shifted(light, shift) * np.exp(-1j * (ramp[0] * rows + ramp[1] * columns)) / factor
    # The ramp turned about places that the shift then moved.
    taken = Ambiguity(
        complex(factor),
        (float(whole[0] + shift[0]), float(whole[1] + shift[1])),
        (float(ramp[0]), float(ramp[1])),
    )
    return straight, region, taken


def _window(region: "NDArray[Any]") -> "NDArray[Any]":
    """1 in the region, falling smoothly to 0 within a quarter of its size outside."""
    import numpy as np

    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros(region.shape)
    found = []
    for places, length in ((rows, region.shape[0]), (columns, region.shape[1])):
        first, last = int(places[0]), int(places[-1])
        fall = max((last - first) // 4, 16)
        index = np.arange(length)
        outside = np.maximum(np.maximum(first - index, index - last), 0)
        room = min(fall, max(min(first, length - 1 - last), 1))
        found.append(0.5 + 0.5 * np.cos(math.pi * np.clip(outside / room, 0.0, 1.0)))
    return np.asarray(found[0][:, None] * found[1])


def _steps(image: "NDArray[Any]", axis: int) -> "NDArray[Any]":
    """The logarithm of a pixel over the one before: without the factor and without the ramp."""
    import numpy as np

    before = np.roll(image, 1, axis)
    # Dark pixels have no phase, and say nothing.
    faint = 1e-3 * float(np.median(np.abs(image))) + 1e-300
    known = (np.abs(image) > faint) & (np.abs(before) > faint)
    ratio = np.where(known, image, 1.0) / np.where(known, before, 1.0)
    growth, turn = np.log(np.abs(ratio)), np.angle(ratio)
    turned = np.exp(1j * (turn - np.median(turn)))
    return np.asarray(np.clip(growth, -1.0, 1.0) + 1j * np.angle(turned))


def _whole_shift(
    found: "NDArray[Any]", reference: "NDArray[Any]", window: "NDArray[Any]"
) -> tuple[int, int]:
    """How many whole pixels the object lies beside the reference."""
    import numpy as np

    shape = tuple(a + b for a, b in zip(found.shape, reference.shape, strict=True))
    total = np.zeros(shape)
    for axis in (0, 1):
        one, other = _steps(found, axis), _steps(reference, axis) * window
        total += np.fft.ifft2(np.fft.fft2(one, shape) * np.fft.fft2(other, shape).conj()).real
    peak = np.unravel_index(int(np.argmax(total)), shape)
    row, column = (
        int(p) - (n if p >= m else 0) for p, n, m in zip(peak, shape, found.shape, strict=True)
    )
    return row, column


def _placed(
    found: "NDArray[Any]", shape: tuple[int, ...], shift: tuple[int, int]
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """The object cut or filled to a shape, moved back by whole pixels; and where it is known."""
    import numpy as np

    placed, known = np.zeros(shape, np.complex128), np.zeros(shape, np.bool_)
    to, source = [], []
    for axis in (0, 1):
        first = max(0, -shift[axis])
        last = min(shape[axis], found.shape[axis] - shift[axis])
        to.append(slice(first, max(last, first)))
        source.append(slice(first + shift[axis], max(last, first) + shift[axis]))
    placed[tuple(to)] = found[tuple(source)]
    known[tuple(to)] = True
    return placed, known


def _offsets(shape: tuple[int, ...]) -> "tuple[NDArray[Any], NDArray[Any]]":
    import numpy as np

    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    return rows[:, None], columns


def _first_ramp(
    light: "NDArray[Any]", reference: "NDArray[Any]", window: "NDArray[Any]"
) -> tuple[float, float]:
    """Radian per pixel, to within half a step of a transform twice as large."""
    import numpy as np

    shape = tuple(2 * n for n in light.shape)
    spectrum = np.abs(np.fft.fft2(light * (reference * window).conj(), shape))
    peak = np.unravel_index(int(np.argmax(spectrum)), shape)
    row, column = (
        2.0 * math.pi * float(np.fft.fftfreq(n)[p]) for p, n in zip(peak, shape, strict=True)
    )
    return row, column


def _shifted(image: "NDArray[Any]", shift: Any) -> "NDArray[Any]":
    """An image moved back by part of a pixel: found(x + shift)."""
    import numpy as np

    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])
    turn = np.exp(2j * math.pi * (rows * shift[0] + columns * shift[1]))
    return np.asarray(np.fft.ifft2(np.fft.fft2(image) * turn))


def _refined(
    light: "NDArray[Any]",
    reference: "NDArray[Any]",
    region: "NDArray[Any]",
    ramp: tuple[float, float],
) -> "tuple[NDArray[Any], NDArray[Any], complex]":
    """Shift, ramp and factor of least squares, by Gauss-Newton from a shift of nought."""
    import numpy as np

    rows, columns = _offsets(light.shape)
    up, across = np.fft.fftfreq(light.shape[0])[:, None], np.fft.fftfreq(light.shape[1])
    found = np.array([0.0, 0.0, *ramp])
    scale = np.array([1.0, 1.0, *(1.0 / n for n in light.shape)])
    aim = reference[region]
    factor = 1.0 + 0.0j
    for _ in range(_ROUNDS):
        spectrum = np.fft.fft2(light) * np.exp(2j * math.pi * (up * found[0] + across * found[1]))
        turn = np.exp(-1j * (found[2] * rows + found[3] * columns))
        now = np.fft.ifft2(spectrum) * turn
        seen = now[region]
        size = float(np.vdot(seen, seen).real)
        if not size:
            break
        inverse = np.vdot(seen, aim) / size
        slopes = [np.fft.ifft2(spectrum * 2j * math.pi * f) * turn for f in (up, across)]
        slopes += [-1j * rows * now, -1j * columns * now]
        # The factor is free too: what it would take up counts for nothing.
        columns_of = [inverse * s[region] for s in slopes] + [inverse * seen, 1j * inverse * seen]
        jacobian = np.stack([np.concatenate([c.real, c.imag]) for c in columns_of], axis=1)
        jacobian[:, :4] *= scale
        rest = aim - inverse * seen
        step = np.linalg.lstsq(jacobian, np.concatenate([rest.real, rest.imag]), rcond=None)[0]
        # A shift beyond a pixel would leave the region where the first order holds.
        limited = step[:4] * min(1.0, 1.0 / max(float(np.abs(step[:4]).max()), 1e-30))
        found = found + limited * scale
        factor = 1.0 / inverse if inverse else 1.0 + 0.0j
        if np.abs(limited).max() < _ENOUGH:
            break
    return found[:2], found[2:], complex(factor)
