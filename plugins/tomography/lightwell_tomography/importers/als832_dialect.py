"""How beamline 8.3.2 uses Data Exchange since it left its classic layout: paths and meanings.

No file of this layout could be had. It is built to what readers of such files expect:
`mappings/832Mapping.json` of als-computing/splash-ingest (commit 7bf1a8b144f1),
`backend/ALS_recon_functions.py` of als-computing/microct (commit e41169840032). Every value is an
array of length 1; lengths are in mm, energies in eV, the current in mA.
"""

import re
from collections.abc import Mapping
from typing import Any

from lightwell import Detector, Instrument, Sample
from lightwell.hdf5 import decode
from lightwell.model import Monochromator, Parameter, Parameters, Source, User
from lightwell.nexus import Header
from lightwell_tomography.importers.als832_facts import judge_step, local_time

__all__ = ["ACQUISITION", "facts", "is_als832"]

ACQUISITION = "/process/acquisition"
_INSTRUMENT = "/measurement/instrument"
_SAMPLE = "/measurement/sample"
_BEAMLINE = re.compile(r"\b(bl)?8\.?3\.?2\b|\bbl832\b", re.IGNORECASE)
_ROTATION = f"{ACQUISITION}/rotation"
# Settings that NeXus has no field for: name -> (path, unit).
_SETTINGS: Mapping[str, tuple[str, str | None]] = {
    "nangles": (f"{_ROTATION}/num_angles", None),
    "arange": (f"{_ROTATION}/range", "degree"),
    "rotation_start": (f"{_ROTATION}/rotation_start", "degree"),
    "stepdeg": (f"{_ROTATION}/rotation_step", "degree"),
    "multiRev": (f"{_ROTATION}/multiRev", None),
    "nhalfCir": (f"{_ROTATION}/nhalfCir", None),
    "blur_limit": (f"{_ROTATION}/blur_limit", "pixel"),
    "i0cycle": (f"{ACQUISITION}/flat_fields/i0cycle", None),
    "num_bright_field": (f"{ACQUISITION}/flat_fields/num_flat_fields", None),
    "usebrightexpose": (f"{ACQUISITION}/flat_fields/usebrightexpose", None),
    "num_dark_fields": (f"{ACQUISITION}/dark_fields/num_dark_fields", None),
    "nslices": (f"{_INSTRUMENT}/detector/dimension_y", "pixel"),
    "nrays": (f"{_INSTRUMENT}/detector/dimension_x", "pixel"),
    "lens_name": (f"{_INSTRUMENT}/detection_system/objective/camera_objective", None),
    "scintillator_name": (
        f"{_INSTRUMENT}/detection_system/scintillator/scintillator_type",
        None,
    ),
}


def is_als832(opened: Any) -> bool:
    """True for a Data Exchange file that names the beamline, or has its stack of camera motors."""
    try:
        instrument = opened.get(_INSTRUMENT)
        if instrument is None or "camera_motor_stack" in instrument:
            return instrument is not None
        named = (instrument.get(name) for name in ("source/beamline", "instrument_name"))
        texts = [decode(item[()]) for item in named if hasattr(item, "shape")]
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError):
        return False
    return any(isinstance(text, str) and _BEAMLINE.search(text) for text in texts)


def facts(header: Header, name: str) -> dict[str, Any]:
    """The fields of an entry, without its frames and angles.

    name : of the file, the title where it says no other.
    """
    experiment = f"{_SAMPLE}/experiment"
    judge_step(
        header, f"{_ROTATION}/rotation_step", f"{_ROTATION}/range", f"{_ROTATION}/num_angles"
    )
    assumed: list[str] = []
    found = {
        "title": header.text(f"{ACQUISITION}/name", f"{_SAMPLE}/file_name", field="title") or name,
        "start_time": local_time(
            header,
            f"{ACQUISITION}/start_date",
            f"{_INSTRUMENT}/time_stamp",
            field="start_time",
        ),
        "entry_identifier": header.text(f"{_SAMPLE}/uuid", field="entry_identifier"),
        "experiment_identifier": header.text(
            f"{experiment}/proposal", field="experiment_identifier"
        ),
        "experiment_description": header.text(
            f"{experiment}/title", field="experiment_description"
        ),
        "users": _users(header),
        "sample": Sample(name=header.text(f"{_SAMPLE}/name", field="sample.name")),
        "instrument": _instrument(header, assumed),
        "parameters": _settings(header),
    }
    if assumed:
        said = f"The file says no units: {', '.join(assumed)} are those of the layout."
        header.flag("unit-assumed", said, _INSTRUMENT)
    return found


def _users(header: Header) -> dict[str, User]:
    people = {
        "experimenter": (f"{_SAMPLE}/experimenter/name", f"{_SAMPLE}/experimenter/email"),
        "principal_investigator": (f"{_SAMPLE}/experiment/pi", ""),
    }
    found = {}
    for role, (name, email) in people.items():
        user = User(
            name=header.text(name, field=f"users.{role}.name"),
            email=header.text(email, field=f"users.{role}.email"),
        )
        if user != User():
            found[role] = user.model_copy(update={"role": role.replace("_", " ")})
    return found


def _instrument(header: Header, assumed: list[str]) -> Instrument:
    source = Source(
        name=header.text(f"{_INSTRUMENT}/source/source_name", field="instrument.source.name"),
        current=_number(header, "source/current", "A", "mA", "instrument.source.current", assumed),
    )
    energy = _number(
        header, "monochromator/energy", "eV", "eV", "instrument.monochromator.energy", assumed
    )
    return Instrument(
        name=header.text(f"{_INSTRUMENT}/instrument_name", field="instrument.name"),
        beamline=header.text(f"{_INSTRUMENT}/source/beamline", field="instrument.beamline"),
        source=source if source != Source() else None,
        monochromator=Monochromator(energy=energy) if energy else None,
        detector=_detector(header, assumed),
    )


def _detector(header: Header, assumed: list[str]) -> Detector:
    def number(key: str, to: str, default: str, name: str) -> float | None:
        return _number(header, key, to, default, f"instrument.detector.{name}", assumed)

    pixel = number("detector/pixel_size", "m", "mm", "x_pixel_size")
    return Detector(
        description=header.text(
            f"{_INSTRUMENT}/detector/model", field="instrument.detector.description"
        ),
        count_time=number("detector/exposure_time", "s", "s", "count_time"),
        distance=number("camera_motor_stack/setup/camera_distance", "m", "mm", "distance"),
        x_pixel_size=pixel,
        y_pixel_size=pixel,
    )


def _number(
    header: Header, key: str, to: str, default: str, field: str, assumed: list[str]
) -> float | None:
    """A number above 0, or the one value of a list; several values are flagged and not chosen from.

    assumed : gets what has no unit in the file.
    """
    path = f"{_INSTRUMENT}/{key}"
    # Not yet a field: 0 stands for what nobody set.
    found = header.numbers(path, to=to, unit_default=default)
    if not found or not any(found):
        return None
    if len(set(found)) > 1:
        said = f"{path} holds {len(set(found))} different values; none is chosen."
        header.flag("several-values", said, path)
        return None
    header.value(path, field=field)
    if all(original.unit is None for original in header.original([path]).values()):
        assumed.append(f"{key.rpartition('/')[2]} in {default}")
    return found[0]


def _settings(header: Header) -> dict[str, Parameters]:
    found = {}
    for name, (path, unit) in _SETTINGS.items():
        value = header.value(path)
        if value is None or value == "" or isinstance(value, tuple):
            continue
        header.value(path, field=f"parameters.acquisition.values.{name}")
        found[name] = Parameter(value=value, unit=unit)
    return {"acquisition": Parameters(values=found)} if found else {}
