"""The kernels as steps of a recipe: curves over q or angle, cakes, rings."""

import math
from typing import Annotated, Any, NamedTuple, Unpack

import numpy as np

from lightwell import Unit, map_step
from lightwell.errors import ParameterError
from lightwell_saxs.integrating import (
    FRAMES,
    Azimuth,
    Integration,
    PerNanometre,
    Weighing,
    average_plan,
    averaged,
    axis_between,
    valid_pixels,
)
from lightwell_saxs.kernels.averaging import AveragePlan
from lightwell_saxs.kernels.geometry import Geometry, RadialUnit, pixel_positions
from lightwell_saxs.kernels.splitting import Axis, build_operator, full_range
from lightwell_saxs.products import Cake, Curves, Diffractograms, Frames, RingProfiles

__all__ = ["cut_ring", "integrate", "integrate_angles", "integrate_cake"]

Degree = Annotated[float | None, Unit("degree")]


class IntegrationPlan(NamedTuple):
    """The tables of an integration and the axes of its result.

    radial : (bin) 1/nm or degree; azimuth : (bin) degree, where there is such an axis.
    """

    average: AveragePlan
    radial: Any
    azimuth: Any = None


def curve_plan(
    like: Frames,
    *,
    bins: int,
    q_min: PerNanometre,
    q_max: PerNanometre,
    azimuth_min: Azimuth,
    azimuth_max: Azimuth,
    **how: Unpack[Weighing],
) -> IntegrationPlan:
    """The operator of one curve, its weights and its bins."""
    sector = _sector(azimuth_min, azimuth_max)
    return _plan(like, bins, (q_min, q_max), sector=sector, **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=curve_plan, host=True)
def integrate(
    frames: Frames,
    plan: IntegrationPlan,
    *,
    bins: int = 1000,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
    azimuth_min: Azimuth = None,
    azimuth_max: Azimuth = None,
    **how: Unpack[Integration],
) -> Curves:
    """Intensity over q, averaged round the beam, with errors.

    q_min, q_max : all the detector sees if not given; azimuth_min, azimuth_max : a sector, 0
    along columns, growing with rows; the others as in `integrating.Integration`.
    """
    mean, sigma = averaged(frames, plan.average, **how)
    return Curves.of(intensity=mean, sigma=sigma, q=plan.radial)


def angles_plan(
    like: Frames,
    *,
    bins: int,
    angle_min: Degree,
    angle_max: Degree,
    azimuth_min: Azimuth,
    azimuth_max: Azimuth,
    **how: Unpack[Weighing],
) -> IntegrationPlan:
    """The operator of one curve over the scattering angle."""
    sector = _sector(azimuth_min, azimuth_max)
    return _plan(like, bins, (angle_min, angle_max), sector=sector, unit="2theta", **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=angles_plan, host=True)
def integrate_angles(
    frames: Frames,
    plan: IntegrationPlan,
    *,
    bins: int = 2000,
    angle_min: Degree = None,
    angle_max: Degree = None,
    azimuth_min: Azimuth = None,
    azimuth_max: Azimuth = None,
    **how: Unpack[Integration],
) -> Diffractograms:
    """Intensity over the scattering angle 2θ, as powder diffraction is refined, with errors.

    angle_min, angle_max : all the detector sees if not given; the others as those of `integrate`.
    """
    mean, sigma = averaged(frames, plan.average, **how)
    return Diffractograms.of(intensity=mean, sigma=sigma, two_theta=plan.radial)


def cake_plan(
    like: Frames,
    *,
    bins: int,
    azimuth_bins: int,
    q_min: PerNanometre,
    q_max: PerNanometre,
    **how: Unpack[Weighing],
) -> IntegrationPlan:
    """The operator of one cake, its weights and its bins."""
    return _plan(like, bins, (q_min, q_max), around=_whole_turn(azimuth_bins), **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=cake_plan, host=True)
def integrate_cake(
    frames: Frames,
    plan: IntegrationPlan,
    *,
    bins: int = 500,
    azimuth_bins: int = 360,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
    **how: Unpack[Integration],
) -> Cake:
    """Intensity over azimuth and q, with errors.

    Parameters as those of `integrate`; azimuths run from -180 to 180 degrees.
    """
    mean, sigma = averaged(frames, plan.average, **how)
    shape = (len(mean), len(plan.azimuth), len(plan.radial))
    return Cake.of(
        intensity=mean.reshape(shape),
        sigma=sigma.reshape(shape),
        azimuth=plan.azimuth,
        q=plan.radial,
    )


def ring_plan(
    like: Frames,
    *,
    azimuth_bins: int,
    q_min: Annotated[float, Unit("1/nm")],
    q_max: Annotated[float, Unit("1/nm")],
    **how: Unpack[Weighing],
) -> IntegrationPlan:
    """The operator of a ring, a cake with one radial bin."""
    return _plan(like, 1, (q_min, q_max), around=_whole_turn(azimuth_bins), **how)


@map_step(over={"frame"}, tile={"frame": FRAMES}, plan=ring_plan, host=True)
def cut_ring(
    frames: Frames,
    plan: IntegrationPlan,
    *,
    q_min: Annotated[float, Unit("1/nm")],
    q_max: Annotated[float, Unit("1/nm")],
    azimuth_bins: int = 360,
    **how: Unpack[Integration],
) -> RingProfiles:
    """Intensity round the beam between two values of q, with errors: texture, orientation.

    Parameters as those of `integrate`; azimuths run from -180 to 180 degrees.
    """
    mean, sigma = averaged(frames, plan.average, **how)
    return RingProfiles.of(intensity=mean, sigma=sigma, azimuth=plan.azimuth)


def _whole_turn(bins: int) -> Axis:
    if bins < 1:
        raise ParameterError(f"azimuth_bins = {bins}, there has to be one")
    return Axis(-math.pi, math.pi, bins)


def _sector(first: float | None, last: float | None) -> tuple[float, float] | None:
    """Two azimuths in rad, or None where none was given.

    Errors: ParameterError where one of them is missing.
    """
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise ParameterError("a sector needs both azimuth_min and azimuth_max")
    return math.radians(first), math.radians(last)


def _plan(
    like: Frames,
    bins: int,
    limits: tuple[float | None, float | None],
    *,
    around: Axis | None = None,
    sector: tuple[float, float] | None = None,
    unit: RadialUnit = "q",
    **how: Any,
) -> IntegrationPlan:
    size = (like.frames.shape[1], like.frames.shape[2])
    valid = valid_pixels(like)
    places = pixel_positions(Geometry.of(np.asarray(like.geometry)), size, unit)
    try:
        seen = full_range(places, valid)
    except ValueError as error:
        raise ParameterError(str(error), remedy="check the mask and the flat field") from None
    name = ("q", "1/nm") if unit == "q" else ("2theta", "degree")
    axis = axis_between(seen, limits, bins, *name)
    splitting = how["splitting"]
    operator = build_operator(places, valid, axis, around, splitting=splitting, sector=sector)
    azimuth = np.degrees(around.centres()) if around else None
    return IntegrationPlan(average_plan(like, operator, how), axis.centres(), azimuth)
