"""The files that beamline 12.3.2 writes."""

from collections.abc import Iterator

from lightwell import ArrayRef, Described, File, Importer, Part, Sample, opened_hdf5
from lightwell.hdf5 import open_file
from lightwell.model import Monochromator
from lightwell.nexus import Header

from als_microdiffraction.schema import DiffractionMap, MapDetector, MapInstrument


class Beamline1232(Importer):
    """One HDF5 file per map: frames, a dark frame, and numbers with their units."""

    name = "als-12.3.2"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and bool(opened.attrs.get("end_station") == "bl1232")

    def describe(self, file: File, /) -> Iterator[Described]:
        with open_file(file.local_path()) as opened:
            header = Header.of_hdf5(opened)
            frames, dark = opened["frames"], opened["dark"]
            detector = MapDetector(
                data=ArrayRef.hdf5(file.name, "/frames", frames.shape, frames.dtype, "counts"),
                dark=ArrayRef.hdf5(file.name, "/dark", dark.shape, dark.dtype, "counts"),
                distance=header.number("/distance", to="m"),
                beam_center_x=header.number("/centre_x"),
                beam_center_y=header.number("/centre_y"),
            )
        mono = Monochromator(energy=header.number("/energy", to="eV"))
        entry = DiffractionMap(
            title=file.name,
            sample=Sample(name=header.text("/sample")),
            instrument=MapInstrument(beamline="12.3.2", monochromator=mono, detector=detector),
            original=header.original(),
            flags=header.flags,
        )
        yield Described(entry, root=file.parent, parts=[Part(file, "master")])
