"""NSLS-II HXN and CSX: one flat file with amplitudes and points, as their scripts save a scan.

Layout: the scripts of the beamlines (ptycho_gui's databroker modules); no real file could be had.
`diffamp` are square roots of counts with the zero frequency in the corner, `points` (2, frame) the
places of the illumination in um, along rows first as the frames are turned; the unit of points and
ranges is not in the file and is taken from its neighbours' names.
"""

from collections.abc import Iterator
from typing import Any

from lightwell import Described, File, Sample, opened_hdf5
from lightwell.hdf5 import open_file
from lightwell.model import Monochromator
from lightwell.nexus import Header
from lightwell_ptychography.importers.base import Master, PtychographyImporter, array_ref
from lightwell_ptychography.importers.cxi import stack
from lightwell_ptychography.importers.frame import cut_to_shorter, of_light
from lightwell_ptychography.schema import (
    Ptychography,
    PtychographyDetector,
    PtychographyInstrument,
    Scan,
)

__all__ = ["Hxn"]


class Hxn(PtychographyImporter):
    """A file with `diffamp` and `points` at its top."""

    name = "nsls2-hxn"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and "diffamp" in opened and "points" in opened

    def scans(self, file: File) -> Iterator[Described]:
        """Describe the scan of the file."""
        master = Master.of(file)
        with open_file(file.local_path()) as opened:
            entry = _entry(opened, master, Header.of_hdf5(opened), file)
        yield Described(entry, master.root, master.parts)


def _entry(opened: Any, master: Master, header: Header, file: File) -> Ptychography:
    frames = stack(array_ref(opened, master, ("/diffamp",)), file)
    points = array_ref(opened, master, ("/points",), "um")
    assert points is not None  # noqa: S101 - claimed for it
    if "units" not in opened["points"].attrs:
        header.flag("unit-assumed", "The points have no unit; um is taken.", "/points")
    frames, points = cut_to_shorter(header, frames, points, components_first=True)
    wavelength = header.number(
        "/lambda_nm", to="m", unit_default="nm", field="instrument.monochromator.wavelength"
    )
    size = header.number(
        "/ccd_pixel_um", to="m", unit_default="um", field="instrument.detector.x_pixel_size"
    )
    detector = PtychographyDetector(
        data=frames,
        distance=header.number(
            "/z_m", to="m", unit_default="m", field="instrument.detector.distance"
        ),
        x_pixel_size=size,
        y_pixel_size=size,
        zero_frequency="corner",
        amplitudes=True,
    )
    turned = header.number(
        "/angle", to="degree", unit_default="degree", field="sample.rotation_angle"
    )
    return Ptychography(
        title=file.name,
        instrument=PtychographyInstrument(
            monochromator=Monochromator(wavelength=wavelength) if wavelength else None,
            detector=detector,
        ),
        sample=Sample(rotation_angle=turned) if turned is not None else None,
        scan=Scan(positions=points, components_first=True, **of_light()),
        original=header.original(),
        flags=header.flags,
    )
