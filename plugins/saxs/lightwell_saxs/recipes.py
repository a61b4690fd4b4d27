"""The recipes of scattering."""

from lightwell import Input
from lightwell_saxs.analysis.averaging import average_alike
from lightwell_saxs.analysis.fitting import fit_particles
from lightwell_saxs.analysis.model_free import find_distances, fit_guinier, fit_porod_tail
from lightwell_saxs.analysis.model_free import kratky as kratky_plot
from lightwell_saxs.analysis.reducing import merge, scale_to_standard, subtract_background
from lightwell_saxs.grazing_steps import cut_line, map_grazing
from lightwell_saxs.products import Frames
from lightwell_saxs.profiles import Profiles
from lightwell_saxs.steps import cut_ring, integrate, integrate_angles, integrate_cake

__all__ = [
    "absolute",
    "average",
    "cake",
    "diffraction",
    "distances",
    "fit",
    "grazing",
    "guinier",
    "integration",
    "kratky",
    "line",
    "merging",
    "porod",
    "reduction",
    "ring",
]

integration = (Input("data", Frames) | integrate).named("saxs.integrate")
cake = (Input("data", Frames) | integrate_cake).named("saxs.cake")
diffraction = (Input("data", Frames) | integrate_angles).named("saxs.diffraction")
ring = (Input("data", Frames) | cut_ring).named("saxs.ring")
grazing = (Input("data", Frames) | map_grazing).named("saxs.grazing")
line = (Input("data", Frames) | cut_line).named("saxs.line")

average = (Input("data", Profiles) | average_alike).named("saxs.average")
_background = Input("background", Profiles) | average_alike
reduction = (Input("data", Profiles) | subtract_background.using(_background)).named("saxs.reduce")
_standard = Input("standard", Profiles) | average_alike
absolute = (Input("data", Profiles) | scale_to_standard.using(_standard)).named("saxs.absolute")
_wide = Input("wide", Profiles) | average_alike
merging = (Input("data", Profiles) | merge.using(_wide)).named("saxs.merge")

guinier = (Input("data", Profiles) | fit_guinier).named("saxs.guinier")
porod = (Input("data", Profiles) | fit_porod_tail).named("saxs.porod")
kratky = (Input("data", Profiles) | kratky_plot).named("saxs.kratky")
distances = (Input("data", Profiles) | find_distances).named("saxs.distances")
fit = (Input("data", Profiles) | fit_particles).named("saxs.fit")
