"""The curve of a dataset as numbers in memory, for the formats that are text."""

from typing import Any, NamedTuple

from lightwell.conversion import Copy
from lightwell.datasets import Dataset
from lightwell.errors import InputError, MissingMetadata
from lightwell.model import Data

__all__ = ["Curve", "curves_of"]

_SIGMAS = ("sigma", "Idev", "I_errors", "errors")
_RESOLUTIONS = ("resolution", "Qdev", "dQ")


class Curve(NamedTuple):
    """One curve: x, y, sigma, resolution (point), not a number where nothing is known, and units.

    x_name : q, two_theta or azimuth, as the dataset has it
    """

    x_name: str
    x: Any
    y: Any
    sigma: Any
    resolution: Any
    x_unit: str | None
    y_unit: str | None


def curves_of(dataset: Dataset, copy: Copy) -> list[Curve]:
    """The curves of a dataset, one per frame; points without intensity are left out.

    Errors: MissingMetadata for a dataset that has none, InputError where it has a map.
    """
    data = _plotted(dataset)
    signal = data.fields[str(data.signal)]
    axis = data.axes[-1]
    if signal.ndim > 2 or axis not in data.fields or data.fields[axis].ndim != 1:
        raise InputError(
            "a map cannot be written as text", remedy="convert it with --to nxazint or --to nexus"
        )

    import numpy as np

    def rows(names: tuple[str, ...]) -> Any:
        ref = next((data.fields[name] for name in names if name in data.fields), None)
        if ref is None or ref.shape[-1:] != signal.shape[-1:]:
            return np.full(y.shape, np.nan)
        return np.broadcast_to(np.atleast_2d(copy.open_array(ref).read()), y.shape)

    y = np.atleast_2d(copy.open_array(signal).read())
    x = np.asarray(copy.open_array(data.fields[axis]).read())
    sigma, width = rows(_SIGMAS), rows(_RESOLUTIONS)
    found = []
    for row in range(len(y)):
        seen = np.isfinite(x) & np.isfinite(y[row])
        parts = (x[seen], y[row][seen], sigma[row][seen], width[row][seen])
        found.append(Curve(axis, *parts, data.fields[axis].unit, signal.unit))
    return found


def _plotted(dataset: Dataset) -> Data:
    entry = dataset.entry
    names = [entry.default] if entry.default else []
    for name in (*names, *entry.data):
        data = entry.data.get(name)
        if data is not None and data.signal in ("intensity", "I") and data.signal in data.fields:
            return data
    raise MissingMetadata(
        "the dataset has no curve of intensity",
        remedy="integrate the frames first (`lightwell run saxs.integrate PID`)",
    )
