"""Single images of detectors: CBF, EDF, and TIFF as Pilatus detectors write it."""

import re
from collections.abc import Iterator
from typing import Any, Unpack

from lightwell import ArrayRef, Described, File, Importer, Part
from lightwell.containers.fabio_images import FabioStack, read_header
from lightwell.containers.tiff import TiffStack, is_tiff
from lightwell.errors import InputError
from lightwell.files import natural_key
from lightwell.model import Monochromator
from lightwell.nexus import Header
from lightwell_saxs.importers.dectris import (
    DUMMY,
    dectris_header,
    detector_of,
    has_dectris_header,
)
from lightwell_saxs.importers.geometry_options import GivenWithImage, with_geometry
from lightwell_saxs.schema import Scattering, ScatteringDetector, ScatteringInstrument

__all__ = ["DetectorImage", "frames_of", "series_of"]

_DIGITS = re.compile(r"\d+")
_HEAD = 16384


class DetectorImage(Importer):
    """CBF and EDF images, and TIFF with the header of a Pilatus; frames of scattering."""

    name = "detector-image"

    def claims(self, file: File) -> bool:
        """True for an image that says which detector it is from; other TIFF may be anything."""
        if file.is_dir:
            return False
        head = file.read_bytes(0, _HEAD)
        if is_tiff(file):
            return has_dectris_header(head)
        return is_cbf(head) or (is_edf(head) and not is_als733(head))

    def advice(self, file: File) -> str | None:
        if file.suffix == ".poni":
            return "a calibration goes with frames: ingest these with --set poni=FILE.poni"
        return None

    def describe(
        self,
        file: File,
        /,
        *,
        series: bool = False,
        **given: Unpack[GivenWithImage],
    ) -> Iterator[Described]:
        """Describe an image, or all whose names differ from its in numbers only.

        poni : a calibration; orientation : of the rows, in place of the one it says; beam_center_x,
        beam_center_y : 0 at the centre of the first pixel; series : take the other
        images of the series too.
        """
        files = series_of(file) if series else [file]
        header, detector = _header_of(file)
        detector = detector.model_copy(update={"data": frames_of(files)})
        instrument = ScatteringInstrument(detector=detector, monochromator=_beam(header))
        yield described(file, files, instrument, header, given)


def described(
    file: File,
    files: list[File],
    instrument: ScatteringInstrument,
    header: Header,
    given: GivenWithImage,
    *,
    others: tuple[Part, ...] = (),
    **fields: Any,
) -> Described:
    """The entry of a series of images; fields : of the entry beyond its instrument."""
    from lightwell import Sample

    stack = _stack_of(files[:1])
    instrument, flags = with_geometry(instrument, given, lambda: stack.read()[0])
    name = given.get("sample")
    entry = Scattering(
        title=file.name,
        sample=Sample(name=name) if name else None,
        instrument=instrument,
        original=header.original(),
        flags=(*header.flags, *flags),
        **fields,
    )
    parts = [*(Part(one, "frame") for one in files), *others]
    return Described(entry.with_plot(), file.parent, parts)


def frames_of(files: list[File]) -> ArrayRef:
    """The reference to images of one size, a file each.

    Errors: UnreadableFile.
    """
    stack = _stack_of(files)
    container = "tiff" if is_tiff(files[0]) else "fabio"
    dtype = stack.dtype.name
    return ArrayRef.frames("frame", stack.shape, dtype, container=container, unit="counts")


def _stack_of(files: list[File]) -> TiffStack | FabioStack:
    return TiffStack(files) if is_tiff(files[0]) else FabioStack(files)


def series_of(file: File) -> list[File]:
    """The files beside one whose names differ from its in numbers only, in their order."""
    pattern = _DIGITS.sub("#", file.name)
    beside = [one for one in file.parent.children() if not one.is_dir]
    found = [one for one in beside if _DIGITS.sub("#", one.name) == pattern]
    return sorted(found, key=lambda one: natural_key(one.name))


def is_cbf(head: bytes) -> bool:
    """Whether a file begins as CBF does."""
    return head.startswith(b"###CBF")


def is_edf(head: bytes) -> bool:
    """Whether a file begins with a header of EDF, which says how large the image is."""
    return head.lstrip()[:1] == b"{" and b"Dim_1" in head and b"DataType" in head


def is_als733(head: bytes) -> bool:
    """Whether an EDF header has the title that beamline 7.3.3 writes and its other words."""
    return all(word in head for word in (b"HeaderID", b"# Pixel_size", b"count_time", b"run "))


def _header_of(file: File) -> tuple[Header, ScatteringDetector]:
    head = file.read_bytes(0, _HEAD)
    if not is_edf(head):
        header = dectris_header(head)
        return header, detector_of(header, description=header.text("Detector"), **DUMMY)
    header = Header({key: (value, None) for key, value in read_header(file)[0].items()})
    if not header.values:
        raise InputError("the header of the image is empty", where=str(file))
    sizes = [
        header.number(key, to="m", unit_default="m", field=f"instrument.detector.{field}")
        for key, field in (("PSize_1", "x_pixel_size"), ("PSize_2", "y_pixel_size"))
    ]
    detector = ScatteringDetector(
        x_pixel_size=sizes[0],
        y_pixel_size=sizes[1],
        distance=header.number("SampleDistance", to="m", unit_default="m"),
        beam_center_x=_less_half(header.number("Center_1")),
        beam_center_y=_less_half(header.number("Center_2")),
        dummy=header.number("Dummy"),
        delta_dummy=header.number("DDummy"),
        count_time=header.number("ExposureTime", "count_time", to="s", unit_default="s"),
    )
    return header, detector


def _less_half(value: float | None) -> float | None:
    # SAXS headers of the ESRF count from the corner of the first pixel.
    return None if value is None else value - 0.5


def _beam(header: Header) -> Monochromator | None:
    wavelength = header.number("Wavelength", "WaveLength", to="m", unit_default="m")
    return Monochromator(wavelength=wavelength) if wavelength else None
