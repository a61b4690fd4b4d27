"""What is known exactly in a simulated scan: an object, an illumination, the path of a scan."""

import math
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AMPLITUDE",
    "PHASE",
    "aperture_modes",
    "diffuser_modes",
    "discs_object",
    "scan_path",
]

AMPLITUDE, PHASE = (0.65, 1.0), (0.0, 1.2)
"""From the thickest to the thinnest place of an object, and radian from the thinnest on."""

_GOLDEN = math.pi * (3.0 - math.sqrt(5.0))


def discs_object(shape: tuple[int, int], rng: Any) -> "NDArray[Any]":
    """A complex object: overlapping discs of many sizes over a smooth field, with sharp edges.

    Gives (row, column) complex128, amplitude and phase in their ranges, not one a function of
    the other.
    """
    import numpy as np

    absorbing, shifting = (_discs(shape, rng) for _ in range(2))
    thickness = 0.6 * absorbing + 0.4 * _smooth(shape, rng)
    phase = 0.5 * absorbing + 0.3 * shifting + 0.2 * _smooth(shape, rng)
    amplitude = AMPLITUDE[1] - (AMPLITUDE[1] - AMPLITUDE[0]) * _stretched(thickness)
    turned = _turned(PHASE[0] + (PHASE[1] - PHASE[0]) * _stretched(phase))
    return np.asarray(amplitude * turned)


def _turned(phase: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    return np.asarray(np.exp(1j * phase))


def _discs(shape: tuple[int, int], rng: Any) -> "NDArray[Any]":
    """Discs painted over each other, radii from 2 pixels up, edges one pixel wide."""
    import numpy as np

    field = np.zeros(shape)
    for radius in np.geomspace(0.15 * min(shape), 2.0, max(min(shape), 24)):
        row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        top, left = max(int(row - radius) - 1, 0), max(int(column - radius) - 1, 0)
        part = field[top : int(row + radius) + 2, left : int(column + radius) + 2]
        rows, columns = np.indices(part.shape)
        reach = np.hypot(rows + top - row, columns + left - column)
        share = np.clip(radius + 0.5 - reach, 0.0, 1.0)
        part += share * (rng.uniform() - part)
    return field


def _smooth(shape: tuple[int, int], rng: Any) -> "NDArray[Any]":
    """Noise without detail below a tenth of the shorter edge, from 0 to 1."""
    import numpy as np

    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])
    width = 0.04 * min(shape)
    damping = np.exp(-2.0 * (math.pi * width) ** 2 * (rows**2 + columns**2))
    return _stretched(np.fft.ifft2(np.fft.fft2(rng.standard_normal(shape)) * damping).real)


def _stretched(field: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    return np.asarray((field - field.min()) / (field.max() - field.min()))


def aperture_modes(
    side: int, shares: "NDArray[Any]", *, aperture: float, diameter: float
) -> "tuple[NDArray[Any], float]":
    """The light behind a round aperture's focus, and modes beside it, of the given shares of power.

    aperture : its diameter over that of all frequencies; diameter : of the beam on the sample, over
    the frame. Gives (mode, row, column) complex128 of power 1 together, centred in the frame, and
    the defocus in wavelengths of one object pixel: d · λ / pixel².
    Source: Hermite modes of a Gaussian Schell source, Starikov and Wolf 1982.
    """
    import numpy as np

    edge = 0.5 * aperture
    # A ray through the edge of the aperture (cycles per pixel) walks defocus · edge pixels.
    defocus = 0.5 * diameter * side / edge
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)
    reach = np.hypot(rows, columns)
    # One frequency wide, so that the edge does not ring through the whole frame.
    pupil = np.clip((edge - reach) * side + 0.5, 0.0, 1.0) * np.exp(-((0.7 * reach / edge) ** 2))
    light = pupil * np.exp(-1j * math.pi * defocus * reach**2)
    light = light * np.exp(-2j * math.pi * (side // 2) * (rows + columns))
    pupils = [light * rows**up * columns**across for up, across in _orders(len(shares))]
    return _orthogonal(np.fft.ifft2(np.stack(pupils)), shares), defocus


def diffuser_modes(side: int, shares: "NDArray[Any]", rng: Any) -> "NDArray[Any]":
    """A beam that fills most of the frame behind a diffuser, for the near field.

    Gives (mode, row, column) complex128 of power 1 together.
    """
    import numpy as np

    offset = (np.arange(side) - (side - 1) / 2) / side
    window = np.clip((0.44 - np.abs(offset)) * 8.0, 0.0, 1.0)
    window = np.sin(0.5 * math.pi * window) ** 2
    made = []
    for up, across in _orders(len(shares)):
        phase = 2.0 * math.pi * _speckle(side, rng)
        beam = (0.5 + _speckle(side, rng)) * _turned(phase)
        made.append(beam * window[:, None] ** (1 + up) * window ** (1 + across))
    return _orthogonal(np.stack(made), shares)


def _speckle(side: int, rng: Any) -> "NDArray[Any]":
    """Noise with grains of three pixels, from 0 to 1."""
    import numpy as np

    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)
    damping = np.exp(-2.0 * (math.pi * 1.5) ** 2 * (rows**2 + columns**2))
    grains = np.fft.ifft2(np.fft.fft2(rng.standard_normal((side, side))) * damping).real
    return _stretched(grains)


def _orders(count: int) -> list[tuple[int, int]]:
    """Powers along rows and columns, low ones first.

    >>> _orders(4)
    [(0, 0), (0, 1), (1, 0), (0, 2)]
    """
    found = [(up, total - up) for total in range(count) for up in range(total + 1)]
    return found[:count]


def _orthogonal(modes: "NDArray[Any]", shares: "NDArray[Any]") -> "NDArray[Any]":
    """Modes made orthogonal, in their order, each with its share of the power."""
    import numpy as np

    flat = modes.reshape(len(modes), -1)
    # Columns of unit length, the first along the first mode.
    basis = np.linalg.qr(flat.T)[0].T
    turned = basis * np.exp(1j * np.angle(np.sum(basis.conj() * flat, axis=1)))[:, None]
    return np.asarray((turned * np.sqrt(shares)[:, None]).reshape(modes.shape))


def scan_path(
    count: int, step: float, kind: Literal["raster", "spiral"], jitter: float, rng: Any
) -> "NDArray[Any]":
    """Positions of a scan, (frame, 2) pixels along rows and columns, the smallest at 0.

    step : mean distance of neighbours, pixels; jitter : largest deviation, share of the step.
    The spiral is Fermat's: Huang et al. 2014.
    """
    import numpy as np

    if kind == "raster":
        wide = math.ceil(math.sqrt(count))
        places = step * np.stack(np.divmod(np.arange(count), wide), axis=1).astype(np.float64)
    else:
        index = np.arange(count)
        # Each turn of the golden angle adds the area of one step squared.
        reach = step * np.sqrt(index / math.pi)
        places = np.stack([reach * np.sin(_GOLDEN * index), reach * np.cos(_GOLDEN * index)], 1)
    places = places + rng.uniform(-jitter * step, jitter * step, (count, 2))
    return np.asarray(places - places.min(axis=0))
