"""What every integration of frames shares: its parameters, its tables, its sums."""

import importlib.util
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypedDict, Unpack, cast

import numpy as np

from lightwell import Default, From, Unit
from lightwell.errors import MissingMetadata, ParameterError
from lightwell_saxs.kernels import averaging
from lightwell_saxs.kernels.averaging import AveragePlan, ErrorModel
from lightwell_saxs.kernels.corrections import pixel_weights
from lightwell_saxs.kernels.geometry import Geometry
from lightwell_saxs.kernels.splitting import Axis, Operator, Splitting
from lightwell_saxs.products import Frames

__all__ = [
    "FRAMES",
    "Azimuth",
    "Integration",
    "PerNanometre",
    "Weighing",
    "average_plan",
    "averaged",
    "axis_between",
    "valid_pixels",
]

FRAMES = 16
"""Frames a tile holds: what the compiled kernel works on at once."""

PerNanometre = Annotated[float | None, Unit("1/nm")]
Azimuth = Annotated[float | None, Unit("degree")]


class Weighing(TypedDict, total=False):
    """What a pixel is worth: how it is shared between bins, and which corrections are applied.

    splitting : of pixels over bins; polarisation : 1 for a horizontal beam, no correction if not
    given; sensor_transmission : share that passes the sensor at normal incidence;
    window_transmission : of air and windows behind the sample.
    """

    splitting: Annotated[Splitting, Default("full")]
    solid_angle: Annotated[bool, Default(value=True)]
    polarisation: Annotated[float | None, Default(None)]
    sensor_transmission: Annotated[float | None, Default(None)]
    window_transmission: Annotated[float | None, Default(None)]


class Integration(Weighing, total=False):
    """How pixels are weighed, and how their errors are known.

    errors : from the counts, from the spread round the beam, from the file (`given`), or none;
    dummy, delta_dummy : the value of pixels that counted nothing, and how far from it they may be.
    """

    errors: Annotated[ErrorModel, Default("poisson")]
    dummy: Annotated[float | None, From("instrument.detector.dummy"), Default(None)]
    delta_dummy: Annotated[float, From("instrument.detector.delta_dummy"), Default(0.0)]


def valid_pixels(like: Frames) -> Any:
    """The pixels (row, column) bool that count: not masked, and with a response."""
    flat = np.asarray(like.flat, np.float64)
    return (np.asarray(like.mask) == 0) & np.isfinite(flat) & (flat > 0)


def axis_between(
    seen: tuple[float, float],
    limits: tuple[float | None, float | None],
    bins: int,
    name: str = "q",
    unit: str = "1/nm",
) -> Axis:
    """The bins between two limits, those of what the detector sees where none is given.

    Errors: ParameterError for limits or a number that make no bins.
    """
    first = seen[0] if limits[0] is None else limits[0]
    last = seen[1] if limits[1] is None else limits[1]
    if bins < 1 or not first < last:
        raise ParameterError(
            f"{bins} bins from {name} = {first:g} to {last:g} {unit} are none",
            remedy=f"the detector sees {name} from {seen[0]:.4g} to {seen[1]:.4g} {unit}",
        )
    return Axis(first, last, bins)


def average_plan(like: Frames, operator: Operator, how: Mapping[str, Any]) -> AveragePlan:
    """The tables of an average over the bins of an operator.

    Errors: ParameterError for corrections that are none.
    """
    geometry = Geometry.of(np.asarray(like.geometry))
    size = (like.frames.shape[1], like.frames.shape[2])
    flat = np.asarray(like.flat, np.float64)
    try:
        weight = flat * pixel_weights(
            geometry,
            size,
            with_solid_angle=how["solid_angle"],
            polarisation_factor=how["polarisation"],
            sensor_transmission=how["sensor_transmission"],
            window_transmission=how["window_transmission"],
        )
    except ValueError as error:
        raise ParameterError(str(error)) from None
    weight = np.where(valid_pixels(like), weight, 0.0)
    found: AveragePlan = _form().plan(operator, weight, np.asarray(like.dark))
    return found


def averaged(frames: Frames, plan: AveragePlan, **how: Unpack[Integration]) -> tuple[Any, Any]:
    """Intensity and sigma (frame, bin) of the bins of a plan."""
    given = cast("Mapping[str, Any]", how)
    stack = np.asarray(frames.frames)
    rule = {name: given[name] for name in ("errors", "dummy", "delta_dummy")}
    if given["errors"] == "given":
        rule["variance"] = _variance(frames)
    mean, sigma = _form().average(stack.reshape(len(stack), -1), plan, **rule)
    return np.asarray(mean), np.asarray(sigma)


def _variance(frames: Frames) -> Any:
    """The variance (frame, pixel) of counts whose errors the file holds.

    Errors: MissingMetadata where it holds none.
    """
    spread = np.asarray(frames.uncertainty)
    if spread.dtype.kind != "f":
        raise MissingMetadata(
            "the frames have no errors of their own (instrument.detector.data_errors)",
            remedy="take errors=poisson or errors=azimuthal",
        )
    return spread.reshape(len(spread), -1).astype(np.float32) ** 2


class _Form(NamedTuple):
    plan: Any
    average: Any


def _form() -> _Form:
    """The compiled form of the kernel where numba is installed, else the portable one."""
    if importlib.util.find_spec("numba") is None:
        return _Form(averaging.portable_plan, averaging.average)
    from lightwell_saxs.kernels import compiled

    return _Form(compiled.compiled_plan, compiled.average)
