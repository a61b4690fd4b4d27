"""Drawn into arrays: complex images in colour, scale bars, errors, moved positions."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colour_wheel", "error_plot", "moves_plot", "round_length", "with_scale_bar"]

_WIDTH, _HEIGHT, _EDGE = 900, 600, 80
_WHITE, _GRID, _BLACK = 255, 225, 0
_LEGIBLE = 512
# The font that Pillow brings has no Greek.
_UNITS = (("mm", 1e-3), ("um", 1e-6), ("nm", 1e-9))


def colour_wheel(wave: Any, largest: float | None = None) -> "NDArray[Any]":
    """A complex image in colours: hue is the phase (0 red, 2π/3 green), brightness the amplitude.

    wave : (row, column) complex; largest : the amplitude that is brightest, that of the image if
    not given. Gives (row, column, 3) uint8.
    """
    import numpy as np

    wave = np.asarray(wave, np.complex128)
    top = float(np.abs(wave).max()) if largest is None else largest
    bright = np.clip(np.abs(wave) / max(top, 1e-300), 0.0, 1.0)
    turn = np.angle(wave) / (2 * math.pi)
    # Each colour is full over a third of the circle and falls over a sixth beside it.
    shares = [np.abs((turn - start + 0.5) % 1.0 - 0.5) for start in (0.0, 1 / 3, 2 / 3)]
    colours = [np.clip(2.0 - 6.0 * share, 0.0, 1.0) * bright for share in shares]
    return np.asarray(np.rint(255 * np.stack(colours, axis=-1)), np.uint8)


def round_length(most: float) -> tuple[float, str]:
    """The longest round length that is not longer than this (m), and its name.

    >>> round_length(3.7e-6)
    (2e-06, '2 um')
    """
    power = 10.0 ** math.floor(math.log10(most))
    length = next(power * factor for factor in (5, 2, 1) if power * factor <= most * (1 + 1e-9))
    name, unit = next((pair for pair in _UNITS if length >= pair[1]), _UNITS[-1])
    return length, f"{length / unit:g} {name}"


def with_scale_bar(image: "NDArray[Any]", pixel: float) -> "NDArray[Any]":
    """An image with a bar of a round length in its lower left corner, enlarged until it is legible.

    image : (row, column) real; pixel : metre, of the columns; as it was where that is no number.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    if not pixel > 0 or min(image.shape) < 16:
        return image
    factor = max(1, -(-_LEGIBLE // max(image.shape)))
    image, pixel = image.repeat(factor, axis=0).repeat(factor, axis=1), pixel / factor
    rows, columns = image.shape
    length, name = round_length(0.3 * columns * pixel)
    thick, font = max(rows // 100, 2), rows // 24
    left, low = columns // 30, rows - rows // 30
    drawn = Image.new("L", (columns, rows), 0)
    pen = ImageDraw.Draw(drawn)
    right = left + round(length / pixel)
    pen.rectangle([(left, low - thick), (right, low)], fill=255)
    pen.text((left, low - thick - 2), name, fill=255, anchor="lb", font_size=font)
    share = np.asarray(drawn, np.float64) / 255
    finite = image[np.isfinite(image)]
    light, dark = (float(finite.max()), float(finite.min())) if finite.size else (1.0, 0.0)
    shown = np.nan_to_num(image, nan=dark)
    # A darker ground, so that the bar is seen on a light sample too.
    shown = np.where(_around(share > 0, 2 + thick), dark, shown)
    return np.asarray(share * light + (1 - share) * shown)


def _around(mask: "NDArray[Any]", reach: int) -> "NDArray[Any]":
    """A box around all that is marked."""
    import numpy as np

    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = np.zeros_like(mask)
    top, left = max(int(rows[0]) - reach, 0), max(int(columns[0]) - reach, 0)
    box[top : int(rows[-1]) + reach + 1, left : int(columns[-1]) + reach + 1] = True
    return box


def error_plot(errors: Any, sentences: Sequence[str] = ()) -> "NDArray[Any]":
    """The error of every iteration on a logarithmic scale, and what is said about it below.

    errors : (iteration,), what is no number is left out. Gives (row, column) uint8.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    values = np.asarray(errors, np.float64)
    seen = np.flatnonzero(np.isfinite(values) & (values > 0))
    picture = Image.new("L", (_WIDTH, _HEIGHT), _WHITE)
    pen = ImageDraw.Draw(picture)
    if not len(seen):
        pen.text((_WIDTH // 2, _HEIGHT // 2), "no error is known", fill=_BLACK, anchor="mm")
        return np.asarray(picture)
    height = np.log10(values[seen])
    bottom, top = float(height.min()) - 0.03, float(height.max()) + 0.03
    last = max(len(values), 2)

    def place(iteration: float, logarithm: float) -> tuple[float, float]:
        across = (iteration - 1) / (last - 1)
        up = (logarithm - bottom) / (top - bottom)
        return _EDGE + across * (_WIDTH - 1.5 * _EDGE), _HEIGHT - _EDGE - up * (
            _HEIGHT - 1.5 * _EDGE
        )

    for value in _decades(bottom, top):
        row = place(1, math.log10(value))[1]
        pen.line([(_EDGE, row), (_WIDTH - _EDGE // 2, row)], fill=_GRID)
        pen.text((_EDGE - 6, row), f"{value:g}", fill=_BLACK, anchor="rm", font_size=16)
    for iteration in sorted({1, *(round(last * share / 5) for share in range(1, 6))}):
        column, floor = place(iteration, bottom)
        pen.line([(column, floor), (column, floor + 5)], fill=_BLACK)
        pen.text((column, floor + 8), f"{iteration}", fill=_BLACK, anchor="ma", font_size=16)
    points = [place(int(i) + 1, float(h)) for i, h in zip(seen, height, strict=True)]
    pen.line(points, fill=_BLACK, width=2)
    for x, y in points if len(points) <= 200 else ():
        pen.ellipse([(x - 2, y - 2), (x + 2, y + 2)], fill=_BLACK)
    pen.line([place(1, top), place(1, bottom), place(last, bottom)], fill=_BLACK)
    pen.text((_WIDTH // 2, _HEIGHT - 8), "iteration", fill=_BLACK, anchor="mb", font_size=16)
    said = f"Fourier error, at last {values[seen[-1]]:.4g}"
    pen.text((_WIDTH // 2, 8), said, fill=_BLACK, anchor="ma", font_size=18)
    return np.concatenate([np.asarray(picture), _written(sentences)])


def _written(sentences: Sequence[str]) -> "NDArray[Any]":
    """Lines of text as a picture of the width of plots."""
    import textwrap

    import numpy as np
    from PIL import Image, ImageDraw

    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 100)]
    picture = Image.new("L", (_WIDTH, 12 + 22 * len(lines) if lines else 0), _WHITE)
    pen = ImageDraw.Draw(picture)
    for index, line in enumerate(lines):
        pen.text((20, 4 + 22 * index), line, fill=_BLACK, font_size=16)
    return np.asarray(picture).reshape(-1, _WIDTH)


def _decades(bottom: float, top: float) -> list[float]:
    """Round numbers on a logarithmic scale: few over decades, more within one."""
    factors = (1,) if top - bottom > 4 else (1, 2, 5) if top - bottom > 0.7 else range(1, 10)
    powers = range(math.floor(bottom), math.ceil(top) + 1)
    values = [factor * 10.0**power for power in powers for factor in factors]
    found = [value for value in values if bottom <= math.log10(value) <= top]
    return found or [round(10.0 ** (0.5 * (bottom + top)), 4)]


def moves_plot(before: Any, after: Any) -> "NDArray[Any]":
    """How far every position was moved: a dot where it is, a line from where it was told.

    before, after : (frame, 2) pixels along rows and columns. Lines are lengthened by the round
    factor that is written below; the mean move is taken away, which no data can tell.
    Gives (row, column) uint8.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    before, after = (np.asarray(part, np.float64) for part in (before, after))
    moves = (after - before) - (after - before).mean(axis=0)
    spread = max(float(np.ptp(before, axis=0).max()), 1e-6)
    side = _WIDTH
    scale = (side - 2 * _EDGE) / spread
    size = float(np.sqrt((moves**2).sum(axis=1)).max())
    step = spread / max(math.sqrt(len(before)) - 1, 1)
    factor = max(1, round(0.6 * step / size)) if size > 1e-3 else 1
    picture = Image.new("L", (side, side), _WHITE)
    pen = ImageDraw.Draw(picture)
    first = before.min(axis=0)
    for place, move in zip(before, moves, strict=True):
        y, x = _EDGE + scale * (place - first)
        dy, dx = scale * factor * move
        pen.line([(x, y), (x + dx, y + dy)], fill=_BLACK, width=2)
        pen.ellipse([(x - 2, y - 2), (x + 2, y + 2)], fill=140)
    middle = float(np.median(np.sqrt((moves**2).sum(axis=1))))
    said = (
        f"moved by {middle:.2f} pixels (median), {size:.2f} at most; lines {factor} times as long"
    )
    pen.text((side // 2, side - 20), said, fill=_BLACK, anchor="mb", font_size=18)
    return np.asarray(picture)
