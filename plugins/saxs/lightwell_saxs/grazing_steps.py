"""Grazing incidence as steps: maps over (q_xy, q_z), and lines through them."""

import math
from typing import Annotated, Any, Literal, NamedTuple, Unpack

import numpy as np

from lightwell import Default, Unit, map_step
from lightwell.errors import ParameterError
from lightwell_saxs.integrating import (
    FRAMES,
    Integration,
    PerNanometre,
    Weighing,
    average_plan,
    averaged,
    axis_between,
    valid_pixels,
)
from lightwell_saxs.kernels.averaging import AveragePlan
from lightwell_saxs.kernels.geometry import Geometry
from lightwell_saxs.kernels.grazing import GrazingPositions, Normal, grazing_positions
from lightwell_saxs.kernels.plane_splitting import build_map_operator, seen_range
from lightwell_saxs.kernels.splitting import Axis
from lightwell_saxs.products import Frames, GrazingCuts, GrazingMaps

__all__ = ["cut_line", "map_grazing"]

Angle = Annotated[float, Unit("degree")]


class Surface(Weighing, total=False):
    """How the surface lies, beside what a pixel is worth.

    incidence : of the beam on the surface; tilt : of the surface about the beam; normal : where
    the surface points in the image, first row on top.
    """

    tilt: Annotated[float, Unit("degree"), Default(0.0)]
    normal: Annotated[Normal, Default("up")]


class SurfaceIntegration(Surface, Integration, total=False):
    """How the surface lies, how pixels are weighed, and how their errors are known."""


class MapPlan(NamedTuple):
    """The tables of a map and its axes, q_xy (column) and q_z (row), 1/nm."""

    average: AveragePlan
    q_xy: Any
    q_z: Any


def map_plan(
    like: Frames,
    *,
    incidence: Angle,
    bins_xy: int,
    bins_z: int,
    q_xy_min: PerNanometre,
    q_xy_max: PerNanometre,
    q_z_min: PerNanometre,
    q_z_max: PerNanometre,
    **how: Unpack[Surface],
) -> MapPlan:
    """The operator of a map and its bins."""
    limits = ((q_xy_min, q_xy_max), (q_z_min, q_z_max))
    return _plan(like, incidence, (bins_xy, bins_z), limits, **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=map_plan, host=True)
def map_grazing(
    frames: Frames,
    plan: MapPlan,
    *,
    incidence: Angle,
    bins_xy: int = 500,
    bins_z: int = 500,
    q_xy_min: PerNanometre = None,
    q_xy_max: PerNanometre = None,
    q_z_min: PerNanometre = None,
    q_z_max: PerNanometre = None,
    **how: Unpack[SurfaceIntegration],
) -> GrazingMaps:
    """Intensity over q_xy and q_z of a surface that the beam grazes, the missing wedge empty.

    incidence : of the beam on the surface; q_xy_min … q_z_max : all that the detector sees if
    not given; q_xy grows with columns (with rows where the normal is left or right); tilt : of
    the surface about the beam; normal : where it points in the image, first row on top.
    """
    weighed: Any = {name: value for name, value in how.items() if name not in _OF_SURFACE}
    mean, sigma = averaged(frames, plan.average, **weighed)
    shape = (len(mean), len(plan.q_z), len(plan.q_xy))
    return GrazingMaps.of(
        intensity=mean.reshape(shape), sigma=sigma.reshape(shape), q_z=plan.q_z, q_xy=plan.q_xy
    )


_OF_SURFACE = ("tilt", "normal")


def line_plan(
    like: Frames,
    *,
    along: Literal["q_xy", "q_z"],
    across_min: Annotated[float, Unit("1/nm")],
    across_max: Annotated[float, Unit("1/nm")],
    incidence: Angle,
    bins: int,
    q_min: PerNanometre,
    q_max: PerNanometre,
    **how: Unpack[Surface],
) -> MapPlan:
    """The operator of a line, a map with one bin across it."""
    own, band = (q_min, q_max), (across_min, across_max)
    sides = (own, band) if along == "q_xy" else (band, own)
    return _plan(like, incidence, (bins, 1) if along == "q_xy" else (1, bins), sides, **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=line_plan, host=True)
def cut_line(
    frames: Frames,
    plan: MapPlan,
    *,
    along: Literal["q_xy", "q_z"],
    across_min: Annotated[float, Unit("1/nm")],
    across_max: Annotated[float, Unit("1/nm")],
    incidence: Angle = 0.0,
    bins: int = 500,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
    **how: Unpack[SurfaceIntegration],
) -> GrazingCuts:
    """Intensity along q_xy or q_z between two values of the other, with errors.

    across_min, across_max : of the other; incidence : 0 for a sample that the beam goes through,
    whose lines are then horizontal or vertical; the others as those of `map_grazing`.
    """
    weighed: Any = {name: value for name, value in how.items() if name not in _OF_SURFACE}
    mean, sigma = averaged(frames, plan.average, **weighed)
    return GrazingCuts.of(intensity=mean, sigma=sigma, q=plan.q_xy if along == "q_xy" else plan.q_z)


def _plan(
    like: Frames,
    incidence: float,
    bins: tuple[int, int],
    limits: tuple[tuple[float | None, float | None], tuple[float | None, float | None]],
    **how: Any,
) -> MapPlan:
    if not 0.0 <= incidence < 90.0:
        raise ParameterError(f"incidence = {incidence:g} degrees, it has to be from 0 to below 90")
    places, valid = _places(like, incidence, how), valid_pixels(like)
    try:
        seen = seen_range(places, valid)
    except ValueError as error:
        raise ParameterError(str(error), remedy="check the mask and the flat field") from None
    across: Axis = axis_between(seen[0], limits[0], bins[0], "q_xy")
    up: Axis = axis_between(seen[1], limits[1], bins[1], "q_z")
    operator = build_map_operator(places, valid, across, up, splitting=how["splitting"])
    return MapPlan(average_plan(like, operator, how), across.centres(), up.centres())


def _places(like: Frames, incidence: float, how: Any) -> GrazingPositions:
    geometry = Geometry.of(np.asarray(like.geometry))
    size = (like.frames.shape[1], like.frames.shape[2])
    return grazing_positions(
        geometry,
        size,
        incidence=math.radians(incidence),
        tilt=math.radians(how["tilt"]),
        normal=how["normal"],
    )
