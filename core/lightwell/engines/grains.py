"""How much of an array is read together, whatever is asked for."""

from collections.abc import Sequence
from typing import Any

from lightwell.stacks import LazyArray, layouts_of

__all__ = ["grain_of", "stored_bytes"]


def grain_of(lazy: LazyArray) -> tuple[int, ...] | None:
    """How many points along each axis are read together; None for an array that does not tell.

    What is stored as it is can be read in any part; a compressed chunk is read whole.
    """
    told: tuple[int, ...] | None = getattr(lazy, "grain", None)
    if told is not None:
        return told
    source = getattr(lazy, "source", None)
    factors: Sequence[int] | None = getattr(lazy, "factors", None)
    if factors is not None and source is not None:
        below = grain_of(source)
        return below and tuple(-(-own // f) for own, f in zip(below, factors, strict=True))
    layouts = layouts_of(lazy)
    if source is not None and (not layouts or any(one.kind == "virtual" for _, one in layouts)):
        return grain_of(source)
    behind = getattr(lazy, "source_layout", None)
    if behind is not None:
        # Of a virtual dataset only its sources know how they are chunked.
        layouts = [(1, behind())]
    return _of_layouts(layouts, lazy.shape) if layouts else None


def _of_layouts(layouts: Sequence[tuple[int, Any]], shape: tuple[int, ...]) -> Any:
    edges = [1] * len(shape)
    for _, layout in layouts:
        if layout.kind == "virtual":
            return None
        # A source may have fewer axes than what shows it, a frame of a stack.
        if layout.chunks is not None and len(layout.chunks) > len(edges):
            return None
        if layout.chunks is not None and layout.codec != "none":
            shift = len(edges) - len(layout.chunks)
            for axis, edge in enumerate(layout.chunks, shift):
                edges[axis] = max(edges[axis], min(edge, shape[axis]))
    return tuple(edges)


def stored_bytes(lazy: LazyArray) -> int:
    """How many bytes an array takes where it is stored; their size in memory where it is unknown.

    A stack made of a part of a dataset's members is charged for that part.
    """
    layouts = layouts_of(getattr(lazy, "source", lazy) if hasattr(lazy, "factors") else lazy)
    size = lazy.dtype.itemsize
    for length in lazy.shape:
        size *= length
    if not layouts or any(layout.kind == "virtual" for _, layout in layouts):
        return size
    found = 0.0
    for count, layout in layouts:
        members = layout.shape[0] if len(layout.shape) == len(lazy.shape) and layout.shape else 1
        found += layout.stored_bytes * count / max(members, 1)
    return int(found)
