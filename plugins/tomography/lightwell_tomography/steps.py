"""The kernels as steps of a recipe."""

from typing import Annotated, Literal

import numpy as np

from lightwell import Estimate, Extent, Position, Unit, estimate_step, map_step
from lightwell_tomography.kernels import axis, flatfield, gridrec, stripes
from lightwell_tomography.kernels.gridrec import GridrecPlan
from lightwell_tomography.products import Projections, Scan, Sinograms, Volume

__all__ = ["find_axis", "minus_log", "normalise", "reconstruct", "remove_stripes"]

ROWS = 16
"""Detector rows a tile holds: what the gridding kernel works on at once."""


@map_step(over={"angle", "row"}, tile={"row": ROWS})
def normalise(scan: Scan, *, floor: float = 1e-3) -> Projections:
    """Transmission by dark fields and by the flat fields before and after each projection.

    floor : the smallest transmission that is believed; dead pixels get it.
    """
    weights = flatfield.FlatWeights(
        average=scan.flat_average,
        lower=scan.flat_before,
        upper=scan.flat_after,
        upper_weight=scan.flat_share,
    )
    transmission = flatfield.normalise(scan.frames, scan.flats, scan.darks, weights, floor)
    return Projections(transmission, scan.angles)


@map_step(over={"angle", "row"})
def minus_log(projections: Projections) -> Sinograms:
    """Line integrals of the attenuation, by the law of Beer and Lambert."""
    return Sinograms(flatfield.minus_log(projections.transmission), projections.angles)


@map_step(over={"row"}, host=True)
def remove_stripes(sinograms: Sinograms, *, window: Annotated[int, Extent("x")] = 0) -> Sinograms:
    """Remove the stripes of pixels with a wrong response, which make rings (Vo 2018, no. 3).

    window : pixel, odd, of the median filter; 21 is a good start; 0 leaves the data alone, since
    the filter also takes a little of what is true.
    """
    if window == 0:
        return sinograms
    clean = stripes.remove_stripes_host(sinograms.attenuation, window)
    return Sinograms.of(attenuation=clean, angles=sinograms.angles)


@estimate_step(sample={"row": 5})
def find_axis(
    sinograms: Sinograms, *, search: Annotated[float | None, Unit("pixel"), Extent("x")] = None
) -> Estimate[float]:
    """Rotation axis from opposite views, refined by Vo's metric, with sigma and verdict.

    search : how far from the middle of the detector to look; everywhere if not given.
    """
    found = axis.find_axis(np.asarray(sinograms.attenuation), np.asarray(sinograms.angles), search)
    return Estimate(found.value, found.sigma, found.verdict, found.reason)


def gridrec_plan(
    like: Sinograms, *, rotation_axis: float, filter: Literal["ramlak", "hann"]
) -> GridrecPlan:
    """Tables of the gridding, from angles, width, axis and filter."""
    width = like.attenuation.shape[2]
    return gridrec.gridrec_plan(np.asarray(like.angles), width, rotation_axis, filter)


@map_step(over={"row"}, plan=gridrec_plan)
def reconstruct(
    sinograms: Sinograms,
    plan: GridrecPlan,
    *,
    rotation_axis: Annotated[float, Unit("pixel"), Position("x")],
    filter: Literal["ramlak", "hann"] = "ramlak",
    mask: bool = True,
) -> Volume:
    """Filtered backprojection by adjoint gridding, around an axis at any place.

    rotation_axis : 0 at the centre of the first detector pixel; filter : hann is smoother;
    mask : zeros outside the circle that every angle has seen.
    """
    slices = gridrec.reconstruct(sinograms.attenuation, plan)
    return Volume(gridrec.circular_mask(slices, 1.0) if mask else slices)
