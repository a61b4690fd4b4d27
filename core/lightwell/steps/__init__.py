"""Steps: typed functions of four kinds, chained by `|` into recipes."""

from lightwell.steps.base import Step
from lightwell.steps.estimate import EstimateStep, estimate_step
from lightwell.steps.fold import Fold, FoldStep, fold_step
from lightwell.steps.iterate import IterateStep, Iteration, TiledIteration, iterate_step
from lightwell.steps.map import MapStep, MapStep2, SideStage, map_step
from lightwell.steps.stages import Chain, Estimate, Input, Stage, Tap
from lightwell.steps.states import State

__all__ = [
    "Chain",
    "Estimate",
    "EstimateStep",
    "Fold",
    "FoldStep",
    "Input",
    "IterateStep",
    "Iteration",
    "MapStep",
    "MapStep2",
    "SideStage",
    "Stage",
    "State",
    "Step",
    "Tap",
    "TiledIteration",
    "estimate_step",
    "fold_step",
    "iterate_step",
    "map_step",
]
