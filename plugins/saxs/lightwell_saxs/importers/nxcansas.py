"""NXcanSAS, 1-D and 2-D, as Irena, Nika, Mantid, SasView and others write it.

Groups are known by their attribute ``canSAS_class``, which all of them have. Writers differ in the
rest: ``I_axes`` is a text with commas or an array, uncertainties are named by attributes of several
names, texts come as arrays of length 1.
"""

from collections.abc import Iterator
from typing import Any

from lightwell import ArrayRef, Described, File, Importer, Part, Sample, opened_hdf5
from lightwell.conversion.copying import array_places, with_arrays
from lightwell.errors import InputError
from lightwell.hdf5 import linked_files, open_file, read_attributes
from lightwell.model import Data, FilePart, Monochromator, Process, Source
from lightwell.nexus import Header, is_ours, read_entry
from lightwell_saxs.schema import ReducedScattering, ScatteringDetector, ScatteringInstrument

__all__ = ["NXcanSAS"]

_BROKEN = (KeyError, OSError, RuntimeError, AttributeError)


class NXcanSAS(Importer):
    """Files with SASentry groups; every one of them is a dataset."""

    name = "nxcansas"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and bool(_entries(opened))

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every SASentry with all of its SASdata; the default one is to plot.

        Errors: InputError for an entry without I.
        """
        path = file.local_path()
        with open_file(path) as opened:
            found = [(name, _entry(file, opened, name)) for name in _entries(opened)]
        others = [File(other) for other in linked_files(path)[1:]]
        parts = [Part(file, "curve"), *(Part(other, "external") for other in others)]
        for name, entry in found:
            yield Described(entry, file.parent, parts, name=name)


def _entries(opened: Any) -> list[str]:
    """Names of the entries; descriptions of ours have no canSAS_class, files we convert to have."""
    found = []
    for name in opened:
        try:
            group = opened[name]
            is_entry = read_attributes(group).get("canSAS_class") == "SASentry"
            if is_entry:
                found.append(name)
        except _BROKEN:
            continue
    return found


def _entry(file: File, opened: Any, name: str) -> ReducedScattering:
    """An entry: as we wrote it if we did, with its arrays in the file as it is called now."""
    if not is_ours(opened[name]):
        return _Entry(file, opened, name).described()
    schemas = {"NXcanSAS": ReducedScattering}
    entry = read_entry(file.local_path(), name, schemas=schemas)
    moved = {ref: _at_home(ref, file.name) for _, ref in array_places(entry, "")}
    found = with_arrays(entry, moved)
    assert isinstance(found, ReducedScattering)  # noqa: S101 - its definition says so
    return found


def _at_home(ref: ArrayRef, name: str) -> ArrayRef:
    parts = [
        part.model_copy(update={"file": name}) if isinstance(part, FilePart) else part
        for part in ref.parts
    ]
    return ref.model_copy(update={"parts": tuple(parts)})


class _Entry:
    def __init__(self, file: File, opened: Any, name: str) -> None:
        self._file, self._group, self._name = file, opened[name], name
        self._header = Header.of_hdf5(opened, f"/{name}")

    def described(self) -> ReducedScattering:
        header, top = self._header, f"/{self._name}"
        data = dict(self._data("SASdata", "I")) | dict(self._data("SAStransmission_spectrum", "T"))
        curves = [name for name, one in data.items() if one.signal == "I"]
        if not curves:
            raise InputError("the entry has no SASdata with I", where=f"{self._file}:{top}")
        default = header.text(f"{top}@default")
        return ReducedScattering(
            title=header.text(f"{top}/title", field="title"),
            run=header.text(f"{top}/run", field="run"),
            instrument=self._instrument(),
            sample=self._sample(),
            process=self._processes(),
            data=data,
            default=default if default in curves else curves[0],
            original=header.original(),
            flags=header.flags,
        )

    def _groups(self, kind: str, below: Any = None) -> Iterator[tuple[str, Any]]:
        group = self._group if below is None else below
        for name in group:
            try:
                inner = group[name]
                if read_attributes(inner).get("canSAS_class") == kind:
                    yield name, inner
            except _BROKEN:
                self._header.flag(
                    "missing-source", f"{name} leads nowhere.", f"{group.name}/{name}"
                )

    def _data(self, kind: str, signal: str) -> Iterator[tuple[str, Data]]:
        for name, group in self._groups(kind):
            fields = {}
            for key in group:
                array = group[key]
                shape = getattr(array, "shape", None)
                if shape and array.dtype.kind in "fiu":
                    unit = read_attributes(array).get("units")
                    place = f"/{self._name}/{name}/{key}"
                    fields[key] = ArrayRef.hdf5(
                        self._file.name,
                        place,
                        shape,
                        array.dtype,
                        None if unit is None else str(unit),
                    )
            if signal in fields:
                axes = _axes(group, signal, fields)
                yield name, Data(signal=signal, axes=axes, fields=fields)

    def _instrument(self) -> ScatteringInstrument | None:
        found = next(self._groups("SASinstrument"), None)
        if found is None:
            return None
        top, header = f"/{self._name}/{found[0]}", self._header
        source = next(self._groups("SASsource", found[1]), None)
        camera = next(self._groups("SASdetector", found[1]), None)
        wavelength = None
        if source is not None:
            wavelength = header.number(
                f"{top}/{source[0]}/incident_wavelength",
                to="m",
                field="instrument.monochromator.wavelength",
            )
        return ScatteringInstrument(
            name=header.text(f"{top}/name", field="instrument.name"),
            source=Source(probe=header.text(f"{top}/{source[0]}/radiation")) if source else None,
            monochromator=Monochromator(wavelength=wavelength) if wavelength else None,
            detector=self._detector(f"{top}/{camera[0]}") if camera else None,
        )

    def _detector(self, top: str) -> ScatteringDetector:
        header, place = self._header, "instrument.detector"
        return ScatteringDetector(
            description=header.text(f"{top}/name", field=f"{place}.description"),
            distance=header.number(f"{top}/SDD", to="m", field=f"{place}.distance"),
            x_pixel_size=header.number(
                f"{top}/x_pixel_size", to="m", field=f"{place}.x_pixel_size"
            ),
            y_pixel_size=header.number(
                f"{top}/y_pixel_size", to="m", field=f"{place}.y_pixel_size"
            ),
        )

    def _sample(self) -> Sample | None:
        found = next(self._groups("SASsample"), None)
        if found is None:
            return None
        top, header = f"/{self._name}/{found[0]}", self._header
        return Sample(
            name=header.text(f"{top}/name", f"{top}/ID", field="sample.name"),
            thickness=header.number(f"{top}/thickness", to="m", field="sample.thickness"),
            temperature=header.number(f"{top}/temperature", to="K", field="sample.temperature"),
        )

    def _processes(self) -> dict[str, Process]:
        return {
            name: Process(program=self._header.text(f"/{self._name}/{name}/name"))
            for name, _ in self._groups("SASprocess")
        }


def _axes(group: Any, signal: str, fields: dict[str, ArrayRef]) -> tuple[str, ...]:
    """One field per axis of the signal, as NeXus means it; "." where a writer says Q,Q.

    In two dimensions Q is given per pixel, as Qx and Qy, and no field is along an axis.
    """
    said = read_attributes(group).get(f"{signal}_axes")
    if isinstance(said, str):
        names = [name.strip() for name in said.split(",")]
    elif isinstance(said, tuple):
        names = [str(name) for name in said]
    else:
        names = []
    shape = fields[signal].shape
    first = "lambda" if signal == "T" else "Q"
    names = names if len(names) == len(shape) else [first] * len(shape)
    fits = [
        name if name in fields and fields[name].shape == (length,) else "."
        for name, length in zip(names, shape, strict=True)
    ]
    return tuple(fits)
