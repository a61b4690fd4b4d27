"""What flows, the kernels as steps, and the chain that people run by name."""

from typing import Annotated, Any

import numpy as np
from lightwell import Array, Dims, Estimate, From, Input, Product, Unit, estimate_step, map_step

from als_microdiffraction.kernels import ring_means


class Map(Product):
    frames: Annotated[Array, Dims("point", "y", "x"), From("instrument.detector.data")]
    dark: Annotated[Array, Dims("y", "x"), From("instrument.detector.dark")]


class Patterns(Product):
    frames: Annotated[Array, Dims("point", "y", "x")]


class Profiles(Product):
    intensity: Annotated[Array, Dims("point", "ring", unit="counts")]


@map_step(over={"point"})
def subtract_dark(scan: Map) -> Patterns:
    return Patterns(scan.frames - scan.dark)


@estimate_step(sample={"point": 9})
def find_background(patterns: Patterns) -> Estimate[float]:
    """The level at the left edge of the detector, which no ring reaches."""
    levels = np.mean(patterns.frames[:, :, :4], axis=(1, 2))
    return Estimate(float(levels.mean()), float(levels.std() / np.sqrt(len(levels))))


def ring_numbers(like: Patterns, *, centre_x: float, centre_y: float, rings: int) -> Any:
    """Which ring, one pixel wide, each pixel is on; made once, on the host."""
    down, across = np.indices(like.frames.shape[1:])
    radius = np.rint(np.hypot(across - centre_x, down - centre_y))
    return np.minimum(radius, rings).astype(np.int32).ravel()


@map_step(over={"point"}, plan=ring_numbers)
def average_rings(
    patterns: Patterns,
    ring: Array,
    *,
    background: Annotated[float, Unit("counts")],
    centre_x: Annotated[float, Unit("pixel"), From("instrument.detector.beam_center_x")],
    centre_y: Annotated[float, Unit("pixel"), From("instrument.detector.beam_center_y")],
    rings: int = 24,
) -> Profiles:
    """Mean intensity over the radius in pixels, without the background."""
    return Profiles(ring_means(patterns.frames, ring, rings) - background)


rings = (
    Input("data", Map) | subtract_dark | find_background.into("background") | average_rings
).named("microdiffraction.rings")
