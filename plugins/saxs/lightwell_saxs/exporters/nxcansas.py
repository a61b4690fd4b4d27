"""NXcanSAS 1.1: reduced curves for SasView, Irena and others; errors and resolution go along."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from lightwell import ArrayRef
from lightwell.conversion import Converter, Copy
from lightwell.datasets import Dataset
from lightwell.errors import MissingMetadata
from lightwell.model import Data, Entry
from lightwell_saxs.exporters.inside import entry_name, signal_data, write_with_arrays
from lightwell_saxs.schema import ReducedScattering, ScatteringInstrument

__all__ = ["ToNXcanSAS", "reduced_entry"]

_NAMES = {"intensity": "I", "sigma": "Idev", "q": "Q", "resolution": "Qdev", "frame": "frame"}
_RESOLUTIONS = ("Qdev", "dQw", "dQl", "dQ")


class ToNXcanSAS(Converter):
    """One SASentry with all of its SASdata; what was read from NXcanSAS is written unchanged."""

    name = "nxcansas"
    summary = "NXcanSAS, for SasView and its like"
    # What reads this format mostly knows no other filter.
    compression: ClassVar[str] = "gzip"

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write a reduced curve, several of them, or a map of Q.

        Errors: MissingMetadata for a dataset without reduced intensity.
        """
        entry, shaped = reduced_entry(dataset.entry, copy)
        name = entry_name(dataset.entry_name)
        write_with_arrays(file, entry, path=path, name=name, copy=copy, shaped=shaped)
        _mark(file[name], entry, dataset)


def reduced_entry(
    entry: Entry, copy: Copy
) -> tuple[ReducedScattering, dict[ArrayRef, Callable[[Any], Any]]]:
    """The entry as NXcanSAS describes it; a result that is one curve becomes one-dimensional.

    With it what is done to some of its arrays when they are read.
    Errors: MissingMetadata for a dataset without reduced intensity over q.
    """
    if isinstance(entry, ReducedScattering):
        return entry, {}
    data = signal_data(entry, ("intensity",))
    signal = data.fields["intensity"]
    if signal.ndim > 2 or "q" not in data.fields:
        raise MissingMetadata(
            "the dataset is no curve over q", remedy="convert a cake with --to nxazint"
        )
    one = signal.ndim == 2 and signal.shape[0] == 1
    fields = {
        _NAMES[name]: ref
        for name, ref in data.fields.items()
        if name in _NAMES
        and not (one and name == "frame")
        and not (name in ("sigma", "resolution") and _is_empty(copy, ref))
    }
    rows: dict[ArrayRef, Callable[[Any], Any]] = {
        ref: _first_row for ref in fields.values() if one and ref.ndim == 2
    }
    several = signal.ndim == 2 and not one
    axes = ("frame" if "frame" in fields else ".", "Q") if several else ("Q",)
    given = {
        field: getattr(entry, field)
        for field in type(entry).model_fields
        if field in Entry.model_fields and field not in ("data", "default", "instrument")
    }
    instrument = entry.instrument
    if instrument is not None:
        known = ("name", "beamline", "source", "beam", "monochromator")
        instrument = ScatteringInstrument(**{one: getattr(instrument, one) for one in known})
    found = ReducedScattering(
        **given,
        instrument=instrument,
        data={"sasdata": Data(signal="I", axes=axes, fields=fields)},
        default="sasdata",
    )
    return found, rows


def _is_empty(copy: Copy, ref: ArrayRef) -> bool:
    """Whether nothing is known: readers drop every point whose error is not a number."""
    import numpy as np

    return bool(np.isnan(copy.open_array(ref).read()).all())


def _first_row(values: Any) -> Any:
    return values[0]


def _mark(group: Any, entry: ReducedScattering, dataset: Dataset) -> None:
    """Add what NXcanSAS asks for beyond NeXus: a class to every group, names of errors."""
    group.attrs["canSAS_class"] = "SASentry"
    group.attrs["version"] = "1.1"
    for name, text in (("title", dataset.pid), ("run", dataset.pid)):
        if name not in group:
            group[name] = text
    for name, data in entry.data.items():
        if data.signal == "T":
            _mark_spectrum(group[name])
        elif data.signal == "I":
            _mark_data(group[name], data)
    _mark_others(group, entry)


def _mark_data(group: Any, data: Data) -> None:
    group.attrs["canSAS_class"] = "SASdata"
    rank = len(data.axes)
    axes = ["Q" if name == "." else name for name in data.axes]
    group.attrs["I_axes"] = ",".join(axes)
    along = [place for place, name in enumerate(axes) if name == "Q"]
    group.attrs["Q_indices"] = along if len(along) > 1 else (along or [rank - 1])[0]
    for name in ("I", "Idev"):
        # The definition asks for a unit, and readers for a text; counts have none of its list.
        if name in group and "units" not in group[name].attrs:
            group[name].attrs["units"] = "arbitrary"
    if "Idev" in group:
        group["I"].attrs["uncertainties"] = "Idev"
    widths = [name for name in _RESOLUTIONS if name in group]
    if widths and "Q" in group:
        group["Q"].attrs["resolutions"] = ",".join(widths)


def _mark_spectrum(group: Any) -> None:
    group.attrs["canSAS_class"] = "SAStransmission_spectrum"
    group.attrs["T_axes"] = "T"
    group.attrs.setdefault("name", "sample")
    if "Tdev" in group:
        group["T"].attrs["uncertainties"] = "Tdev"


def _mark_others(group: Any, entry: ReducedScattering) -> None:
    instrument = entry.instrument
    if instrument is not None and (instrument.group_name or "instrument") in group:
        own = group[instrument.group_name or "instrument"]
        own.attrs["canSAS_class"] = "SASinstrument"
        if "source" in own:
            own["source"].attrs["canSAS_class"] = "SASsource"
        if "detector" in own and instrument.detector is not None:
            _mark_detector(own["detector"], instrument.detector)
    if entry.sample is not None and (entry.sample.group_name or "sample") in group:
        sample = group[entry.sample.group_name or "sample"]
        sample.attrs["canSAS_class"] = "SASsample"
        if "name" not in sample:
            sample["name"] = entry.sample.name or ""
    for name in entry.process:
        process = group[name]
        process.attrs["canSAS_class"] = "SASprocess"
        if "name" not in process and "program" in process:
            process["name"] = process["program"][()]


def _mark_detector(group: Any, detector: Any) -> None:
    group.attrs["canSAS_class"] = "SASdetector"
    if "name" not in group:
        group["name"] = detector.description or "detector"
    if isinstance(detector.distance, float) and "SDD" not in group:
        group["SDD"] = detector.distance
        group["SDD"].attrs["units"] = "m"
