"""Where Data Exchange keeps what an entry says: the fields that are declared to survive."""

from datetime import datetime
from typing import Any, Final

from lightwell import ArrayRef, Entry
from lightwell.conversion import Copy
from lightwell.units import ascii_unit

__all__ = ["PLACES", "USER_PLACES", "write_facts"]

_SAMPLE = "/measurement/sample"
_INSTRUMENT = "/measurement/instrument"
_DETECTOR = f"{_INSTRUMENT}/detector"
_MONO = f"{_INSTRUMENT}/monochromator"
_SOURCE = f"{_INSTRUMENT}/source"

PLACES: Final = {
    "start_time": ("/process/acquisition/start_date", None),
    "end_time": ("/process/acquisition/end_date", None),
    "experiment_identifier": (f"{_SAMPLE}/experiment/proposal", None),
    "experiment_description": (f"{_SAMPLE}/experiment/title", None),
    "sample.name": (f"{_SAMPLE}/name", None),
    "sample.description": (f"{_SAMPLE}/description", None),
    "sample.temperature": (f"{_SAMPLE}/temperature", "K"),
    "sample.mass": (f"{_SAMPLE}/mass", "g"),
    "sample.preparation_date": (f"{_SAMPLE}/preparation_date", None),
    "instrument.name": (f"{_INSTRUMENT}/name", None),
    "instrument.beamline": (f"{_SOURCE}/beamline", None),
    "instrument.source.name": (f"{_SOURCE}/name", None),
    "instrument.source.mode": (f"{_SOURCE}/mode", None),
    "instrument.source.energy": (f"{_SOURCE}/energy", "eV"),
    "instrument.source.current": (f"{_SOURCE}/current", "A"),
    "instrument.monochromator.energy": (f"{_MONO}/energy", "eV"),
    "instrument.monochromator.energy_error": (f"{_MONO}/energy_error", "eV"),
    "instrument.detector.description": (f"{_DETECTOR}/model", None),
    "instrument.detector.serial_number": (f"{_DETECTOR}/serial_number", None),
    "instrument.detector.count_time": (f"{_DETECTOR}/exposure_time", "s"),
    "instrument.detector.x_pixel_size": (f"{_DETECTOR}/actual_pixel_size_x", "m"),
    "instrument.detector.y_pixel_size": (f"{_DETECTOR}/actual_pixel_size_y", "m"),
    "instrument.detector.distance": (
        f"{_INSTRUMENT}/sample_motor_stack/detector_distance",
        "m",
    ),
}
"""Field of the entry → path in the file and unit there: the model's own, so that no bit changes."""

USER_PLACES: Final = {
    "name": "name",
    "email": "email",
    "role": "role",
    "affiliation": "affiliation",
    "address": "address",
    "telephone_number": "phone",
    "facility_user_id": "facility_user_id",
}
"""Field of the first user → name below /measurement/sample/experimenter."""


def write_facts(file: Any, entry: Entry, copy: Copy) -> None:
    """Write every field of the entry that the format has a place for; what is missing stays so."""
    for field, (path, unit) in PLACES.items():
        value = entry.lookup(field)
        if isinstance(value, ArrayRef):
            group, _, name = path.rpartition("/")
            copy.array(file.require_group(group), name, copy.open_array(value), unit=value.unit)
        elif value is not None:
            _write(file, path, value, unit)
    user = next(iter(entry.users.values()), None)
    for field, name in USER_PLACES.items():
        value = getattr(user, field, None)
        if value is not None:
            _write(file, f"{_SAMPLE}/experimenter/{name}", value, None)


def _write(file: Any, path: str, value: Any, unit: str | None) -> None:
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, str):
        # NUL ends a string in HDF5.
        value = value.replace("\x00", "")
    file[path] = value
    if unit is not None:
        file[path].attrs["units"] = ascii_unit(unit)
