"""Xradia microscopes: TXRM tomographies and XRM images, frames read from the OLE2 container.

Meaning of the streams: `dxchange/reader.py` in data-exchange/dxchange, and txrm2tiff of Diamond
Light Source. Pixel sizes are in um, energies in eV, voltages in kV, angles in degree.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lightwell import ArrayRef, Described, Detector, Entry, File, Importer, Instrument, Part, Sample
from lightwell.containers.txrm import (
    FRAMES,
    TxrmArray,
    TxrmHeader,
    is_txrm,
    read_txrm_header,
)
from lightwell.errors import InputError, MissingMetadata
from lightwell.model import FilePart, Flag, Monochromator, Parameter, Parameters, Source, User
from lightwell.nexus import Header
from lightwell_tomography.importers.acquisition import image_key, in_order, joined, keys
from lightwell_tomography.importers.angles import over_frames
from lightwell_tomography.importers.file_names import record_hints
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["Xradia"]

_REFERENCE = "ReferenceData/Image"
_ANGLES = "ImageInfo/Angles"
_TIMES = ("%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S.%f")
_SHORT = 16
_SETTINGS = {
    "voltage": ("ImageInfo/Voltage", "kV"),
    "optical_magnification": ("ImageInfo/OpticalMagnification", None),
    "xray_magnification": ("ImageInfo/XrayMagnification", None),
    "binning_x": ("ImageInfo/HorizontalBin", None),
    "binning_y": ("ImageInfo/VerticalalBin", None),
    "objective": ("ImageInfo/ObjectiveName", None),
}


class Xradia(Importer):
    """A TXRM file with the projections of a scan, or an XRM file with one image."""

    name = "xradia"

    def claims(self, file: File) -> bool:
        return is_txrm(file)

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe the scan, or the image: a single one has no angles to turn through.

        Errors: InputError for a reconstruction (.txm), and where images are missing.
        """
        found = read_txrm_header(file)
        if any(name.startswith("ReconSettings") for name in found.streams):
            raise InputError(
                "this is a reconstruction by the microscope's own program, not a scan",
                where=str(file),
                remedy="ingest the .txrm it was made from",
            )
        header = Header(_values(found))
        frames = TxrmArray.find(file, FRAMES)
        if frames.shape[0] < found.images:
            said = f"{frames.shape[0]} of {found.images} images were taken."
            header.flag("images-missing", said, "ImageInfo/NoOfImages")
        reference = _reference(file, found, frames, header)
        facts = _facts(header, found, file.name)
        record_hints(header, file.name, facts["start_time"])
        entry = (_scan if found.images > 1 else _image)(file, facts, frames, reference)
        entry = entry.model_copy(update={"original": header.original()})
        yield Described(entry.with_flags(*header.flags), file.parent, [Part(file, "master")])


def _scan(
    file: File, facts: dict[str, Any], frames: TxrmArray, reference: ArrayRef | None
) -> Entry:
    """All frames of a tomography; the one reference comes first, and no file holds darks."""
    stacks = {PROJECTION: _ref(frames, file, "counts")}
    before: dict[int, list[int]] = {}
    missing = ["dark fields"]
    if reference is None:
        missing.append("flat fields (ReferenceData)")
    else:
        stacks[FLAT], before = reference, {FLAT: [0]}
    angles = TxrmArray.find(file, _ANGLES)
    count = frames.shape[0]
    if angles.shape[0] < count:
        raise MissingMetadata(
            f"there are {angles.shape[0]} angles for {count} images", where=str(file)
        )
    turned = ArrayRef(
        shape=(count,),
        dtype="float32",
        unit="degree",
        parts=(FilePart(container="txrm", file=file.name, path=_ANGLES, count=count),),
    )
    runs = in_order(count, before)
    detector = facts["instrument"].detector.model_copy(
        update={"data": joined(stacks, runs), "image_key": image_key(runs)}
    )
    instrument = facts["instrument"].model_copy(update={"detector": detector})
    sample = facts["sample"].model_copy(update={"rotation_angle": over_frames(turned, keys(runs))})
    flag = Flag(
        code="kind-of-frame-missing",
        message=f"The file holds no {' and no '.join(missing)} for its {count} projections "
        f"(image_key {', '.join(str(k) for k in (DARK, FLAT)[: len(missing)])}).",
    )
    entry = Tomography(**{**facts, "sample": sample, "instrument": instrument})
    return entry.with_plot().with_flags(flag)


def _image(
    file: File, facts: dict[str, Any], frames: TxrmArray, reference: ArrayRef | None
) -> Entry:
    """One image with its reference as the flat field of the detector; no tomography."""
    detector = facts["instrument"].detector.model_copy(
        update={"data": _ref(frames, file, "counts"), "flatfield": reference}
    )
    instrument = facts["instrument"].model_copy(update={"detector": detector})
    angle = TxrmArray.find(file, _ANGLES).read()
    # float32 as the shortest number that means the same.
    turned = float(str(angle[0])) if len(angle) else None
    sample = facts["sample"].model_copy(update={"rotation_angle": turned})
    return Entry(**{**facts, "sample": sample, "instrument": instrument})


def _ref(array: TxrmArray, file: File, unit: str) -> ArrayRef:
    part = FilePart(container="txrm", file=file.name, path=array.path, count=array.shape[0])
    return ArrayRef(shape=array.shape, dtype=array.dtype.name, unit=unit, parts=(part,))


def _reference(file: File, found: TxrmHeader, frames: TxrmArray, header: Header) -> ArrayRef | None:
    """The reference image, if there is one of the frames' size."""
    if _REFERENCE not in found.streams:
        return None
    try:
        array = TxrmArray.find(file, _REFERENCE)
    except InputError as error:
        header.flag("reference-unreadable", str(error), _REFERENCE)
        return None
    return _ref(array, file, "counts") if array.shape[1:] == frames.shape[1:] else None


def _values(found: TxrmHeader) -> dict[str, Any]:
    """The header's values by path: one where all images have the same, short lists as they are."""
    values: dict[str, Any] = {}
    for path, value in found.values.items():
        if (kept := _kept(value)) is not None:
            values[path] = (kept, None)
    for axis, (unit, positions) in found.axes.items():
        if (kept := _kept(positions)) is not None:
            values[f"PositionInfo/{axis}"] = (kept, unit or None)
    if found.dates:
        values["ImageInfo/Date"] = (found.dates[0], None)
        if len(found.dates) > 1:
            values["ImageInfo/Date (last)"] = (found.dates[-1], None)
    return values


def _kept(value: Any) -> Any:
    """A value that a document can hold; zeros fill up lists that are longer than the scan."""
    if not isinstance(value, tuple):
        return value
    told = tuple(dict.fromkeys(v for v in value if v != 0)) or (0.0,)
    if len(told) == 1:
        return told[0]
    return value if len(value) <= _SHORT else None


def _facts(header: Header, found: TxrmHeader, name: str) -> dict[str, Any]:
    """The fields that scan and image share; 0 stands for what nobody set, and is left out."""
    sample = header.text("SampleInfo/SampleID", field="sample.name")
    facility = header.text("SampleInfo/Facility", field="instrument.source.name")
    analyst = header.text("SampleInfo/Analyst", field="users.analyst.name")
    energy = _number(header, "ImageInfo/Energy", "eV", "eV", "instrument.monochromator.energy")
    pixel = _number(header, "ImageInfo/PixelSize", "m", "um", "instrument.detector.x_pixel_size")
    exposure = _number(header, "ImageInfo/ExpTimes", "s", "s", "instrument.detector.count_time")
    return {
        "title": sample or name,
        "start_time": _time(header, "ImageInfo/Date", "start_time"),
        "end_time": _time(header, "ImageInfo/Date (last)", "end_time"),
        "sample": Sample(name=sample),
        "users": {"analyst": User(name=analyst, role="analyst")} if analyst else {},
        "instrument": Instrument(
            source=Source(name=facility) if facility else None,
            monochromator=Monochromator(energy=energy) if energy else None,
            detector=Detector(
                description=header.text(
                    "ImageInfo/CameraName", field="instrument.detector.description"
                ),
                count_time=exposure,
                x_pixel_size=pixel,
                y_pixel_size=pixel,
            ),
        ),
        "parameters": _settings(header),
    }


def _number(header: Header, key: str, to: str, unit: str, field: str) -> float | None:
    value = header.value(key)
    if isinstance(value, tuple):
        header.flag("several-values", f"{key} differs between images; none is chosen.", key)
        return None
    # A value below 0 marks what was not measured.
    if not isinstance(value, (int, float)) or value <= 0:
        return None
    return header.number(key, to=to, unit_default=unit, field=field)


def _settings(header: Header) -> dict[str, Parameters]:
    found = {}
    for name, (path, unit) in _SETTINGS.items():
        value = header.value(path)
        if value and not isinstance(value, tuple):
            header.value(path, field=f"parameters.microscope.values.{name}")
            found[name] = Parameter(value=value, unit=unit)
    return {"microscope": Parameters(values=found)} if found else {}


def _time(header: Header, key: str, field: str) -> datetime | None:
    """A date of the microscope's clock: month first, no time zone, which is flagged."""
    text = header.text(key)
    if text is None:
        return None
    for form in _TIMES:
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - the file does not say its zone
        except ValueError:
            continue
        header.flag("time-without-zone", f"{text!r} does not say its time zone.", key)
        header.value(key, field=field)
        return found
    header.flag("time-unreadable", f"{text!r} is not a time lightwell can read.", key)
    return None
