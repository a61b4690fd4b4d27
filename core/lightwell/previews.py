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

__all__ = ["Preview", "write_picture"]

_LARGEST_EDGE = 1024


@dataclasses.dataclass(frozen=True)
class Preview:
    """One kind of picture: of which product, cut at the middle of which axis, how drawn.

    draw : takes the product cut to one point along `along` and gives a 2-D array (y, x); the
    lightest and darkest half percent are clipped when it becomes a picture.
    """

    name: str
    of: type[Product]
    along: str
    draw: Callable[[Any], "NDArray[Any]"]


def write_picture(path: Path, image: "NDArray[Any]") -> Path:
    """Write a 2-D array as a greyscale PNG, contrast stretched, at most 1024 pixels wide.

    image : (y, x) any real type
    Errors: LightwellError for an array that is no picture.
    """
    import numpy as np
    from PIL import Image

    shape = np.shape(image)
    if len(shape) != 2 or 0 in shape:
        raise LightwellError(
            f"an array of shape {tuple(shape)} cannot be drawn as a picture",
            where=path.name,
            remedy="a preview's draw function has to return (y, x) with at least one pixel",
        )
    values = np.asarray(image, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 1.0)
    scaled = np.clip((values - low) / max(high - low, 1e-30), 0.0, 1.0)
    picture = Image.fromarray((np.nan_to_num(scaled) * 255).astype(np.uint8))
    picture.thumbnail((_LARGEST_EDGE, _LARGEST_EDGE))
    with complete_file(path) as part:
        picture.save(part, format="PNG")
    return path
