"""Pictures of a scan and of what it became: pattern, phase, amplitude, probe, errors, moves."""

from typing import TYPE_CHECKING, Any

from lightwell import Preview
from lightwell_ptychography.judgement.results import judge_result
from lightwell_ptychography.plots import colour_wheel, error_plot, moves_plot, with_scale_bar
from lightwell_ptychography.products import Diffraction, ObjectAndProbe, Optics

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PREVIEWS"]

_LIT = 0.02
_WHEEL = 5


def _pattern(data: Diffraction) -> "NDArray[Any]":
    """The logarithm of one frame, its zero frequency in the middle; dead pixels are black."""
    import numpy as np

    optics = Optics.of(np.asarray(data.optics))
    frame = np.asarray(data.frames[0], np.float64)
    counts = frame**2 if optics.amplitude else frame
    shown = np.where(np.asarray(data.mask) != 0, np.log1p(np.maximum(counts, 0.0)), 0.0)
    return shown if optics.near else np.fft.fftshift(shown)


def _phase(found: ObjectAndProbe) -> "NDArray[Any]":
    """The phase where the scan shed light, without a ramp, with a scale bar."""
    import numpy as np

    image, lit, pixel = _seen(found)
    return with_scale_bar(np.where(lit > 0, np.angle(_without_ramp(image, lit)), np.nan), pixel)


def _amplitude(found: ObjectAndProbe) -> "NDArray[Any]":
    """The amplitude where the scan shed light, with a scale bar."""
    import numpy as np

    image, lit, pixel = _seen(found)
    return with_scale_bar(np.where(lit > 0, np.abs(image), np.nan), pixel)


def _seen(found: ObjectAndProbe) -> "tuple[NDArray[Any], NDArray[Any], float]":
    """The lit part of the object, the light on it (0 where there is hardly any), its pixel in m."""
    import numpy as np

    light = np.asarray(found.lit, np.float64)
    light = np.where(light > _LIT * light.max(), light, 0.0)
    rows, columns = (np.flatnonzero(light.any(axis=axis)) for axis in (1, 0))
    box = np.s_[:, :]
    if len(rows):
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pixel = Optics.of(np.asarray(found.optics)).object_column
    return np.asarray(found.object[0], np.complex128)[box], light[box], float(pixel)


def _without_ramp(image: "NDArray[Any]", light: "NDArray[Any]") -> "NDArray[Any]":
    """The image turned so that its phase has no slope and no mean, weighted by the light."""
    import numpy as np

    slopes = []
    for axis in (0, 1):
        both = np.minimum(light, np.roll(light, -1, axis))
        steps = both * np.roll(image, -1, axis) * image.conj()
        slopes.append(float(np.angle(np.delete(steps, -1, axis).sum())))
    rows, columns = np.indices(image.shape)
    flat = image * np.exp(-1j * (slopes[0] * rows + slopes[1] * columns))
    return np.asarray(flat * np.exp(-1j * np.angle((light * flat).sum())))


def _probe(found: ObjectAndProbe) -> "NDArray[Any]":
    """Modes side by side in colours, each as bright as can be; their power; a wheel of phases."""
    import numpy as np
    from PIL import Image, ImageDraw

    modes = np.asarray(found.probe, np.complex128)
    factor = max(1, 256 // modes.shape[-1])
    tiles = [np.kron(colour_wheel(mode), np.ones((factor, factor, 1), np.uint8)) for mode in modes]
    _draw_wheel(tiles[0])
    picture = Image.fromarray(np.concatenate(tiles, axis=1))
    pen = ImageDraw.Draw(picture)
    power = np.sum(np.abs(modes) ** 2, axis=(1, 2))
    for index, share in enumerate(power / max(float(power.sum()), 1e-300)):
        place = (index * tiles[0].shape[1] + 6, 4)
        pen.text(place, f"{100 * share:.1f} %", fill=(255, 255, 255), font_size=16)
    return np.asarray(picture)


def _draw_wheel(tile: "NDArray[Any]") -> None:
    """A disc of all phases in the lower right corner."""
    import numpy as np

    side = min(tile.shape[:2]) // _WHEEL
    offset = (np.arange(side) - (side - 1) / 2) / (side / 2)
    # Phases grow against the clock, as they are drawn on paper.
    disc = offset[None, :] - 1j * offset[:, None]
    inside = np.abs(disc) <= 1
    corner = tile[-side - 4 : -4, -side - 4 : -4]
    corner[inside] = colour_wheel(disc, 1.0)[inside]


def _error(found: ObjectAndProbe) -> "NDArray[Any]":
    """Every iteration's error, and the verdict in words."""
    return error_plot(found.error, judge_result(found).sentences)


def _moves(found: ObjectAndProbe) -> "NDArray[Any]":
    return moves_plot(found.told, found.positions)


PREVIEWS = (
    Preview("pattern", Diffraction, "frame", _pattern),
    Preview("phase", ObjectAndProbe, "slice", _phase),
    Preview("amplitude", ObjectAndProbe, "slice", _amplitude),
    Preview("probe", ObjectAndProbe, "slice", _probe),
    Preview("error", ObjectAndProbe, "slice", _error),
    Preview("moves", ObjectAndProbe, "slice", _moves),
)
