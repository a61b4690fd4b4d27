"""Scattering profiles: reduced curves with errors, wherever they come from."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from lightwell import Array, ArrayRef, Dims, Entry, Product
from lightwell.errors import InputError, MissingMetadata, UnitError
from lightwell.model import Data
from lightwell.stacks import ArrayInMemory, LazyArray
from lightwell.units import convert

__all__ = [
    "AbsoluteProfiles",
    "AverageProfile",
    "Profiles",
    "ReducedProfiles",
    "intensity_unit",
]

_SIGMAS = ("sigma", "Idev", "I_errors", "intensity_errors", "errors")
_RESOLUTIONS = ("resolution", "dQ", "Qdev", "dQw")


class Profiles(Product):
    """Intensity over momentum transfer, one row per measurement, errors and resolution kept.

    intensity : in whatever unit it was measured, not a number where nothing was; sigma,
    resolution : one standard deviation of intensity and q, not a number where it is not known.
    """

    result_attributes: ClassVar[Any] = {"intensity": {"uncertainties": "sigma"}}

    intensity: Annotated[Array, Dims("frame", "q", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "q", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]
    resolution: Annotated[Array, Dims("q", unit="1/nm", gaps=True)]

    @classmethod
    def taken(cls, q: Any, intensity: Any, sigma: Any = None, resolution: Any = None) -> "Profiles":
        """Make profiles from arrays in memory; q in 1/nm, one curve becomes a stack of one."""
        import numpy as np

        curves = np.atleast_2d(np.asarray(intensity, np.float64))
        errors = np.full(curves.shape, np.nan) if sigma is None else np.atleast_2d(sigma)
        width = np.full(curves.shape[1], np.nan) if resolution is None else resolution
        return cls.of(intensity=curves, sigma=errors, q=np.asarray(q, np.float64), resolution=width)

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find a curve, or curves, in the data to plot of an entry: a result or a reduced file.

        Errors: MissingMetadata where there is none, InputError where q has no unit of its own.
        """
        import numpy as np

        data = _curve_data(entry)
        signal = data.fields[str(data.signal)]
        axis = data.axes[-1]
        factor = _per_nanometre(axis, data.fields[axis].unit)
        q = np.asarray(open_array(data.fields[axis]).read(), np.float64) * factor
        if q.shape != signal.shape[-1:]:
            raise InputError(f"{axis} has shape {q.shape}, the curves {signal.shape}")
        found = {"intensity": _rows(open_array(signal)), "q": ArrayInMemory(q)}
        errors = next((data.fields[n] for n in _SIGMAS if n in data.fields), None)
        unknown = ArrayInMemory(np.broadcast_to(np.float64(np.nan), found["intensity"].shape))
        found["sigma"] = unknown if errors is None else _rows(open_array(errors))
        width = next((data.fields[n] for n in _RESOLUTIONS if n in data.fields), None)
        spread = np.full(q.shape, np.nan)
        if width is not None and width.shape == q.shape:
            own = _per_nanometre("resolution", width.unit or data.fields[axis].unit)
            spread = np.asarray(open_array(width).read(), np.float64) * own
        return {**found, "resolution": ArrayInMemory(spread)}

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves they were made from."""
        return intensity_unit(entry, "intensity", "sigma")


class ReducedProfiles(Profiles):
    """Curves of a sample alone, over its thickness, on the scale that a factor brings them to."""

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """1/cm after a factor to the absolute scale; as before where nothing was divided."""
        if parameters.get("factor", 1.0) != 1.0:
            return {"intensity": "1/cm", "sigma": "1/cm"}
        return super().units(entry, {}) if parameters.get("thickness", 1.0) == 1.0 else {}


class AbsoluteProfiles(Profiles):
    """Curves scaled onto a standard in 1/cm."""

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """That of the standard."""
        return {"intensity": "1/cm", "sigma": "1/cm"}


class AverageProfile(Product):
    """The mean of alike measurements, and which of them are in it.

    used : 1 for a measurement that is in the mean; longest_run : of points on one side of the
    first measurement, which the test of likeness goes by.
    """

    result_attributes: ClassVar[Any] = {"intensity": {"uncertainties": "sigma"}}

    intensity: Annotated[Array, Dims("q", gaps=True)]
    sigma: Annotated[Array, Dims("q", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]
    resolution: Annotated[Array, Dims("q", unit="1/nm", gaps=True)]
    used: Annotated[Array, Dims("measurement")]
    longest_run: Annotated[Array, Dims("measurement")]

    @classmethod
    def units(cls, entry: Entry, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The unit of the curves they were made from."""
        return intensity_unit(entry, "intensity", "sigma")


def intensity_unit(entry: Entry, *names: str) -> Mapping[str, str]:
    """The unit of the curves of an entry, for some arrays that have it too."""
    try:
        data = _curve_data(entry)
    except MissingMetadata:
        return {}
    unit = data.fields[str(data.signal)].unit
    return dict.fromkeys(names, unit) if unit else {}


def _curve_data(entry: Entry) -> Data:
    """The data whose last axis is one-dimensional and as long as the signal is wide."""
    names = [entry.default] if entry.default else []
    for name in (*names, *entry.data):
        data = entry.data.get(name)
        signal = None if data is None else data.signal
        if data is None or signal not in data.fields or signal is None or not data.axes:
            continue
        axis = data.fields.get(data.axes[-1])
        if axis is not None and axis.ndim == 1 and data.fields[signal].ndim in (1, 2):
            return data
    raise MissingMetadata(
        "the entry has no curves: no data with an intensity over one axis",
        remedy="integrate the frames first (`lightwell run saxs.integrate PID`)",
    )


def _per_nanometre(name: str, unit: str | None) -> float:
    try:
        return convert(1.0, unit or "", "1/nm")
    except UnitError:
        raise InputError(
            f"{name} is in {unit or 'no unit'}, not in 1/nm or 1/angstrom",
            remedy="give the unit when you ingest (--set q_unit=1/angstrom)",
        ) from None


def _rows(array: LazyArray) -> LazyArray:
    """A stack of curves; one curve is read and becomes a stack of one."""
    return ArrayInMemory(array.read()[None]) if len(array.shape) == 1 else array
