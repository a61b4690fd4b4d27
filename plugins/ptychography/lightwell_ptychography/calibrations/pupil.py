"""What the phase of a probe's pupil says: how far the probe is from its focus, and how it looks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bent", "curvature", "diameter", "edge"]

_FLOOR = 0.2
_ROUNDS = 6
_FINER = 4


def curvature(probe: "NDArray[Any]", pixel: tuple[float, float]) -> "NDArray[Any]":
    """The form Q (2, 2), m², rows first, in the phase -π fᵀQf of the pupil of a probe.

    probe : (mode, row, column) complex, strongest mode first; pixel : (row, column) m, so that f is
    in cycles per metre. Q over the wavelength is the distance behind the focus, along rows and
    along columns; where the beam is in its frame, and a ramp of its phase, do not matter.

    The phase is compared at neighbouring frequencies first, summed over modes, so that nothing has
    to be unwrapped as long as the probe fits into its frame; what is then left of the strongest
    mode's phase is fitted, which is more exact: the rim of the pupil, where noise bends slopes,
    counts less. Source of the slopes: M. P. Rimmer, Appl. Opt. 13, 623 (1974).
    """
    import numpy as np

    spectrum, rows, columns = _pupil(probe)
    first = _from_slopes(spectrum, rows, columns)
    main = _left_over(spectrum[0], rows, columns, first)
    y, x = rows.ravel(), columns.ravel()
    design = np.stack(
        [np.ones_like(y), y, x, -np.pi * y**2, -2 * np.pi * y * x, -np.pi * x**2], axis=1
    )
    start = np.zeros(6)
    start[0] = np.angle(main.sum())
    found = _fitted(main.ravel(), design, _weights(np.abs(main.ravel()) ** 2), start)
    form = first + np.array([[found[3], found[4]], [found[4], found[5]]])
    return np.asarray(form * np.outer(pixel, pixel))


def bent(probe: "NDArray[Any]", pixel: tuple[float, float], form: "NDArray[Any]") -> Any:
    """A probe (mode, row, column) whose pupil has the phase of a form Q (2, 2), m², more."""
    import numpy as np

    y = np.fft.fftfreq(probe.shape[-2], pixel[0])[:, None]
    x = np.fft.fftfreq(probe.shape[-1], pixel[1])[None, :]
    phase = np.pi * (form[0, 0] * y**2 + 2 * form[0, 1] * y * x + form[1, 1] * x**2)
    return np.fft.ifft2(np.fft.fft2(probe) * np.exp(-1j * phase))


def edge(probe: "NDArray[Any]", pixel: tuple[float, float]) -> float:
    """Radius, cycles per metre, of the disc whose second moment is that of the pupil."""
    import numpy as np

    spectrum, rows, columns = _pupil(probe)
    weight = _weights((np.abs(spectrum) ** 2).sum(axis=0))
    share = weight / weight.sum()
    rows, columns = rows / pixel[0], columns / pixel[1]
    y, x = (share * rows).sum(), (share * columns).sum()
    return float(np.sqrt(2 * (share * ((rows - y) ** 2 + (columns - x) ** 2)).sum()))


def diameter(probe: "NDArray[Any]", pixel: tuple[float, float]) -> float:
    """Diameter, m, of the circle about the middle of a probe that holds half of its light.

    probe : (mode, row, column) complex; looked at four times as finely as it is sampled.
    """
    import numpy as np

    spectrum = np.fft.fftshift(np.fft.fft2(probe), axes=(-2, -1))
    sides = np.array(spectrum.shape[-2:])
    around = [(0, 0)] + [(side * (_FINER - 1) // 2,) * 2 for side in sides]
    wave = np.fft.ifft2(np.fft.ifftshift(np.pad(spectrum, around), axes=(-2, -1)))
    light = (np.abs(wave) ** 2).sum(axis=0)
    away = []
    for axis, size in enumerate(pixel):
        side = light.shape[axis]
        along = np.exp(2j * np.pi * np.arange(side) / side)
        # The frame has no border: distances go the shorter way round.
        middle = np.angle((light.sum(axis=1 - axis) * along).sum())
        away.append(np.angle(along * np.exp(-1j * middle)) * side / (2 * np.pi) * size / _FINER)
    reach = np.hypot(away[0][:, None], away[1][None, :]).ravel()
    order = np.argsort(reach)
    held = np.cumsum(light.ravel()[order])
    return float(2 * reach[order][np.searchsorted(held, 0.5 * held[-1])])


def _pupil(probe: "NDArray[Any]") -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """Spectrum (mode, row, column), zero frequency in the middle, and its frequencies per pixel."""
    import numpy as np

    centred = np.fft.ifftshift(np.asarray(probe, np.complex128), axes=(-2, -1))
    spectrum = np.fft.fftshift(np.fft.fft2(centred), axes=(-2, -1))
    rows, columns = (np.fft.fftshift(np.fft.fftfreq(side)) for side in spectrum.shape[-2:])
    return spectrum, *np.meshgrid(rows, columns, indexing="ij")


def _from_slopes(
    spectrum: "NDArray[Any]", rows: "NDArray[Any]", columns: "NDArray[Any]"
) -> "NDArray[Any]":
    """The form Q from how much the phase of a pupil changes from frequency to frequency."""
    import numpy as np

    values, designs, start = [], [], np.zeros(5)
    for axis, step in enumerate((rows[1, 0] - rows[0, 0], columns[0, 1] - columns[0, 0])):
        later, before = np.delete(spectrum, 0, axis + 1), np.delete(spectrum, -1, axis + 1)
        value = (later * before.conj()).sum(axis=0).ravel()
        y, x = (
            0.5 * (np.delete(f, 0, axis) + np.delete(f, -1, axis)).ravel() for f in (rows, columns)
        )
        # Where the beam is along rows and along columns, then the form.
        design = np.zeros((y.size, 5))
        design[:, axis] = 1.0
        design[:, 2 + axis], design[:, 3 + axis] = -2 * np.pi * step * y, -2 * np.pi * step * x
        start[axis] = np.angle(value.sum())
        values.append(value)
        designs.append(design)
    whole = np.concatenate(values)
    found = _fitted(whole, np.concatenate(designs), _weights(np.abs(whole)), start)
    return np.array([[found[2], found[3]], [found[3], found[4]]])


def _left_over(
    main: "NDArray[Any]", rows: "NDArray[Any]", columns: "NDArray[Any]", form: "NDArray[Any]"
) -> "NDArray[Any]":
    """A pupil (row, column) without the phase of a form, and with its focus in the middle."""
    import numpy as np

    phase = form[0, 0] * rows**2 + 2 * form[0, 1] * rows * columns + form[1, 1] * columns**2
    flat = main * np.exp(1j * np.pi * phase)
    focus = np.abs(np.fft.ifft2(np.fft.ifftshift(flat)))
    for axis, place in enumerate(np.unravel_index(focus.argmax(), focus.shape)):
        side = focus.shape[axis]
        cycles = np.fft.fftshift(np.fft.fftfreq(side)) * float(place)
        flat = flat * np.exp(2j * np.pi * np.expand_dims(cycles, 1 - axis))
    return np.asarray(flat)


def _weights(power: "NDArray[Any]") -> "NDArray[Any]":
    """Power above a fifth of what is bright: a pupil without the noise around it."""
    import numpy as np

    bright = np.quantile(power[power > 0.1 * power.max()], 0.9)
    return np.asarray(np.maximum(power - _FLOOR * bright, 0.0))


def _fitted(
    values: "NDArray[Any]", design: "NDArray[Any]", weight: "NDArray[Any]", start: "NDArray[Any]"
) -> "NDArray[Any]":
    """Parameters (parameter,) of the phase of complex values (point,), from a start close by.

    design : (point, parameter), radian.
    """
    import numpy as np

    keep = weight > 0
    values, design, weight = values[keep], design[keep], weight[keep]
    found = start
    normal = design.T @ (weight[:, None] * design)
    for _ in range(_ROUNDS):
        rest = np.angle(values * np.exp(-1j * (design @ found)))
        found = found + np.linalg.lstsq(normal, design.T @ (weight * rest), rcond=None)[0]
    return np.asarray(found)
