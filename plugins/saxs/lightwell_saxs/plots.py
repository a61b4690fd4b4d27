"""Plots drawn into an array: a curve with its error band, lines over an image."""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Picture", "curve_plot", "even_steps", "fit_plot"]

Picture: TypeAlias = "NDArray[Any]"

_WIDTH, _HEIGHT = 900, 600
_WHOLE = (90, 20, 880, 550)
_UPPER, _LOWER = (90, 20, 880, 420), (90, 440, 880, 550)
_WHITE, _GRID, _BAND, _GREY, _BLACK = 255, 230, 190, 120, 0


def even_steps(first: float, last: float, most: int = 6) -> list[float]:
    """Round numbers between two ends, at most so many.

    >>> even_steps(0.1, 2.9)
    [0.5, 1.0, 1.5, 2.0, 2.5]
    """
    rough = max((last - first) / most, 1e-300)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    begin = math.ceil(first / step - 1e-9)
    return [round(step * i, 12) for i in range(begin, math.floor(last / step + 1e-9) + 1)]


def curve_plot(x: Any, y: Any, sigma: Any, label: str, *, logarithmic: bool = True) -> Picture:
    """A picture (row, column) of y over x with a band of one sigma.

    On a logarithmic scale what is not above zero is left out.
    """
    import numpy as np

    x, y, sigma = (np.asarray(part, np.float64) for part in (x, y, sigma))
    seen = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (not logarithmic))
    picture, pen = _blank()
    if seen.sum() < 2:
        return _nothing(picture, pen)
    x, y, sigma = x[seen], y[seen], np.nan_to_num(sigma[seen])
    height = np.log10(y) if logarithmic else y
    low, high = y - sigma, y + sigma
    ends = height if logarithmic else np.concatenate([low, high])
    scale = _Scale.around(x, ends, _WHOLE)
    _axes(pen, scale, label, logarithmic=logarithmic)
    if logarithmic:
        low, high = np.log10(np.maximum(low, 10.0**scale.bottom)), np.log10(high)
    for left in range(len(x) - 1):
        corners = [(left, low), (left, high), (left + 1, high), (left + 1, low)]
        pen.polygon([scale.place(x[i], part[i]) for i, part in corners], fill=_BAND)
    _line(pen, scale, x, height)
    return np.asarray(picture)


def fit_plot(
    x: Any, y: Any, sigma: Any, fitted: Any, label: str, *, logarithmic: bool = True
) -> Picture:
    """A picture (row, column): points with error bars and a line, below it what is left in sigmas.

    fitted : (point), not a number where the line does not reach.
    """
    import numpy as np

    x, y, sigma, fitted = (np.asarray(part, np.float64) for part in (x, y, sigma, fitted))
    seen = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (not logarithmic))
    picture, pen = _blank()
    if seen.sum() < 2:
        return _nothing(picture, pen)
    x, y, sigma, fitted = x[seen], y[seen], sigma[seen], fitted[seen]
    spread = np.nan_to_num(sigma)
    low, high, line = y - spread, y + spread, fitted
    if logarithmic:
        floor = y.min() * 0.5
        low, high = np.log10(np.maximum(low, floor)), np.log10(high)
        y, line = np.log10(y), np.log10(np.where(fitted > 0, fitted, np.nan))
    scale = _Scale.around(x, y, _UPPER)
    _axes(pen, scale, "", logarithmic=logarithmic)
    for point in range(len(x)):
        _error_bar(pen, scale, x[point], y[point], low[point], high[point])
    reach = np.isfinite(line)
    _line(pen, scale, x[reach], line[reach])
    _residuals(pen, x, (10.0**y if logarithmic else y) - fitted, sigma, scale, label)
    return np.asarray(picture)


def _residuals(pen: Any, x: Any, left: Any, sigma: Any, above: "_Scale", label: str) -> None:
    """What is left, in sigmas, or in its own scatter where no sigma is known."""
    import numpy as np

    known = np.isfinite(sigma) & (sigma > 0)
    scatter = np.sqrt(np.nanmean(left**2)) if np.isfinite(left).any() else 1.0
    pulls = left / np.where(known, sigma, scatter if scatter > 0 else 1.0)
    seen = np.isfinite(pulls)
    most = max(3.0, float(np.abs(pulls[seen]).max()) if seen.any() else 3.0)
    scale = _Scale(above.left, above.right, -min(most, 10.0), min(most, 10.0), _LOWER)
    _axes(pen, scale, label, logarithmic=False)
    pen.line([scale.place(above.left, 0.0), scale.place(above.right, 0.0)], fill=_BLACK)
    for point in np.flatnonzero(seen):
        column, row = scale.place(x[point], pulls[point])
        pen.ellipse([column - 2, row - 2, column + 2, row + 2], fill=_BLACK)


def _blank() -> tuple[Any, Any]:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (_WIDTH, _HEIGHT), _WHITE)
    return picture, ImageDraw.Draw(picture)


def _nothing(picture: Any, pen: Any) -> Picture:
    import numpy as np

    pen.text((_WIDTH // 2, _HEIGHT // 2), "nothing to draw", fill=_BLACK, anchor="mm", font_size=20)
    return np.asarray(picture)


class _Scale:
    """From values to pixels of the picture, inside a box (left, top, right, bottom)."""

    def __init__(
        self, left: float, right: float, bottom: float, top: float, box: tuple[int, int, int, int]
    ) -> None:
        room = max(0.05 * (top - bottom), 1e-3 * max(abs(top), abs(bottom)), 1e-300)
        self.left, self.right = left, right if right > left else left + 1.0
        self.bottom, self.top = bottom - room, top + room
        self.box = box

    @classmethod
    def around(cls, x: Any, y: Any, box: tuple[int, int, int, int]) -> "_Scale":
        """The scale that shows all of some points."""
        return cls(float(x.min()), float(x.max()), float(y.min()), float(y.max()), box)

    def place(self, x: float, height: float) -> tuple[float, float]:
        """Column and row of a point."""
        across = (x - self.left) / (self.right - self.left)
        up = (min(max(height, self.bottom), self.top) - self.bottom) / (self.top - self.bottom)
        left, roof, right, floor = self.box
        return left + across * (right - left), roof + (1.0 - up) * (floor - roof)


def _line(pen: Any, scale: _Scale, x: Any, height: Any) -> None:
    pen.line([scale.place(a, b) for a, b in zip(x, height, strict=True)], fill=_BLACK, width=2)


def _error_bar(pen: Any, scale: _Scale, x: float, y: float, low: float, high: float) -> None:
    column, row = scale.place(x, y)
    pen.line([scale.place(x, low), scale.place(x, high)], fill=_GREY)
    pen.ellipse([column - 2, row - 2, column + 2, row + 2], outline=_GREY)


def _axes(pen: Any, scale: _Scale, label: str, *, logarithmic: bool) -> None:
    left, roof, right, floor = scale.box
    for value in even_steps(scale.left, scale.right, 8):
        column = scale.place(value, scale.bottom)[0]
        pen.line([(column, roof), (column, floor)], fill=_GRID)
        if label:
            pen.text((column, floor + 6), f"{value:g}", fill=_BLACK, anchor="ma", font_size=16)
    for value in even_steps(scale.bottom, scale.top, 6 if floor - roof > 200 else 3):
        row = scale.place(scale.left, value)[1]
        text = f"{10.0**value:.3g}" if logarithmic else f"{value:g}"
        pen.line([(left, row), (right, row)], fill=_GRID)
        pen.text((left - 6, row), text, fill=_BLACK, anchor="rm", font_size=16)
    pen.rectangle([(left, roof), (right, floor)], outline=_BLACK)
    if label:
        pen.text((_WIDTH // 2, _HEIGHT - 4), label, fill=_BLACK, anchor="md", font_size=16)
