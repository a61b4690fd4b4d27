"""canSAS 1-D in XML, versions 1.0 and 1.1: every SASentry, every SASdata in it."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from lightwell import ArrayRef, Described, File, Importer, Part, Sample
from lightwell.containers.xml_numbers import elements, local_name, read_xml
from lightwell.errors import InputError
from lightwell.model import Data, FilePart, Monochromator, Process, Source
from lightwell.nexus import Header
from lightwell_saxs.schema import ReducedScattering, ScatteringInstrument

__all__ = ["CanSasXml"]

_NAMES = ("Q", "I", "Idev", "Qdev", "dQw", "dQl", "Qmean", "ShadowFactor")
_SPECTRUM = ("Lambda", "T", "Tdev")


class CanSasXml(Importer):
    """A file with SASroot; every entry is a dataset."""

    name = "cansas-xml"

    def claims(self, file: File) -> bool:
        if file.is_dir or file.suffix != ".xml":
            return False
        return b"SASroot" in file.read_bytes(0, 8192)

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every entry.

        Errors: UnreadableFile for XML that is damaged, InputError for an entry without data.
        """
        root = read_xml(file)
        found = [] if root is None else elements(root, "SASentry")
        if not found:
            raise InputError("the file has no SASentry", where=str(file))
        for place, entry in enumerate(found):
            name = "entry" if len(found) == 1 else f"entry_{place + 1}"
            yield Described(
                _Entry(file, entry, place).described(), file.parent, [Part(file, "curve")], name
            )


class _Entry:
    def __init__(self, file: File, element: Element, place: int) -> None:
        self._file, self._element = file, element
        self._path = f"SASentry[{place}]"
        self._header = Header(dict(_values(element, "")))

    def described(self) -> ReducedScattering:
        header = self._header
        data = dict(self._data())
        if not data:
            raise InputError("the entry has no SASdata with I", where=f"{self._file}:{self._path}")
        wavelength = header.number("SASinstrument/SASsource/wavelength", to="m")
        instrument = ScatteringInstrument(
            name=header.text("SASinstrument/name", field="instrument.name"),
            source=Source(probe=header.text("SASinstrument/SASsource/radiation")),
            monochromator=Monochromator(wavelength=wavelength) if wavelength else None,
        )
        return ReducedScattering(
            title=header.text("Title", field="title"),
            run=header.text("Run", field="run"),
            instrument=instrument,
            sample=Sample(
                name=header.text("SASsample/ID", field="sample.name"),
                thickness=header.number("SASsample/thickness", to="m", field="sample.thickness"),
                temperature=header.number("SASsample/temperature", to="K"),
            ),
            process=self._processes(),
            data=data,
            default=next(iter(data)),
            original=header.original(),
            flags=header.flags,
        )

    def _data(self) -> Iterator[tuple[str, Data]]:
        for kind, point, names, signal in (
            ("SASdata", "Idata", _NAMES, "I"),
            ("SAStransmission_spectrum", "Tdata", _SPECTRUM, "T"),
        ):
            for number in range(len(elements(self._element, kind))):
                fields = dict(self._fields(f"{kind}[{number}]/{point}", names))
                if signal in fields and names[0] in fields:
                    own = kind.lower() if number == 0 else f"{kind.lower()}_{number + 1}"
                    yield own, Data(signal=signal, axes=(names[0],), fields=fields)

    def _fields(self, below: str, names: tuple[str, ...]) -> Iterator[tuple[str, ArrayRef]]:
        """The arrays of a SASdata: those that every point has."""
        count = len(elements(self._element, below))
        for name in names:
            found = elements(self._element, f"{below}/{name}")
            if count and len(found) == count:
                path = f"{self._path}/{below}/{name}"
                part = FilePart(container="xml", file=self._file.name, path=path, count=count)
                unit = found[0].get("unit")
                yield name, ArrayRef(shape=(count,), dtype="float64", unit=unit, parts=(part,))
            elif found:
                self._header.flag(
                    "values-left-out",
                    f"{name} is given for {len(found)} of {count} points and is left out.",
                    f"{below}/{name}",
                )

    def _processes(self) -> dict[str, Process]:
        found = {}
        for number, element in enumerate(elements(self._element, "SASprocess")):
            texts = {local_name(child): (child.text or "").strip() for child in element}
            found[f"sasprocess_{number + 1}"] = Process(
                program=texts.get("name") or None, sequence_index=number + 1
            )
        return found


def _values(element: Element, path: str) -> Iterator[tuple[str, tuple[Any, str | None]]]:
    """Every text of an entry but the points, by its path; terms by their own name."""
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child)
        if name in ("Idata", "Tdata"):
            continue
        key = f"{path}/{name}" if path else name
        if name == "term" and child.get("name"):
            key = f"{path}/{child.get('name')}"
        text = (child.text or "").strip()
        if text:
            yield key, (text, child.get("unit"))
        yield from _values(child, key)
