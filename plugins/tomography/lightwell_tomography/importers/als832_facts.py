"""What a scan of ALS beamline 8.3.2 in the classic layout says beside its frames.

Keys and units: the file `20200521_160002_heartbeat_test.h5` of als-computing/microct, and the
metadata panel of the data portal of 2013. Lengths are in mm, energies in eV, the current in mA.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lightwell import Detector, Instrument, Sample
from lightwell.model import Monochromator, Parameter, Parameters, Source, User
from lightwell.nexus import Header

__all__ = ["Rotation", "facts", "judge_step", "local_time", "parameter_number", "with_rotation"]

Rotation = Literal["clockwise", "anticlockwise"]
"""The sense in which the sample turned, seen from above."""

ZONE = "America/Los_Angeles"
"""The beamline's clocks show the time of Berkeley and do not say so."""

# The portal's second screen spelt two of its keys otherwise.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "usebrightexpose": ("usebrightexpose", "usebrihtexpose"),
    "rsize": ("rsize", "rszsize"),
}
# Settings of the scan and of the camera that NeXus has no field for: (key, unit).
SETTINGS: Mapping[str, str | None] = {
    "nangles": None,
    "arange": "degree",
    "stepdeg": "degree",
    "nslices": "pixel",
    "nrays": "pixel",
    "i0cycle": None,
    "num_bright_field": None,
    "num_dark_fields": None,
    "usebrightexpose": None,
    "brightexptime": "ms",
    "cammode": None,
    "cooler_target": "degC",
    "noisesig": None,
    "rsize": None,
    "xtechdir": None,
    "cdmaterial": None,
    "lens_name": None,
    "optics_type": None,
    "scintillator_name": None,
    "projection_mode": None,
    "multiRev": None,
    "nhalfCir": None,
}
_TIMES = (
    "%m-%d-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    *(f"%Y-%m-%d{between}%H:%M:%S{end}" for between in " T" for end in ("", ".%f")),
)
_SAME_STEP = 0.01
_SAME_ENERGY_EV = 1.0


def facts(header: Header, name: str) -> dict[str, Any]:
    """The fields of an entry, without its frames and angles.

    name : of the group that holds the scan.
    """
    sample = header.text("object", field="sample.name")
    start = local_time(header, "sdate", field="start_time")
    _judge_times(header, start)
    judge_step(header, "stepdeg", "arange", "nangles")
    return {
        "title": sample or name,
        "start_time": start,
        "entry_identifier": header.text("uuid", "dataset", field="entry_identifier"),
        "sample": Sample(name=sample),
        "users": _users(header),
        "instrument": Instrument(
            beamline=header.text("end_station", field="instrument.beamline"),
            source=_source(header),
            monochromator=_monochromator(header),
            detector=_detector(header),
        ),
        "parameters": _settings(header),
    }


def local_time(header: Header, *keys: str, field: str) -> datetime | None:
    """A time of the beamline's clocks, with the zone that they do not say; that is flagged.

    >>> header = Header({"sdate": ("05-21-2020 16:00:02", None)})
    >>> local_time(header, "sdate", field="start_time").isoformat()
    '2020-05-21T16:00:02-07:00'
    """
    key = next((key for key in keys if header.text(key)), None)
    text = header.text(key) if key else None
    if key is None or text is None:
        return None
    naive = next((found for form in _TIMES if (found := _parsed(text, form))), None)
    if naive is None:
        return header.time(key, field=field)
    header.value(key, field=field)
    first, second = (naive.replace(tzinfo=ZoneInfo(ZONE), fold=fold) for fold in (0, 1))
    offset = first.utcoffset() or timedelta(0)
    said = f"{key} {text!r} does not say its time zone; {ZONE} is assumed."
    if offset != second.utcoffset():
        said = f"{said[:-1]}, in which this hour came twice: the first is taken."
    header.flag("time-zone-assumed", said, key)
    return naive.replace(tzinfo=timezone(offset))


def parameter_number(header: Header, *names: str) -> float | None:
    """A number without a unit, None for text that is none."""
    value = header.value(*names)
    try:
        number = float(value) if isinstance(value, (str, int, float)) and value != "" else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _parsed(text: str, form: str) -> datetime | None:
    try:
        # The zone is added by the caller, who says so.
        return datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return None


def _judge_times(header: Header, start: datetime | None) -> None:
    """Flag a stage date that gives the digits of the local time and calls them UTC."""
    text = header.text("stage_date")
    try:
        stage = datetime.fromisoformat(text) if text else None
    except ValueError:
        return
    if start is None or stage is None or stage.tzinfo is None:
        return
    same = stage.replace(tzinfo=None) == start.replace(tzinfo=None)
    if same and stage.utcoffset() != start.utcoffset():
        said = f"stage_date {text!r} gives the digits of sdate in another time zone; both are kept."
        header.flag("time-contradicts", said, "stage_date")


def judge_step(header: Header, step_key: str, span_key: str, count_key: str) -> None:
    """Flag a step that is not the range over the number of angles."""
    step, span, count = (parameter_number(header, k) for k in (step_key, span_key, count_key))
    if step is None or not span or not count or count < 2:
        return
    if all(abs(step - span / n) > _SAME_STEP * abs(span / n) for n in (count - 1, count)):
        said = (
            f"{step_key} is {step:g}, but {span:g} degree ({span_key}) over {count:g} angles "
            f"({count_key}) are steps of {span / (count - 1):.6g}; both are kept, {step_key} is "
            "not used."
        )
        header.flag("step-contradicts", said, step_key)


def _users(header: Header) -> dict[str, User]:
    found = {}
    for key in ("experimenter", "owner"):
        if name := header.text(key, field=f"users.{key}.name"):
            found[key] = User(name=name, role=key)
    return found


def _source(header: Header) -> Source | None:
    found = Source(
        name=header.text("facility", field="instrument.source.name"),
        current=header.number(
            "scurrent", "Beam_Current", to="A", unit_default="mA", field="instrument.source.current"
        ),
    )
    return found if found != Source() else None


def _monochromator(header: Header) -> Monochromator | None:
    field = "instrument.monochromator.energy"
    key = next((k for k in ("senergy", "Mono_Energy") if parameter_number(header, k)), None)
    if key is None:
        if "senergy" in header:
            header.flag(
                "energy-not-set", "senergy is no energy; the energy is not known.", "senergy"
            )
        return None
    energy = header.number(key, to="eV", unit_default="eV", field=field)
    other = parameter_number(header, "Mono_Energy")
    if energy and other and abs(other - energy) > _SAME_ENERGY_EV:
        said = f"senergy is {energy:g} eV, Mono_Energy {other:g} eV; senergy is taken."
        header.flag("energy-contradicts", said, "Mono_Energy")
    return Monochromator(energy=energy)


def _detector(header: Header) -> Detector:
    def length(*names: str, field: str) -> float | None:
        # The control program writes 0 for what nobody set.
        key = next((name for name in names if parameter_number(header, name)), None)
        if key is None:
            return None
        place = f"instrument.detector.{field}"
        return header.number(key, to="m", unit_default="mm", field=place)

    return Detector(
        description=header.text("camera_used", field="instrument.detector.description"),
        count_time=header.number(
            "obstime", to="s", unit_default="s", field="instrument.detector.count_time"
        ),
        distance=length("distance", field="distance"),
        x_pixel_size=length("pxsize", "pxdist", field="x_pixel_size"),
        y_pixel_size=length("pzsize", "pzdist", "pxsize", field="y_pixel_size"),
    )


def with_rotation(fields: Mapping[str, Any], rotation: Rotation | None) -> dict[str, Any]:
    """Fields of an entry with the sense in which the sample turned, as a person gave it.

    The files do not say it. It is kept beside the settings of the scan; no angle is changed.
    """
    if rotation is None:
        return dict(fields)
    groups = dict(fields.get("parameters") or {})
    known = groups["acquisition"].values if "acquisition" in groups else {}
    values = {**known, "rotation": Parameter(value=rotation)}
    return {**fields, "parameters": {**groups, "acquisition": Parameters(values=values)}}


def _settings(header: Header) -> dict[str, Parameters]:
    """The settings with their units, numbers as numbers; an empty one is missing."""
    found = {}
    for key, unit in SETTINGS.items():
        names = SPELLINGS.get(key, (key,))
        value = header.value(*names)
        if value is None or value == "" or isinstance(value, tuple):
            continue
        header.value(*names, field=f"parameters.acquisition.values.{key}")
        number = parameter_number(header, *names)
        if number is not None:
            value = int(number) if number.is_integer() and unit is None else number
        found[key] = Parameter(value=value, unit=unit)
    return {"acquisition": Parameters(values=found)} if found else {}
