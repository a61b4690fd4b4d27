"""CXI 1.4 to 1.6: frames of ptychography as ALS 5.3.2.1, COSMIC 7.0.1 and others write them.

Layout: the format's definition (cxidb.org), a file of PETRA III P25 (CXI 1.60) and, for those of
the ALS, the writer of cosmiccam. Energies are in joule, lengths in metre; translations are those of
the sample. `data_1` is mostly a link to the detector's frames, and either may be missing.
"""

import re
from collections.abc import Iterator
from typing import Any

from lightwell import (
    ArrayRef,
    Described,
    Detector,
    Entry,
    File,
    Instrument,
    Sample,
    opened_hdf5,
)
from lightwell.errors import InputError
from lightwell.hdf5 import open_file
from lightwell.model import Monochromator, Source
from lightwell.nexus import Header
from lightwell_ptychography.importers.base import (
    Master,
    PtychographyImporter,
    array_ref,
    names_in,
    numbers_at,
)
from lightwell_ptychography.importers.frame import cut_to_shorter, of_sample
from lightwell_ptychography.schema import (
    Ptychography,
    PtychographyDetector,
    PtychographyInstrument,
    Scan,
)

__all__ = ["HAS_SIGNAL", "Cxi", "basis_of", "is_cxi", "scan_of", "stack"]

_ENTRY = re.compile(r"entry_\d+")
HAS_SIGNAL = 0x1000
"""The one bit of a CXI mask that is no fault of a pixel."""


def is_cxi(opened: Any) -> bool:
    """Whether an open file is laid out as CXI says: named groups with frames in them."""
    return any(_frames_of(opened, name) for name in _entries(opened))


class Cxi(PtychographyImporter):
    """A .cxi file; every entry with frames is a scan."""

    name = "cxi"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and is_cxi(opened) and not _is_nexus(opened)

    def scans(self, file: File) -> Iterator[Described]:
        """Describe every entry that has frames; one without positions is described plainly."""
        with open_file(file.local_path()) as opened:
            for name in _entries(opened):
                if _frames_of(opened, name):
                    master = Master.of(file, f"/{name}")
                    entry = _entry(opened, master, f"/{name}", file)
                    yield Described(entry, master.root, master.parts, name=name)


def _entries(opened: Any) -> list[str]:
    return sorted(name for name in names_in(opened) if _ENTRY.fullmatch(name))


def _frames_of(opened: Any, name: str) -> tuple[str, ...]:
    """The places of an entry at which there are frames, or a link that should lead to them."""
    places = (f"/{name}/data_1/data", f"/{name}/instrument_1/detector_1/data")
    return tuple(place for place in places if place in opened)


def _is_nexus(opened: Any) -> bool:
    return any("definition" in names_in(opened[name]) for name in _entries(opened))


def _entry(opened: Any, master: Master, inner: str, file: File) -> Entry:
    import numpy as np

    header = Header.of_hdf5(opened, inner)
    version = numbers_at(opened, "cxi_version")
    if version is not None and np.size(version) == 1:
        header.record("/cxi_version", int(np.ravel(version)[0]))
    header.flag_missing_sources(file.local_path(), inner)
    frames = stack(array_ref(opened, master, _frames_of(opened, inner.strip("/")), "counts"), file)
    detector = f"{inner}/instrument_1/detector_1"
    translation = array_ref(
        opened,
        master,
        (
            f"{inner}/data_1/translation",
            f"{detector}/translation",
            f"{inner}/sample_1/geometry_1/translation",
        ),
        "m",
    )
    if translation is None:
        return _plain(header, inner, frames, file)
    found = _detector(opened, master, header, detector)
    scan, frames = scan_of(header, frames, translation, found.basis_vectors)
    scan = scan.model_copy(update={"probe": _probe(opened, master, inner, frames)})
    found = found.model_copy(update={"data": frames})
    return Ptychography(
        title=header.text(f"{inner}/title", field="title") or file.name,
        start_time=header.time(f"{inner}/start_time", field="start_time"),
        end_time=header.time(f"{inner}/end_time", field="end_time"),
        experiment_identifier=header.text(
            f"{inner}/experiment_identifier", field="experiment_identifier"
        ),
        instrument=_instrument(header, inner, found),
        sample=_sample(header, inner),
        scan=scan,
        original=header.original(),
        flags=header.flags,
    )


def stack(ref: ArrayRef | None, file: File) -> ArrayRef:
    """Frames as (frame, row, column).

    Errors: InputError for an array of another rank.
    """
    if ref is not None and ref.ndim == 2:
        return ArrayRef.stack(ref)
    if ref is None or ref.ndim != 3:
        shape = "no frames" if ref is None else f"frames of shape {ref.shape}"
        raise InputError(
            f"there are {shape}, not (frame, row, column)",
            where=str(file),
            remedy="give a file whose data_1/data has one image per position",
        )
    return ref


def scan_of(
    header: Header, frames: ArrayRef, translation: ArrayRef, basis: tuple[float, ...] | None
) -> tuple[Scan, ArrayRef]:
    """Positions of CXI, as many as there are frames, with what they mean; and those frames."""
    frames, positions = cut_to_shorter(header, frames, translation)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise InputError(
            f"the translations have shape {positions.shape}, not (frame, 3)",
            remedy="check the program that wrote the file",
        )
    light: dict[str, Any] = {
        name: row[: positions.shape[1]] for name, row in of_sample(basis).items()
    }
    return Scan(positions=positions, **light), frames


def _plain(header: Header, inner: str, frames: ArrayRef, file: File) -> Entry:
    """Frames alone: coherent diffraction, or a file that lost its positions."""
    header.flag(
        "positions-missing",
        "There are no translations, so this is no ptychography: nothing can be reconstructed.",
        f"{inner}/data_1/translation",
    )
    return Entry(
        title=header.text(f"{inner}/title", field="title") or file.name,
        instrument=Instrument(detector=Detector(data=frames)),
        original=header.original(),
        flags=header.flags,
    )


def _detector(opened: Any, master: Master, header: Header, group: str) -> PtychographyDetector:
    def number(name: str) -> float | None:
        return header.number(
            f"{group}/{name}", to="m", unit_default="m", field=f"instrument.detector.{name}"
        )

    mask = array_ref(opened, master, (f"{group}/mask",))
    if mask is not None and mask.ndim != 2:
        header.flag(
            "mask-not-used",
            f"The mask has shape {mask.shape}, one for every frame; it is not used.",
            f"{group}/mask",
        )
        mask = None
    dark = array_ref(opened, master, (f"{group}/data_dark", f"{group}/dark"), "counts")
    return PtychographyDetector(
        description=header.text(f"{group}/description"),
        distance=number("distance"),
        x_pixel_size=number("x_pixel_size"),
        y_pixel_size=number("y_pixel_size"),
        count_time=header.number(f"{group}/count_time", to="s", unit_default="s"),
        corner_position=header.numbers(f"{group}/corner_position", to="m", unit_default="m"),
        basis_vectors=basis_of(opened, header, f"{group}/basis_vectors"),
        pixel_mask=mask,
        mask_ignores=None if mask is None else HAS_SIGNAL,
        background=dark if dark is not None and dark.ndim == 2 else None,
    )


def basis_of(opened: Any, header: Header, place: str) -> tuple[float, ...] | None:
    """The step along rows, then along columns, of a (3, 2) or (frame, 2, 3) array."""
    import numpy as np

    told = numbers_at(opened, place)
    if told is None:
        return None
    values = np.asarray(told, np.float64)
    if values.shape == (3, 2):
        return tuple(float(one) for one in values.T.ravel())
    if values.ndim == 3 and values.shape[1:] == (2, 3) and len(values):
        if np.ptp(values, axis=0).any():
            header.flag(
                "several-values", "The detector moves during the scan; its first place is used."
            )
        return tuple(float(one) for one in values[0].ravel())
    header.flag("basis-unreadable", f"Basis vectors of shape {values.shape} are not used.", place)
    return None


def _instrument(header: Header, inner: str, found: PtychographyDetector) -> PtychographyInstrument:
    source = f"{inner}/instrument_1/source_1"
    energy = header.number(
        f"{source}/energy", to="eV", unit_default="J", field="instrument.monochromator.energy"
    )
    wavelength = header.number(
        f"{source}/wavelength",
        to="m",
        unit_default="m",
        field="instrument.monochromator.wavelength",
    )
    is_known = energy is not None or wavelength is not None
    mono = Monochromator(energy=energy, wavelength=wavelength) if is_known else None
    name = header.text(f"{source}/name", field="instrument.source.name")
    return PtychographyInstrument(
        name=header.text(f"{inner}/instrument_1/name", field="instrument.name"),
        source=Source(name=name) if name else None,
        monochromator=mono,
        detector=found,
    )


def _probe(opened: Any, master: Master, inner: str, frames: ArrayRef) -> ArrayRef | None:
    """A guess of the illumination, where one of the size of a frame is there."""
    group = f"{inner}/instrument_1/source_1"
    places = tuple(f"{group}/{name}" for name in ("illumination", "data_illumination", "probe"))
    found = array_ref(opened, master, tuple(place for place in places if place in opened))
    fits = found is not None and found.shape[-2:] == frames.shape[1:] and found.ndim in (2, 3)
    return found if fits and found is not None and found.dtype.startswith("complex") else None


def _sample(header: Header, inner: str) -> Sample | None:
    name = header.text(f"{inner}/sample_1/name", field="sample.name")
    return Sample(name=name) if name else None
