"""Contact sheets: small pictures side by side, each with the value that made it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.files import complete_file
from lightwell.previews import contrast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["write_contact_sheet"]

WIDEST = 2400
"""Pixels of a sheet from edge to edge; few pictures are shown larger than many."""

_LARGEST, _SMALLEST = 512, 128
_GAP = 8
_FONT = 22


def write_contact_sheet(
    path: Path, title: str, labels: Sequence[str], image: "Callable[[int], NDArray[Any]]"
) -> Path:
    """Write a PNG with one labelled picture per value, all on one grey scale.

    image : gives the i-th one, (y, x) any real type, (y, x, 3) in colours, or (x) for a curve.
    """
    columns = math.ceil(math.sqrt(len(labels)))
    edge = max(_SMALLEST, min(_LARGEST, WIDEST // columns - _GAP))
    # Made small as they come: all at once, they might not fit into memory.
    small = [_reduced(image(index), edge) for index in range(len(labels))]
    low, high = _common_contrast(small)
    tiles = [_grey(values, low, high, edge) for values in small]
    sheet = _laid_out(title, labels, tiles, columns)
    with complete_file(path) as part:
        sheet.save(part, format="PNG")
    return path


def _reduced(values: "NDArray[Any]", edge: int) -> "NDArray[Any]":
    """A picture of at most so many pixels along an edge, averaged; a curve as it is."""
    import numpy as np
    from PIL import Image

    host = np.asarray(values, np.float32)
    # One grey scale for all: of colours only the brightness is left.
    host = host.mean(axis=2) if host.ndim == 3 else host
    if host.ndim < 2 or max(host.shape) <= edge:
        return host
    factor = edge / max(host.shape)
    height, width = (max(1, round(length * factor)) for length in host.shape)
    size = (width, height)
    return np.asarray(Image.fromarray(host).resize(size, Image.Resampling.BOX))


def _common_contrast(pictures: "Sequence[NDArray[Any]]") -> tuple[float, float]:
    """One black and one white for all: what differs between pictures is then seen."""
    import numpy as np

    finite = [values[np.isfinite(values)].astype(np.float64) for values in pictures]
    whole = np.concatenate(finite) if finite else np.empty(0)
    return contrast(whole) if whole.size else (0.0, 1.0)


def _grey(values: "NDArray[np.float32]", low: float, high: float, edge: int) -> Any:
    import numpy as np
    from PIL import Image

    scaled = np.clip((values.astype(np.float64) - low) / max(high - low, 1e-300), 0.0, 1.0)
    scaled = np.nan_to_num(scaled)
    if scaled.ndim < 2:
        return _curve(scaled.reshape(-1), edge)
    picture = Image.fromarray(np.rint(scaled * 255).astype(np.uint8))
    factor = max(1, min(edge // max(picture.size), 8))
    if factor == 1:
        return picture
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def _curve(heights: "NDArray[Any]", edge: int) -> Any:
    """A line over its points, the highest of all curves at the top."""
    from PIL import Image, ImageDraw

    width, height = edge, edge // 2
    picture = Image.new("L", (width, height), 255)
    steps = max(len(heights) - 1, 1)
    points = [
        (i * (width - 1) / steps, (1 - float(v)) * (height - 1)) for i, v in enumerate(heights)
    ]
    ImageDraw.Draw(picture).line(points, fill=0, width=2)
    return picture


def _laid_out(title: str, labels: Sequence[str], tiles: Sequence[Any], columns: int) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_FONT)
    line = _FONT + 6
    width = max([tile.width for tile in tiles] + [round(font.getlength(text)) for text in labels])
    height = max(tile.height for tile in tiles)
    rows = math.ceil(len(tiles) / columns)
    total = max(columns * (width + _GAP) + _GAP, round(font.getlength(title)) + 2 * _GAP)
    sheet = Image.new("L", (total, line + rows * (height + line + _GAP) + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 2), title, fill=0, font=font)
    for index, (label, tile) in enumerate(zip(labels, tiles, strict=True)):
        x = _GAP + index % columns * (width + _GAP)
        y = line + index // columns * (height + line + _GAP)
        pen.text((x, y + 2), label, fill=0, font=font)
        sheet.paste(tile, (x, y + line))
    return sheet
