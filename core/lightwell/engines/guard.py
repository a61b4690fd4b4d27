"""The guard: no NaN and no infinite number leaves a step unnoticed, and its origin is named."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lightwell.engines.sources import Source
from lightwell.engines.tiles import Tiles
from lightwell.errors import InputError
from lightwell.products import Product

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_tile", "is_number", "place_of_fault", "refuse_estimate", "refuse_product"]


def is_number(value: Any) -> bool:
    """Whether a value is neither NaN nor infinite; what is no float is sound."""
    return not isinstance(value, float) or math.isfinite(value)


def _unsound(product: Product) -> "Iterator[tuple[str, NDArray[Any]]]":
    """The arrays with numbers that are none, and where: NaN is one where the product has gaps."""
    import numpy as np

    dims = product.dims()
    for name, array in product.arrays().items():
        host = np.asarray(array)
        if host.dtype.kind in "fc":
            wrong = np.isinf(host) if dims[name].gaps else ~np.isfinite(host)
            if wrong.any():
                yield name, wrong


def place_of_fault(product: Product, offsets: Mapping[str, int] | None = None) -> str:
    """Which array has the first number that is none, and where, in words; empty if none has.

    offsets : where along an axis the product begins.
    """
    import numpy as np

    for name, wrong in _unsound(product):
        names = product.dims()[name].names
        places = [
            f"{axis} {int(i) + (offsets or {}).get(axis, 0)}"
            for axis, i in zip(names, np.argwhere(wrong)[0], strict=True)
        ]
        return f"'{name}'" + (f" at {', '.join(places)}" if places else "")
    return ""


def check_tile(product: Product, tiles: Tiles, tile: int) -> None:
    """Refuse a tile with NaN or infinite numbers, naming the step they came from, and where.

    Errors: InputError.
    """
    if not any(_unsound(product)):
        return
    section = tiles.section
    for depth in range(len(section.works) + 1):
        # A step with a halo may have it from a neighbour.
        for near in section.neighbourhood([tile], depth):
            found = tiles.compute(near, depth)
            place = place_of_fault(found, {section.axis: section.span(near, near + 1)[0]})
            if place and depth == 0:
                raise _spoilt(section.source, found, place, section.place(near))
            if place:
                raise InputError(
                    f"{section.works[depth - 1].step.name} gave NaN or infinite numbers in {place}",
                    where=section.place(near),
                    remedy="look at the raw frames and the flat fields there; a dead pixel or a "
                    "flat field without light does this",
                )


def _spoilt(source: Source, found: Product, place: str, where: str) -> InputError:
    """The data themselves are to blame: say which frame, as the file counts them."""
    import numpy as np

    name = place.split("'")[1]
    first = int(np.argwhere(~np.isfinite(np.asarray(found.arrays()[name])))[0][0])
    frame = _original_index(source.arrays[name], first)
    counted = f", which is frame {frame} of the stack" if frame is not None else ""
    return InputError(
        f"the scan's own data has NaN or infinite numbers in {place}{counted}",
        where=where,
        remedy="put in a good copy of that frame, or leave it out and ingest again",
    )


def refuse_product(product: Product, step: str, cause: str) -> None:
    """Refuse a whole product with NaN or infinite numbers; `cause` is where its data had them.

    Errors: InputError naming step, array and place, and the data if they are to blame.
    """
    place = place_of_fault(product)
    if place:
        raise InputError(
            f"{step} gave NaN or infinite numbers in {place}{_because(cause)}",
            remedy="look at the data it got, and at its parameters",
        )


def refuse_estimate(found: Any, step: str, cause: str) -> None:
    """Refuse an estimate that is no number because the data it was made from are none.

    Errors: InputError.
    """
    value = getattr(found, "value", None)
    if cause and not is_number(value):
        raise InputError(
            f"{step} found {value}{_because(cause)}", remedy="mend the data, or leave it out"
        )


def _because(cause: str) -> str:
    return f"; its own data has them in {cause}" if cause else ""


def _original_index(lazy: Any, index: int) -> int | None:
    """Which member of the whole stack a member of a part of it is; None if it is no part."""
    members = getattr(lazy, "indices", None)
    if members is not None:
        return int(members[index])
    inner = getattr(lazy, "source", None)
    return _original_index(inner, index) if inner is not None else None
