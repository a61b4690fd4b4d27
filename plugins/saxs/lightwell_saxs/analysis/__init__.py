"""Steps that work on curves: reduction, model-free analysis, fits."""

from lightwell_saxs.analysis.averaging import average_alike
from lightwell_saxs.analysis.fitting import fit_particles
from lightwell_saxs.analysis.model_free import (
    find_distances,
    fit_guinier,
    fit_porod_tail,
    kratky,
)
from lightwell_saxs.analysis.reducing import merge, scale_to_standard, subtract_background

__all__ = ["STEPS"]

STEPS = (
    average_alike,
    subtract_background,
    scale_to_standard,
    merge,
    fit_guinier,
    fit_porod_tail,
    kratky,
    find_distances,
    fit_particles,
)
