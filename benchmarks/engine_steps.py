"""Kernels that do nothing, for benchmarks/engine.py: what is left is the engine's own cost."""

from typing import Annotated

from lightwell import Array, Dims, Input, Product, map_step

__all__ = ["Frames", "idle"]


class Frames(Product):
    """Frames as they were counted."""

    frames: Annotated[Array, Dims("angle", "row", "x", unit="counts")]


@map_step(over={"row"}, tile={"row": 16}, host=True)
def pass_on(frames: Frames) -> Frames:
    """Give what came."""
    return frames


idle = (Input("data", Frames) | pass_on).named("benchmark.idle")
