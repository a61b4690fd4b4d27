"""NXcxi_ptycho: CXI 1.6 with the words of NeXus; energies say their unit, rasters may be 4-D.

Layout: the NXDL of the definition. Positions are those of CXI (displacements of the sample) where
`translation` is there, else the two axes of the sample's transformations.
"""

from collections.abc import Iterator
from typing import Any

from lightwell import ArrayRef, Described, File, Sample, opened_hdf5
from lightwell.errors import InputError
from lightwell.hdf5 import open_file
from lightwell.model import Beam, Monochromator, Source
from lightwell.nexus import Header, entry_names, is_ours
from lightwell_ptychography.importers.base import Master, PtychographyImporter, array_ref
from lightwell_ptychography.importers.cxi import HAS_SIGNAL, basis_of, scan_of, stack
from lightwell_ptychography.schema import (
    Ptychography,
    PtychographyDetector,
    PtychographyInstrument,
)

__all__ = ["NXcxiPtycho"]

DEFINITION = "NXcxi_ptycho"


class NXcxiPtycho(PtychographyImporter):
    """A NeXus file whose entries say that they are NXcxi_ptycho."""

    name = "nxcxi-ptycho"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and bool(_entries(opened, file))

    def scans(self, file: File) -> Iterator[Described]:
        """Describe every entry of that definition."""
        with open_file(file.local_path()) as opened:
            for name in _entries(opened, file):
                master = Master.of(file, f"/{name}")
                entry = _entry(opened, master, f"/{name}", file)
                yield Described(entry, master.root, master.parts, name=name)


def _entries(opened: Any, file: File) -> list[str]:
    found = []
    for name in entry_names(file.local_path()):
        group = opened[name]
        said = group.get("definition")
        # A named type has a dtype as well, and holds nothing.
        text = said[()] if hasattr(said, "shape") else b""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        if text == DEFINITION and not is_ours(group):
            found.append(name)
    return found


def _entry(opened: Any, master: Master, inner: str, file: File) -> Ptychography:
    header = Header.of_hdf5(opened, inner)
    group = f"{inner}/instrument_1/detector_1"
    frames = stack(
        array_ref(opened, master, (f"{inner}/data_1/data", f"{group}/data"), "counts"), file
    )
    translation = array_ref(
        opened,
        master,
        (
            f"{inner}/data_1/translation",
            f"{group}/translation",
            f"{inner}/sample_1/geometry_1/translation",
        ),
        "m",
    )
    if translation is None:
        raise InputError(
            "the entry has no translation",
            where=f"{file}:{inner}",
            remedy="give a file whose data_1/translation says where the sample was",
        )
    basis = basis_of(opened, header, f"{group}/basis_vectors")
    scan, frames = scan_of(header, frames, translation, basis)
    said = header.text(f"{inner}/propagation", field="scan.propagation")
    focus = header.number(f"{inner}/focus_distance", to="m", field="scan.focus_distance")
    scan = scan.model_copy(update={"propagation": said, "focus_distance": focus})
    return Ptychography(
        title=header.text(f"{inner}/title", field="title") or file.name,
        start_time=header.time(f"{inner}/start_time", field="start_time"),
        end_time=header.time(f"{inner}/end_time", field="end_time"),
        instrument=_instrument(opened, master, header, inner, frames, basis),
        sample=_sample(header, inner),
        scan=scan.model_copy(update={"probe": _probe(opened, master, inner, frames)}),
        original=header.original(),
        flags=header.flags,
    )


def _instrument(
    opened: Any,
    master: Master,
    header: Header,
    inner: str,
    frames: ArrayRef,
    basis: tuple[float, ...] | None,
) -> PtychographyInstrument:
    place = f"{inner}/instrument_1"

    def length(name: str) -> float | None:
        key = f"{place}/detector_1/{name}"
        return header.number(key, to="m", unit_default="m", field=f"instrument.detector.{name}")

    energy = header.number(
        f"{place}/beam_1/energy",
        f"{place}/beam_1/incident_beam_energy",
        to="eV",
        unit_default="J",
        field="instrument.monochromator.energy",
    )
    wavelength = header.number(
        f"{place}/source_1/wavelength", to="m", field="instrument.monochromator.wavelength"
    )
    is_known = energy is not None or wavelength is not None
    mono = Monochromator(energy=energy, wavelength=wavelength) if is_known else None
    spread = header.number(
        f"{place}/beam_1/incident_energy_spread",
        to="eV",
        unit_default="J",
        field="instrument.beam.incident_energy_spread",
    )
    mask = array_ref(opened, master, (f"{place}/detector_1/mask", f"{place}/detector_1/pixel_mask"))
    return PtychographyInstrument(
        source=_source(header, f"{place}/source_1"),
        monochromator=mono,
        beam=Beam(incident_energy_spread=spread) if spread is not None else None,
        detector=PtychographyDetector(
            data=frames,
            distance=length("distance"),
            x_pixel_size=length("x_pixel_size"),
            y_pixel_size=length("y_pixel_size"),
            basis_vectors=basis,
            pixel_mask=mask if mask is not None and mask.ndim == 2 else None,
            mask_ignores=HAS_SIGNAL if mask is not None and mask.ndim == 2 else None,
        ),
    )


def _source(header: Header, place: str) -> Source | None:
    def text(name: str) -> str | None:
        return header.text(f"{place}/{name}", field=f"instrument.source.{name}")

    ring = header.number(f"{place}/energy", to="eV", field="instrument.source.energy")
    found = Source(name=text("name"), type=text("type"), probe=text("probe"), energy=ring)
    return None if found == Source() else found


def _probe(opened: Any, master: Master, inner: str, frames: ArrayRef) -> ArrayRef | None:
    place = f"{inner}/instrument_1/source_1/illumination"
    found = array_ref(opened, master, (place,)) if place in opened else None
    fits = found is not None and found.shape[-2:] == frames.shape[1:]
    return found if fits else None


def _sample(header: Header, inner: str) -> Sample | None:
    name = header.text(f"{inner}/sample_1/name", field="sample.name")
    return Sample(name=name) if name else None
