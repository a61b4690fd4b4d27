"""Eiger detectors: a master file with links ``entry/data/data_000001`` … to files of frames.

Layout: NeXus as DECTRIS's file writer 1.8 and SIMPLON write it.
"""

import re
from collections.abc import Iterator
from typing import Any, Unpack

from lightwell import ArrayRef, Described, File, Importer, Part, opened_hdf5
from lightwell.errors import MissingSource
from lightwell.hdf5 import Hdf5Array, linked_files, open_file
from lightwell.model import Monochromator
from lightwell.nexus import Header
from lightwell_saxs.importers.geometry_options import GivenGeometry, with_geometry
from lightwell_saxs.schema import Scattering, ScatteringDetector, ScatteringInstrument

__all__ = ["Eiger"]

_DATA = "/entry/data"
_DETECTOR = "/entry/instrument/detector"
_NAME = re.compile(r"data_\d{6}")


class Eiger(Importer):
    """A master of an Eiger detector, whose frames lie in files beside it."""

    name = "eiger"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return (
                opened is not None
                and f"{_DETECTOR}/detectorSpecific" in opened
                and bool(_stacks(opened))
            )

    def advice(self, file: File) -> str | None:
        if re.search(r"_data_\d{6}\.h5$", file.name):
            return "this file holds frames of an Eiger detector: give the …_master.h5 beside it"
        return None

    def describe(
        self,
        file: File,
        /,
        **given: Unpack[GivenGeometry],
    ) -> Iterator[Described]:
        """Describe all frames of the master as one stack.

        poni : a calibration; orientation : of the rows, in place of the one it says; beam_center_x,
        beam_center_y : 0 at the centre of the first pixel.
        Errors: MissingSource for a file of frames that is not there.
        """
        path = file.local_path()
        with open_file(path) as opened:
            header = Header.of_hdf5(opened)
            names = _stacks(opened)
            frames = [_stack(opened, file, name) for name in names]
            mask = _mask(opened, file)
        detector = _detector(header, ArrayRef.concatenate(*frames), mask)
        beam = header.number(
            "/entry/instrument/beam/incident_wavelength",
            to="m",
            unit_default="angstrom",
            field="instrument.monochromator.wavelength",
        )
        instrument = ScatteringInstrument(
            detector=detector, monochromator=Monochromator(wavelength=beam) if beam else None
        )
        instrument, flags = with_geometry(
            instrument,
            given,
            lambda: Hdf5Array.find(path, f"{_DATA}/{names[0]}").read((slice(0, 1),))[0],
        )
        entry = Scattering(
            title=file.name,
            start_time=header.time(
                f"{_DETECTOR}/detectorSpecific/data_collection_date", field="start_time"
            ),
            instrument=instrument,
            original=header.original(),
            flags=(*header.flags, *flags),
        )
        others = [File(other) for other in linked_files(path)[1:]]
        parts = [Part(file, "master"), *(Part(other, "external") for other in others)]
        yield Described(entry.with_plot(), file.parent, parts)


def _stacks(opened: Any) -> list[str]:
    return sorted(n for n in opened[_DATA] if _NAME.fullmatch(n)) if _DATA in opened else []


def _stack(opened: Any, file: File, name: str) -> ArrayRef:
    place = f"{_DATA}/{name}"
    try:
        frames = opened[place]
    except (KeyError, OSError):
        raise MissingSource(
            f"the frames {name} of the master are not there",
            where=f"{file}:{place}",
            remedy="copy the …_data_….h5 files beside the master",
        ) from None
    return ArrayRef.hdf5(file.name, place, tuple(frames.shape), frames.dtype, "counts")


def _mask(opened: Any, file: File) -> ArrayRef | None:
    for place in (f"{_DETECTOR}/pixel_mask", f"{_DETECTOR}/detectorSpecific/pixel_mask"):
        if place in opened and len(opened[place].shape) == 2:
            mask = opened[place]
            return ArrayRef.hdf5(file.name, place, tuple(mask.shape), mask.dtype)
    return None


def _detector(header: Header, data: ArrayRef, mask: ArrayRef | None) -> ScatteringDetector:
    def number(name: str, field: str, to: str | None = None, unit: str | None = None) -> Any:
        key, place = f"{_DETECTOR}/{name}", f"instrument.detector.{field}"
        return header.number(key, to=to, unit_default=unit, field=place)

    top = {"uint16": 65535.0, "uint32": 4294967295.0}.get(data.dtype)
    return ScatteringDetector(
        description=header.text(f"{_DETECTOR}/description"),
        serial_number=header.text(f"{_DETECTOR}/detector_number"),
        data=data,
        pixel_mask=mask,
        distance=number("detector_distance", "distance", "m", "m"),
        x_pixel_size=number("x_pixel_size", "x_pixel_size", "m", "m"),
        y_pixel_size=number("y_pixel_size", "y_pixel_size", "m", "m"),
        beam_center_x=number("beam_center_x", "beam_center_x"),
        beam_center_y=number("beam_center_y", "beam_center_y"),
        count_time=number("count_time", "count_time", "s", "s"),
        frame_time=number("frame_time", "frame_time", "s", "s"),
        # A gap or a dead pixel reads as the largest number there is.
        dummy=top,
        delta_dummy=0.5 if top is not None else None,
    )
