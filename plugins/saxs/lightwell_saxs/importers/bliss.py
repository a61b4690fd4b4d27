"""ESRF BLISS: every scan of a scattering beamline with images is a dataset of frames.

Layout: the ID11 file of Dioptas' tests. A master says at which beamline it was taken and not what
for; energy and geometry are not in it and come from a calibration.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, Unpack

from lightwell import (
    ArrayRef,
    Described,
    Detector,
    File,
    Importer,
    Instrument,
    Sample,
    opened_hdf5,
)
from lightwell.containers.bliss import BlissScan, bliss_scans, detectors, text_at
from lightwell.errors import InputError, LightwellError
from lightwell.hdf5 import Hdf5Array
from lightwell.model import Flag
from lightwell.plain_nexus import describe_entry
from lightwell.words import nearest
from lightwell_saxs.importers.geometry_options import GivenWithImage, with_geometry
from lightwell_saxs.schema import Scattering, ScatteringDetector, ScatteringInstrument

__all__ = ["BlissScattering"]

_BEAMLINE = re.compile(r"\b(id|bm)[ -]?(\d{2}[ab]?)\b", re.IGNORECASE)
_SCATTERING = frozenset(
    {"id02", "id09", "id11", "id13", "id15a", "id22", "id27", "id31", "bm01", "bm26", "bm29"}
)
"""Beamlines whose cameras see scattering; their tomographies are claimed by whoever reads those."""

_TOMOGRAPHY = "tomo:"


class BlissScattering(Importer):
    """A BLISS master of a SAXS, WAXS or diffraction beamline; scans without images as they are."""

    name = "bliss-scattering"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            if opened is None:
                return False
            scans = bliss_scans(opened)
            return (
                any(_beamline(opened, scan) in _SCATTERING for scan in scans)
                and any(list(detectors(opened[scan.name])) for scan in scans)
                and not any(_is_tomography(opened, scan) for scan in scans)
            )

    def describe(
        self, file: File, /, *, detector: str | None = None, **given: Unpack[GivenWithImage]
    ) -> Iterator[Described]:
        """Describe every scan; its frames are those of one detector.

        detector : the first one with images if not given; poni : a calibration; orientation : of
        the rows, in place of the one it says.
        Errors: InputError for a detector that no scan has.
        """
        with opened_hdf5(file) as opened:
            scans = bliss_scans(opened)
            names = {scan.name: list(detectors(opened[scan.name])) for scan in scans}
            known = sorted({name for some in names.values() for name in some})
            if detector is not None and detector not in known:
                raise InputError(
                    f"no scan has images of a detector '{detector}'",
                    where=str(file),
                    remedy=nearest(detector, known),
                )
            chosen = {
                scan: detector if detector in some else next(iter(some), None)
                for scan, some in names.items()
            }
            times = {scan: _exposure(opened, scan, name) for scan, name in chosen.items()}
            lines = {scan.name: _beamline(opened, scan) for scan in scans}
        for scan in scans:
            plain, name = describe_entry(file, scan.name), chosen[scan.name]
            if name is None:
                yield plain
                continue
            facts = (lines[scan.name], times[scan.name])
            yield _with_frames(plain, file, (scan.name, name), facts, given)


def _with_frames(
    plain: Described,
    file: File,
    place: tuple[str, str],
    facts: tuple[str | None, float | None],
    given: GivenWithImage,
) -> Described:
    """A scan as frames of a camera; as it is where they are not there.

    place : names of scan and camera; facts : beamline, and seconds per frame.
    """
    (scan, name), (beamline, exposure) = place, facts
    path, inner = file.local_path(), f"/{scan}/instrument/{name}/data"
    entry = plain.entry
    try:
        frames = Hdf5Array.find(path, inner)
    except LightwellError as error:
        said = f"The frames of {name} are not there: {error.what}."
        flag = Flag(code="frames-missing", message=said, path=inner)
        left = entry.model_copy(update={"flags": (*entry.flags, flag)})
        return Described(left, plain.root, plain.parts, plain.name)
    master = os.path.relpath(path, plain.root.local_path())
    data = ArrayRef.hdf5(master, inner, frames.shape, frames.dtype, "counts")
    instrument = _instrument(entry.instrument or Instrument(), name)
    detector = (instrument.detector or ScatteringDetector()).model_copy(
        update={"data": data, "description": name, "count_time": exposure}
    )
    where = {"detector": detector, "beamline": beamline.upper() if beamline else None}
    instrument = instrument.model_copy(update=where)
    first = (slice(0, 1),)
    instrument, flags = with_geometry(instrument, given, lambda: frames.read(first)[0])
    own: dict[str, Any] = {
        key: getattr(entry, key) for key in ("title", "start_time", "end_time", "users", "original")
    }
    named = given.get("sample")
    sample = Sample(name=named) if named else entry.sample
    found = Scattering(
        **own,
        entry_identifier=scan,
        sample=sample,
        instrument=instrument,
        flags=(*entry.flags, *flags),
    )
    return Described(found.with_plot(), plain.root, plain.parts, plain.name)


def _instrument(plain: Instrument, name: str) -> ScatteringInstrument:
    """A plain instrument with one of its cameras as the main one, the others beside it."""
    cameras = dict(plain.detectors)
    if plain.detector is not None:
        cameras[plain.detector.group_name or "detector"] = plain.detector
    own = cameras.pop(name, Detector(group_name=name))
    kept = {f: getattr(own, f) for f in type(own).model_fields if f in Detector.model_fields}
    facts = {f: getattr(plain, f) for f in Instrument.model_fields}
    facts |= {"detector": ScatteringDetector(**kept), "detectors": cameras}
    return ScatteringInstrument(**facts)


def _beamline(opened: Any, scan: BlissScan) -> str | None:
    """The beamline in small letters, as in ``ESRF: id11``."""
    for path in ("instrument/title", "instrument/name", "instrument/beamline"):
        found = _BEAMLINE.search(text_at(opened, f"{scan.name}/{path}") or "")
        if found:
            return f"{found[1]}{found[2]}".lower()
    return None


def _is_tomography(opened: Any, scan: BlissScan) -> bool:
    category = text_at(opened, f"{scan.name}/technique/scan_category") or ""
    return any(said.lower().startswith(_TOMOGRAPHY) for said in (category, scan.title))


def _exposure(opened: Any, scan: str, name: str | None) -> float | None:
    """Seconds per frame, which BLISS writes without their unit."""
    text = text_at(opened, f"{scan}/instrument/{name}/acq_parameters/acq_expo_time")
    try:
        return float(text) if text else None
    except ValueError:
        return None
