"""Previews: small pictures of products, for people."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.errors import LightwellError
from lightwell.files import complete_file
from lightwell.products import Product

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Preview", "contrast", "write_picture"]

_LARGEST_EDGE = 1024
_SMALLEST_EDGE = 64
_EASILY_SEEN = 256


@dataclasses.dataclass(frozen=True)
class Preview:
    """One kind of picture: of which product, cut at the middle of which axis, how drawn.

    draw : takes the product cut to one point along `along` and gives a 2-D array (y, x), of which
    the lightest and darkest half percent are clipped when it becomes a picture; or one in colours,
    (y, x, 3) uint8, which is shown as it is.
    """

    name: str
    of: type[Product]
    along: str
    draw: Callable[[Any], "NDArray[Any]"]


def write_picture(path: Path, image: "NDArray[Any]") -> Path:
    """Write a PNG, at most 1024 pixels wide: grey with its contrast stretched, or in colours.

    image : (y, x) any real type, or (y, x, 3) uint8: red, green, blue
    Errors: LightwellError for an array that is no picture.
    """
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    is_coloured = values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint8
    if not (is_coloured or values.ndim == 2) or 0 in values.shape:
        raise LightwellError(
            f"an array of shape {values.shape} cannot be drawn as a picture",
            where=path.name,
            remedy="a preview's draw function has to return (y, x), or (y, x, 3) uint8 for "
            "colours, with at least one pixel",
        )
    picture = Image.fromarray(values if is_coloured else _grey(values))
    size = _fitting(*picture.size)
    # What is enlarged keeps its pixels; what is made smaller averages them.
    larger = size[0] >= picture.width and size[1] >= picture.height
    picture = picture.resize(size, Image.Resampling.NEAREST if larger else Image.Resampling.BOX)
    with complete_file(path) as part:
        picture.save(part, format="PNG")
    return path


def _grey(values: "NDArray[Any]") -> "NDArray[Any]":
    """Shades from the darkest to the lightest; black where there is no number."""
    import numpy as np

    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    low, high = contrast(finite) if finite.size else (0.0, 1.0)
    # Halves, since the difference of the largest and the smallest number is no number.
    scaled = (np.clip(values, low, high) / 2 - low / 2) / max(high / 2 - low / 2, 1e-300)
    return np.asarray(np.rint(np.nan_to_num(np.clip(scaled, 0.0, 1.0)) * 255), np.uint8)


def contrast(finite: "NDArray[Any]") -> tuple[float, float]:
    """What is black and what is white: without the outermost percent, unless all else is equal."""
    import numpy as np

    low, high = (float(value) for value in np.percentile(finite, [0.5, 99.5]))
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def _fitting(width: int, height: int) -> tuple[int, int]:
    """The size of a picture: in proportion, unless one edge would be too thin to see.

    >>> _fitting(4096, 2048), _fitting(640, 2), _fitting(26, 3001), _fitting(26, 22)
    ((1024, 512), (640, 64), (64, 1024), (260, 220))
    """
    longest = max(width, height)
    factor = min(1.0, _LARGEST_EDGE / longest)
    if longest < _EASILY_SEEN:
        # Whole pixels, so that a small picture shows every one of them alike.
        factor = float(-(-_EASILY_SEEN // longest))
    scaled = (round(width * factor), round(height * factor))
    return (max(scaled[0], _SMALLEST_EDGE), max(scaled[1], _SMALLEST_EDGE))
