"""Models of particles fitted to curves."""

from typing import Annotated, Any

import numpy as np

from lightwell import Unit, map_step
from lightwell.errors import ParameterError
from lightwell.words import nearest
from lightwell_saxs.analysis.ranges import PerNanometre, points_between
from lightwell_saxs.kernels.curve_fit import FitPlan, fit_curves
from lightwell_saxs.kernels.form_factors import ORIENTATIONS, Form
from lightwell_saxs.kernels.particles import PARAMETERS, Particles, Structure
from lightwell_saxs.kernels.size_distribution import Distribution
from lightwell_saxs.profiles import Profiles
from lightwell_saxs.tables import ParticleTable, curves_of

__all__ = ["CURVES", "fit_particles"]

CURVES = 256
"""Curves that are fitted at once."""

Nanometre = Annotated[float | None, Unit("nm")]

_STARTS = {
    "scale": 1.0,
    "background": 0.0,
    "thickness": 1.0,
    "length": 20.0,
    "polar_radius": 5.0,
    "polydispersity": 0.1,
    "volume_fraction": 0.1,
    "hard_sphere_radius": 0.0,
}
_LIMITS = {
    "background": (-np.inf, np.inf),
    "polydispersity": (1e-3, 1.0),
    "volume_fraction": (0.0, 0.7),
    "scale": (0.0, np.inf),
}
_SIZE_LIMITS = (1e-2, 1e5)
_NEVER_FREE = ("contrast", "shell_contrast", "hard_sphere_radius")
_CANDIDATES = 48


def fit_plan(
    like: Profiles,
    *,
    form: Form,
    distribution: Distribution,
    structure: Structure,
    fixed: tuple[str, ...],
    scale: float | None,
    background: float | None,
    radius: Nanometre,
    thickness: Nanometre,
    length: Nanometre,
    polar_radius: Nanometre,
    radius_of_gyration: Nanometre,
    polydispersity: float | None,
    volume_fraction: float | None,
    hard_sphere_radius: Nanometre,
    contrast: float,
    shell_contrast: float,
    directions: int,
    q_min: PerNanometre,
    q_max: PerNanometre,
) -> FitPlan:
    """The model, where it starts, and what may move."""
    given: dict[str, Any] = dict(
        zip(
            PARAMETERS,
            (
                *(scale, background, radius, thickness, length, polar_radius, radius_of_gyration),
                *(polydispersity, volume_fraction, hard_sphere_radius, contrast, shell_contrast),
            ),
            strict=True,
        )
    )
    model = Particles(form, distribution, structure, directions)
    free = _free(model, fixed)
    q = np.asarray(like.q, np.float64)
    used = points_between(q, q_min, q_max, at_least=int(free.sum()) + 1)
    own = given[model.sizes[0]]
    candidates = _sizes_seen(q[used]) if own is None else np.array([own])
    start = [_STARTS.get(n, 1.0) if given[n] is None else given[n] for n in PARAMETERS]
    limits = np.array([_LIMITS.get(name, _SIZE_LIMITS) for name in PARAMETERS]).T
    limits[:, ~free] = np.array(start)[~free]
    return FitPlan(model, np.array(start), limits[0], limits[1], free, candidates, used)


@map_step(over={"frame"}, tile={"frame": CURVES}, plan=fit_plan, host=True)
def fit_particles(
    profiles: Profiles,
    plan: FitPlan,
    *,
    form: Form = "sphere",
    distribution: Distribution = "none",
    structure: Structure = "none",
    fixed: tuple[str, ...] = (),
    scale: float | None = None,
    background: float | None = None,
    radius: Nanometre = None,
    thickness: Nanometre = None,
    length: Nanometre = None,
    polar_radius: Nanometre = None,
    radius_of_gyration: Nanometre = None,
    polydispersity: float | None = None,
    volume_fraction: float | None = None,
    hard_sphere_radius: Nanometre = None,
    contrast: float = 1.0,
    shell_contrast: float = 0.5,
    directions: int = ORIENTATIONS,
    q_min: PerNanometre = None,
    q_max: PerNanometre = None,
) -> ParticleTable:
    """Particles fitted to every curve, with sigmas and covariance.

    distribution : of the shape's first length; fixed : names of parameters that keep the value
    given for them; a number given is where its parameter starts; contrast, shell_contrast :
    against the solvent, 1e-6/Å², never fitted; hard_sphere_radius : that of the particle's volume
    if not given.
    """
    fits = fit_curves(plan, profiles.q, profiles.intensity, profiles.sigma)
    return table_of(plan.model, fits, profiles)


def table_of(model: Particles, fits: Any, profiles: Profiles) -> ParticleTable:
    """The columns of a table from fits in the order of `PARAMETERS`."""
    has = np.isin(PARAMETERS, model.parameters)
    values = np.where(has, fits.values, np.nan)
    spread = np.sqrt(np.diagonal(fits.covariance, axis1=1, axis2=2))
    columns: dict[str, Any] = {}
    for place, name in enumerate(PARAMETERS):
        if name not in ("contrast", "shell_contrast"):
            columns[name] = values[:, place]
            columns[f"{name}_sigma"] = spread[:, place]
    return ParticleTable.of(
        chi_squared=fits.chi_squared,
        points=fits.points.astype(np.float64),
        converged=fits.converged.astype(np.float64),
        covariance=fits.covariance,
        fitted=fits.fitted,
        **curves_of(profiles),
        **columns,
    )


def _free(model: Particles, fixed: tuple[str, ...]) -> Any:
    """Which parameters may move.

    Errors: ParameterError for a name the model has not, or where nothing is left to fit.
    """
    for name in fixed:
        if name not in model.parameters:
            raise ParameterError(
                f"{model.form} has no parameter '{name}'", remedy=nearest(name, model.parameters)
            )
    names = set(model.parameters) - set(fixed) - set(_NEVER_FREE)
    if not names:
        raise ParameterError("every parameter is fixed, so there is nothing to fit")
    return np.isin(PARAMETERS, sorted(names))


def _sizes_seen(q: Any) -> Any:
    """Sizes that the range of q can tell: from half a period at its end to one at its beginning."""
    positive = q[q > 0]
    return np.geomspace(0.5 / positive.max(), 2 * np.pi / positive.min(), _CANDIDATES)
