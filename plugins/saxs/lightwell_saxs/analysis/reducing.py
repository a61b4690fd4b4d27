"""From averaged counts to intensities of the sample alone, on an absolute scale."""

from typing import Annotated, Any

import numpy as np

from lightwell import Unit, map_step
from lightwell.errors import InputError, ParameterError
from lightwell_saxs.analysis.ranges import PerNanometre, points_between
from lightwell_saxs.kernels.reduction import interpolated, reduce_curve, scale_factor
from lightwell_saxs.kernels.reduction import join as joined
from lightwell_saxs.profiles import AbsoluteProfiles, AverageProfile, Profiles, ReducedProfiles

__all__ = ["merge", "scale_to_standard", "subtract_background"]


@map_step(over={"frame"}, host=True)
def subtract_background(
    sample: Profiles,
    background: AverageProfile,
    *,
    transmission: float = 1.0,
    transmission_sigma: float = 0.0,
    background_transmission: float = 1.0,
    background_transmission_sigma: float = 0.0,
    thickness: Annotated[float, Unit("cm")] = 1.0,
    factor: float = 1.0,
    factor_sigma: float = 0.0,
) -> ReducedProfiles:
    """Each curve over its transmission, less the background over its own, over thickness.

    factor : to the absolute scale, with factor_sigma (`saxs.absolute` finds it). All errors are
    propagated; a background on other points of q is interpolated between its own.
    """
    given = {"transmission": transmission, "background_transmission": background_transmission}
    for name, value in given.items():
        if not 0 < value <= 1:
            raise ParameterError(f"{name} = {value}, it has to be above 0 and at most 1")
    if thickness <= 0:
        raise ParameterError(f"thickness = {thickness} cm, it has to be above 0")
    q = np.asarray(sample.q, np.float64)
    under = interpolated(q, (background.q, background.intensity, background.sigma))
    _refuse_apart(q, under[0], "background")
    values, sigma = reduce_curve(
        (np.asarray(sample.intensity, np.float64), np.asarray(sample.sigma, np.float64)),
        under,
        transmission=(transmission, transmission_sigma),
        background_transmission=(background_transmission, background_transmission_sigma),
        thickness=thickness,
        factor=(factor, factor_sigma),
    )
    return ReducedProfiles.of(intensity=values, sigma=sigma, q=q, resolution=sample.resolution)


@map_step(over={"frame"}, host=True)
def scale_to_standard(
    profiles: Profiles,
    standard: AverageProfile,
    *,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
) -> AbsoluteProfiles:
    """Each curve times the factor that brings it onto a standard, with the factor's error.

    standard : a curve in 1/cm, such as glassy carbon's, that belongs to the same sample; q_min,
    q_max : where the two are compared.
    """
    q = np.asarray(profiles.q, np.float64)
    used = points_between(q, q_min, q_max, at_least=2)
    wanted = (standard.q, standard.intensity, standard.sigma)
    rows = []
    for curve, sigma in zip(profiles.intensity, profiles.sigma, strict=True):
        factor = _factor((q, curve, sigma), wanted, used)
        noise = np.hypot(factor.value * np.asarray(sigma), factor.sigma * np.asarray(curve))
        rows.append((factor.value * np.asarray(curve), noise))
    values, errors = (np.stack(one) for one in zip(*rows, strict=True))
    return AbsoluteProfiles.of(intensity=values, sigma=errors, q=q, resolution=profiles.resolution)


@map_step(over={"frame"}, host=True)
def merge(
    profiles: Profiles,
    wide: AverageProfile,
    *,
    overlap_min: PerNanometre = None,
    overlap_max: PerNanometre = None,
) -> Profiles:
    """Each curve continued by one over another range of q, scaled onto it where they overlap.

    Every point of both is kept, with its own error and resolution; the scaled ones have the
    factor's error too.
    """
    q, other = np.asarray(profiles.q, np.float64), np.asarray(wide.q, np.float64)
    used = points_between(other, overlap_min, overlap_max, at_least=2)
    rows = []
    for curve, sigma in zip(profiles.intensity, profiles.sigma, strict=True):
        own, second = (q, curve, sigma), (other, wide.intensity, wide.sigma)
        rows.append(joined(own, second, _factor(second, own, used)))
    order = np.argsort(np.concatenate([q, other]), kind="stable")
    widths = np.concatenate([profiles.resolution, wide.resolution])[order]
    return Profiles.of(
        intensity=np.stack([row[1] for row in rows]),
        sigma=np.stack([row[2] for row in rows]),
        q=np.concatenate([q, other])[order],
        resolution=widths,
    )


def _factor(measured: Any, standard: Any, used: Any) -> Any:
    try:
        return scale_factor(measured, standard, used=used)
    except ValueError as error:
        raise InputError(
            f"one curve cannot be scaled onto the other: {error}",
            remedy="curves without errors cannot be weighed; choose ranges of q that overlap",
        ) from None


def _refuse_apart(q: Any, under: Any, name: str) -> None:
    if not np.isfinite(under).any():
        raise InputError(
            f"the {name} has no point between q = {q.min():.4g} and {q.max():.4g} 1/nm",
            remedy="give one that was measured over the same range of q",
        )
