"""The recipes of tomography."""

from lightwell import Input
from lightwell_tomography.products import Scan
from lightwell_tomography.steps import (
    find_axis,
    minus_log,
    normalise,
    reconstruct,
    remove_stripes,
)

__all__ = ["gridrec"]

gridrec = (
    Input("data", Scan)
    | normalise
    | minus_log
    | remove_stripes
    | find_axis.into("rotation_axis")
    | reconstruct
).named("tomography.gridrec")
