"""What the entries of an ESRF tomography say beside their frames.

Paths and units: nxtomomill 2.1.7, `settings.py`; a unit that the file says comes first.
"""

from typing import Any

from lightwell import ArrayRef, Detector, Instrument, Sample
from lightwell.containers.bliss import BlissScan, array_length, motor_path, text_at
from lightwell.hdf5 import decode, read_attributes
from lightwell.model import FilePart, Monochromator, Source
from lightwell.nexus import Header
from lightwell.units import convert
from lightwell_tomography.importers.angles import angle_unit

__all__ = ["facts", "rotation"]

# In the order nxtomomill tries them, after the one that the scan names.
_MOTORS = (
    *("rotm", "mhsrot", "hsrot", "mrsrot", "hrsrot", "srot", "srot_eh2", "diffrz", "hrrz_trig"),
    "rot",
)
_PIXEL = (
    "technique/optic/sample_pixel_size",
    "technique/optic/optics_pixel_size",
    "technique/detector/pixel_size",
    "technique/scan/detector_pixel_size",
)


def facts(
    header: Header, opened: Any, first: BlissScan, main: BlissScan, detector: str
) -> dict[str, Any]:
    """The fields of an entry, without its frames and angles.

    first, main : the entry that begins the tomography, the first with projections.
    """
    # The positions of all motors stand four times in a scan: those of the first entry will do.
    inner = Header.of_hdf5(opened, f"/{main.name}")
    for path, (value, unit) in inner.values.items():
        if "/positioners" not in path:
            header.record(path, value, unit)
    header.aliases.update(inner.aliases)
    begin, go = f"/{first.name}", f"/{main.name}"
    sample = header.text(f"{go}/sample/name", f"{begin}/sample/name", field="sample.name")
    return {
        "title": header.text(f"{begin}/title", field="title"),
        "start_time": header.time(f"{begin}/start_time", f"{go}/start_time", field="start_time"),
        "end_time": header.time(f"{begin}/end_time", f"{go}/end_time", field="end_time"),
        "entry_identifier": first.name,
        "sample": Sample(name=sample),
        "instrument": Instrument(
            name=header.text(
                f"{begin}/instrument/title", f"{go}/instrument/title", field="instrument.name"
            ),
            source=_source(header, go),
            monochromator=_monochromator(header, begin),
            detector=_detector(header, begin, f"{go}/instrument/{detector}", detector),
        ),
    }


def rotation(
    header: Header, scan: Any, first: Any, place: tuple[str, str], count: int
) -> ArrayRef | None:
    """The angles of the frames of a scan, None where no motor has recorded any.

    place : file and entry. One position more than frames are their borders: each frame has the
    one it began at.
    """
    named = text_at(first, "technique/tomoconfig/rotation")
    for motor in (*((named,) if named else ()), *_MOTORS):
        inner = motor_path(scan, motor)
        if inner is None:
            continue
        path, length = f"/{place[1]}/{inner}", array_length(scan, inner)
        said = read_attributes(scan[inner]).get("units")
        unit, flags = angle_unit(str(said) if said else None, path, path)
        for flag in flags:
            header.flag(flag.code, flag.message, flag.path)
        if length == 1 and count > 1:
            value = decode(scan[inner][()])
            turned = float(value) if isinstance(value, (int, float)) else 0.0
            return ArrayRef.constant(convert(turned, unit, "degree"), count, "degree")
        if length is None or length not in (count, count + 1):
            header.flag("angles-do-not-fit", f"{path} has {length} values, not {count}.", path)
            continue
        if length == count + 1:
            header.flag("angles-are-borders", f"{path} has {length} borders of frames.", path)
        part = FilePart(file=place[0], path=path, count=count)
        return ArrayRef(shape=(count,), dtype="float64", unit=unit, parts=(part,))
    return None


def _source(header: Header, place: str) -> Source | None:
    machine = f"{place}/instrument/machine"
    found = Source(
        name=header.text(f"{machine}/name", field="instrument.source.name"),
        current=header.number(
            f"{machine}/current", to="A", unit_default="mA", field="instrument.source.current"
        ),
    )
    return found if found != Source() else None


def _monochromator(header: Header, place: str) -> Monochromator | None:
    energy = header.number(
        f"{place}/technique/scan/energy",
        to="eV",
        unit_default="keV",
        field="instrument.monochromator.energy",
    )
    return Monochromator(energy=energy) if energy else None


def _detector(header: Header, begin: str, own: str, name: str) -> Detector:
    pixels = _pixels(header, begin)
    parameters = f"{own}/acq_parameters"
    return Detector(
        local_name=name,
        count_time=header.number(
            f"{parameters}/acq_expo_time",
            to="s",
            unit_default="s",
            field="instrument.detector.count_time",
        ),
        distance=header.number(
            f"{begin}/technique/scan/sample_detector_distance",
            to="m",
            unit_default="mm",
            field="instrument.detector.distance",
        ),
        x_pixel_size=pixels[0],
        y_pixel_size=pixels[1],
    )


def _pixels(header: Header, begin: str) -> tuple[float | None, float | None]:
    """Width and height of a pixel, as it is at the sample before as it is in the detector."""
    keys = [f"{begin}/{path}" for path in _PIXEL]
    found = header.numbers(
        *keys, to="m", unit_default="um", field="instrument.detector.x_pixel_size"
    )
    sizes = list(found or ())
    return (sizes[0], sizes[-1]) if sizes else (None, None)
