"""NXazint1d and NXazint2d: frames averaged round the beam, and what was corrected."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from lightwell.conversion import Converter, Copy
from lightwell.datasets import Dataset
from lightwell.errors import MissingMetadata
from lightwell.model import Data, Entry
from lightwell.units import energy_from_wavelength
from lightwell_saxs.exporters.inside import (
    entry_name,
    parameters_of,
    signal_data,
    write_with_arrays,
)
from lightwell_saxs.schema import Azint1d, Azint2d

__all__ = ["ToNXazint"]

_NAMES = {"intensity": "I", "sigma": "I_errors", "q": "radial_axis", "azimuth": "azimuthal_axis"}
_LONG = {
    "I": "intensity",
    "I_errors": "estimated intensity error",
    "radial_axis": "q",
    "azimuthal_axis": "azimuthal bin center",
}


class ToNXazint(Converter):
    """A result of saxs.integrate as NXazint1d, of saxs.cake as NXazint2d."""

    name = "nxazint"
    summary = "NXazint1d or NXazint2d, azimuthally integrated frames"
    compression: ClassVar[str] = "gzip"

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write a result of an integration.

        Errors: MissingMetadata for a dataset that is none.
        """
        entry = dataset.entry
        data = signal_data(entry, ("intensity",))
        rank = data.fields["intensity"].ndim
        if "q" not in data.fields or rank not in (2, 3):
            raise MissingMetadata(
                "the dataset is no integrated frames (frame, q) or (frame, azimuth, q)",
                remedy="convert a single curve with --to nxcansas",
            )
        schema: type[Azint1d | Azint2d] = Azint1d if rank == 2 else Azint2d
        axes = (".", "radial_axis") if rank == 2 else (".", "azimuthal_axis", "radial_axis")
        fields = {_NAMES[name]: ref for name, ref in data.fields.items() if name in _NAMES}
        kept = ("title", "start_time", "end_time", "sample", "users", "process", "instrument")
        used = parameters_of(dataset.job)
        there = schema(
            **{name: getattr(entry, name) for name in kept},
            solid_angle_applied=bool(used.get("solid_angle", False)),
            polarization_applied=used.get("polarisation") is not None,
            normalization_applied=False,
            data={"data": Data(signal="I", axes=axes, fields=fields, long_names=_LONG)},
            default="data",
        )
        name = entry_name(dataset.entry_name)
        write_with_arrays(file, there, path=path, name=name, copy=copy)
        _complete(file[name], there, used, "spectrum" if rank == 2 else "image")


def _complete(group: Any, entry: Entry, used: dict[str, Any], interpretation: str) -> None:
    """Add what the definition asks for that the model has no place for."""
    data = group["data"]
    data.attrs["interpretation"] = interpretation
    for name, text in _LONG.items():
        if name in data:
            data[name].attrs["long_name"] = text
            if name.startswith("I"):
                data[name].attrs["units"] = "arbitrary units"
    reduction = group.create_group("reduction")
    reduction.attrs["NX_class"] = "NXprocess"
    reduction["program"] = "lightwell"
    reduction["version"] = version("lightwell")
    dates = [p.date for p in entry.process.values() if p.date is not None]
    reduction["date"] = (dates[0] if dates else datetime.now(UTC)).isoformat()
    reduction["reference"] = "lightwell_saxs.kernels.averaging"
    given = reduction.create_group("input")
    given.attrs["NX_class"] = "NXparameters"
    for name, value in used.items():
        if isinstance(value, (bool, int, float, str)):
            given[name] = value
    _complete_instrument(group, entry)


def _complete_instrument(group: Any, entry: Entry) -> None:
    wavelength = entry.canonical().get("wavelength")
    mono = group.require_group("instrument/monochromator")
    mono.attrs["NX_class"] = "NXmonochromator"
    group["instrument"].attrs["NX_class"] = "NXinstrument"
    if isinstance(wavelength, float):
        for name, value, unit in (
            ("wavelength", wavelength * 1e10, "angstrom"),
            ("energy", energy_from_wavelength(wavelength) / 1e3, "keV"),
        ):
            if name in mono:
                del mono[name]
            mono[name] = value
            mono[name].attrs["units"] = unit
