"""APS 12-ID-E (formerly 9-ID): pinhole SAXS and WAXS frames of the USAXS instrument.

NeXus as EPICS areaDetector writes it, with the geometry in ``entry/Metadata`` in the conventions of
Nika: SDD in mm, beam centre in pixels from the centre of the first one, tilts in degree. Nika's
tilts are kept as they are and are not applied: no file says how they turn into rotations.
"""

from collections.abc import Iterator
from typing import Any, Unpack

from lightwell import ArrayRef, Described, File, Importer, Part, Sample, opened_hdf5
from lightwell.hdf5 import open_file
from lightwell.model import Monochromator, Source
from lightwell.nexus import Header
from lightwell_saxs.importers.geometry_options import GivenGeometry, with_geometry
from lightwell_saxs.schema import Scattering, ScatteringDetector, ScatteringInstrument

__all__ = ["ApsUsaxs", "is_aps_usaxs"]

_METADATA = "/entry/Metadata"
_PREFIXES = ("pin_ccd", "waxs_ccd")


def is_aps_usaxs(opened: Any) -> bool:
    """Whether an open file has the geometry of one of the two cameras in its metadata."""
    return any(f"{_METADATA}/{prefix}_center_x_pixel" in opened for prefix in _PREFIXES)


class ApsUsaxs(Importer):
    """One file per frame of the SAXS or WAXS camera beside the USAXS instrument."""

    name = "aps-usaxs"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and is_aps_usaxs(opened) and "/entry/data/data" in opened

    def describe(
        self,
        file: File,
        /,
        **given: Unpack[GivenGeometry],
    ) -> Iterator[Described]:
        """Describe the frame with the geometry of its metadata.

        poni : a calibration that comes before it; orientation : of the rows, in place of the one
        it says; beam_center_x, beam_center_y : 0 at the centre of the first pixel.
        """
        with open_file(file.local_path()) as opened:
            header = Header.of_hdf5(opened)
            frames = opened["/entry/data/data"]
            shape = tuple(frames.shape)
            one = ArrayRef.hdf5(file.name, "/entry/data/data", shape, frames.dtype, "counts")
        data = ArrayRef.stack(one) if len(shape) == 2 else one
        instrument, flags = with_geometry(_instrument(header, data), given)
        entry = Scattering(
            title=header.text(f"{_METADATA}/SampleTitle", field="title") or file.name,
            start_time=header.time(f"{_METADATA}/StartTime", field="start_time"),
            program_name=header.text("/entry/program_name", field="program_name"),
            instrument=instrument,
            sample=_sample(header),
            original=header.original(),
            flags=(*header.flags, *flags),
        )
        yield Described(entry.with_plot(), file.parent, [Part(file, "master")])


def _instrument(header: Header, data: ArrayRef) -> ScatteringInstrument:
    camera = next(p for p in _PREFIXES if f"{_METADATA}/{p}_center_x_pixel" in header)
    place = "instrument.detector"

    def number(name: str, field: str, to: str | None = None, unit: str | None = None) -> Any:
        return header.number(
            f"{_METADATA}/{name}", to=to, unit_default=unit, field=f"{place}.{field}"
        )

    tilts = [header.number(f"{_METADATA}/{camera}_tilt_{axis}") for axis in "xy"]
    if any(tilts):
        header.flag(
            "tilt-not-applied",
            f"The camera is tilted by {tilts[0]} and {tilts[1]} degree in Nika's convention; "
            "that is not applied (give a calibration: --set poni=FILE.poni).",
            f"{_METADATA}/{camera}_tilt_x",
        )
    detector = ScatteringDetector(
        description=header.text("/entry/data/local_name", "/entry/data/model"),
        data=data,
        distance=number("SDD", "distance", "m", "mm"),
        x_pixel_size=number(f"{camera}_pixel_size_x", "x_pixel_size", "m", "mm"),
        y_pixel_size=number(f"{camera}_pixel_size_y", "y_pixel_size", "m", "mm"),
        beam_center_x=number(f"{camera}_center_x_pixel", "beam_center_x"),
        beam_center_y=number(f"{camera}_center_y_pixel", "beam_center_y"),
        count_time=number("PresetTime", "count_time", "s", "s"),
        dummy=-2.0 if data.dtype.startswith("int") else None,
        delta_dummy=1.5 if data.dtype.startswith("int") else None,
    )
    _compare_pixels(header, detector, camera)
    wavelength = header.number(f"{_METADATA}/wavelength")
    unit = header.text(f"{_METADATA}/wavelength_EGU") or "A"
    mono = Monochromator(wavelength=wavelength * 1e-10) if wavelength and unit == "A" else None
    return ScatteringInstrument(
        name=header.text("/entry/instrument/name"),
        beamline=header.text("/entry/instrument/source/facility_beamline"),
        source=Source(
            name=header.text("/entry/instrument/source/facility_name"),
            type=header.text("/entry/instrument/source/type"),
        ),
        monochromator=mono,
        detector=detector,
    )


def _compare_pixels(header: Header, detector: ScatteringDetector, camera: str) -> None:
    """Flag a pixel size that is not the one the detector itself wrote."""
    said = header.text(f"{_METADATA}/TIFFImageDescription") or ""
    own = 172e-6 if "Pixel_size 172e-6" in said else None
    size = detector.x_pixel_size
    if own is not None and size is not None and abs(size - own) > 1e-6:
        header.flag(
            "pixel-size-contradicts",
            f"The metadata say pixels of {size * 1e6:g} um, the detector's own header "
            f"{own * 1e6:g} um; the metadata are used, as Nika does.",
            f"{_METADATA}/{camera}_pixel_size_x",
        )


def _sample(header: Header) -> Sample:
    return Sample(
        name=header.text(f"{_METADATA}/SampleTitle"),
        description=header.text(f"{_METADATA}/Sample_Description", field="sample.description"),
        chemical_formula=header.text(
            f"{_METADATA}/Sample_ChemicalFormula", field="sample.chemical_formula"
        ),
        thickness=header.number(
            "/entry/sample/thickness", to="m", unit_default="mm", field="sample.thickness"
        ),
    )
