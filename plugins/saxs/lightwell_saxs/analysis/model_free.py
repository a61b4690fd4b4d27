"""What curves say without a model: Guinier, Porod, Kratky, distances."""

from typing import Annotated, Any

import numpy as np

from lightwell import Unit, map_step
from lightwell.errors import ParameterError
from lightwell_saxs.analysis.ranges import PerNanometre, points_between
from lightwell_saxs.kernels.guinier import GuinierFits
from lightwell_saxs.kernels.guinier import fit_guinier as guinier_lines
from lightwell_saxs.kernels.pair_distances import invert
from lightwell_saxs.kernels.porod import fit_porod
from lightwell_saxs.kernels.porod import kratky as kratky_of
from lightwell_saxs.profiles import Profiles
from lightwell_saxs.tables import DistanceCurves, GuinierTable, KratkyCurves, PorodTable, curves_of

__all__ = ["find_distances", "fit_guinier", "fit_porod_tail", "kratky"]

CURVES = 256
"""Curves that are looked at together."""

_CANDIDATES = 24
_LARGEST_OVER_RG = (2.0, 5.0)


@map_step(over={"frame"}, tile={"frame": CURVES}, host=True)
def fit_guinier(
    profiles: Profiles,
    *,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
    first_point: int | None = None,
    last_point: int | None = None,
    limit: float = 1.3,
    least_points: int = 10,
) -> GuinierTable:
    """Radius of gyration and forward intensity of every curve, with sigma and verdict.

    q_min, q_max or first_point, last_point (both included) : the range to fit; looked for in each
    curve if not given; limit : of q·Rg; least_points : a range has.
    """
    chosen = _range(profiles.q, (q_min, q_max), (first_point, last_point))
    return GuinierTable.of(
        **_guinier(profiles, chosen, limit, least_points)._asdict(), **curves_of(profiles)
    )


@map_step(over={"frame"}, tile={"frame": CURVES}, host=True)
def fit_porod_tail(
    profiles: Profiles,
    *,
    tail_min: PerNanometre = None,
    tail_max: PerNanometre = None,
    with_background: bool = True,
) -> PorodTable:
    """Porod's constant, background, invariant and volume of every curve, with sigmas.

    tail_min, tail_max : the part that follows Porod's law, the last third of the points if not
    given; with_background : a constant under the tail, taken off everywhere.
    """
    q = np.asarray(profiles.q, np.float64)
    start = q[2 * len(q) // 3] if tail_min is None else tail_min
    tail = points_between(q, start, tail_max, at_least=4)
    lines = _guinier(profiles, None)
    found = fit_porod(
        q,
        profiles.intensity,
        profiles.sigma,
        lines.i0,
        lines.i0_sigma,
        lines.rg,
        tail=tail,
        with_background=with_background,
    )
    return PorodTable.of(**found._asdict(), rg=lines.rg, i0=lines.i0, verdict=lines.verdict)


@map_step(over={"frame"}, tile={"frame": CURVES}, host=True)
def kratky(profiles: Profiles) -> KratkyCurves:
    """The dimensionless Kratky plot of every curve; Rg and I(0) from its own Guinier range."""
    lines = _guinier(profiles, None)
    x, values, sigma = kratky_of(profiles.q, profiles.intensity, profiles.sigma, lines.i0, lines.rg)
    return KratkyCurves.of(kratky=values, sigma=sigma, q_rg=x, q=profiles.q)


@map_step(over={"frame"}, tile={"frame": CURVES}, host=True)
def find_distances(
    profiles: Profiles,
    *,
    largest_distance: Annotated[float | None, Unit("nm")] = None,
    q_max: PerNanometre = None,
    points: int = 64,
) -> DistanceCurves:
    """p(r) of every curve with errors, its largest distance, Rg and I(0).

    largest_distance : the one with the largest evidence between 2 and 5 Rg if not given;
    points : of p(r) between 0 and there.
    """
    q = np.asarray(profiles.q, np.float64)
    used = points_between(q, None, q_max, at_least=8)
    curves = np.where(used, np.asarray(profiles.intensity, np.float64), np.nan)
    if points < 8:
        raise ParameterError(f"points = {points}, p(r) needs 8 or more")
    if largest_distance is not None:
        candidates = np.full((len(curves), 1), largest_distance)
    else:
        rg = np.nan_to_num(_guinier(profiles, None).rg, nan=1.0)
        candidates = rg[:, None] * np.linspace(*_LARGEST_OVER_RG, _CANDIDATES)
    found = invert(q, curves, profiles.sigma, candidates, points=points)
    return DistanceCurves.of(**found._asdict())


def _guinier(
    profiles: Profiles, chosen: tuple[int, int] | None, limit: float = 1.3, least: int = 10
) -> GuinierFits:
    return guinier_lines(
        profiles.q,
        profiles.intensity,
        profiles.sigma,
        ranges=chosen,
        limit=limit,
        least_points=least,
    )


def _range(
    q: Any, limits: tuple[float | None, float | None], points: tuple[int | None, int | None]
) -> tuple[int, int] | None:
    """The first and last point that were asked for, or None where nothing was.

    Errors: ParameterError where they make no range.
    """
    if limits == (None, None) and points == (None, None):
        return None
    q = np.asarray(q, np.float64)
    if points == (None, None):
        inside = np.flatnonzero(points_between(q, *limits, at_least=3))
        return int(inside[0]), int(inside[-1])
    if limits != (None, None):
        raise ParameterError("give the range as points or in q, not as both")
    first = points[0] or 0
    last = len(q) - 1 if points[1] is None else points[1]
    if not 0 <= first <= last - 2 < len(q) - 2:
        raise ParameterError(
            f"points {first} to {last} make no range of a curve with points 0 to {len(q) - 1}",
            remedy="a line needs 3 points or more",
        )
    return first, last
