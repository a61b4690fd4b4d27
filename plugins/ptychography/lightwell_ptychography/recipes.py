"""The recipes of ptychography."""

from lightwell import Input
from lightwell_ptychography import steps
from lightwell_ptychography.products import Diffraction

__all__ = ["adam", "auto", "dm", "lbfgs", "lsqml", "raar", "rpie"]

_scan = Input("data", Diffraction)

rpie = (_scan | steps.rpie).named("ptychography.rpie")
lsqml = (_scan | steps.lsqml).named("ptychography.lsqml")
adam = (_scan | steps.adam).named("ptychography.adam")
lbfgs = (_scan | steps.lbfgs).named("ptychography.lbfgs")
dm = (_scan | steps.dm).named("ptychography.dm")
raar = (_scan | steps.raar).named("ptychography.raar")

auto = (_scan | steps.rpie.bind(iterations=200, tolerance=0.02)).named("ptychography.auto")
"""rPIE that ends by itself, when ten iterations win less than two percent of the error.

Ten with the largest groups of frames, which lower the noise, are done in any case.
"""
