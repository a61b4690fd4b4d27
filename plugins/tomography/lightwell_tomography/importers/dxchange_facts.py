"""What a Data Exchange file says beside its arrays."""

from collections.abc import Callable
from typing import Any

from lightwell import ArrayRef, Detector, Instrument, Sample
from lightwell.model import Monochromator, Source, User
from lightwell.nexus import Header

__all__ = ["facts"]

_SAMPLE = "/measurement/sample"
_INSTRUMENT = "/measurement/instrument"
_DETECTORS = (f"{_INSTRUMENT}/detector", f"{_INSTRUMENT}/_detector")
_SOURCE = f"{_INSTRUMENT}/source"
_ENERGY = f"{_INSTRUMENT}/monochromator/energy"
_LARGEST_KEV = 1000.0


def facts(
    header: Header, opened: Any, array: Callable[[str, str], ArrayRef | None]
) -> dict[str, Any]:
    """The fields of an entry, without its frames and angles.

    array : finds an array of the file by its path.
    """
    experiment = (f"{_SAMPLE}/experiment", "/measurement/experiment")
    sample = _sample(header)
    return {
        "title": sample.name,
        "start_time": header.time(
            "/file_creation_datetime",
            "/start_date",
            "/process/acquisition/start_date",
            field="start_time",
        ),
        "end_time": header.time("/end_date", "/process/acquisition/end_date", field="end_time"),
        "experiment_identifier": header.text(
            *(f"{group}/proposal" for group in experiment), field="experiment_identifier"
        ),
        "experiment_description": header.text(
            *(f"{group}/title" for group in experiment), field="experiment_description"
        ),
        "users": _users(header),
        "sample": sample,
        "instrument": Instrument(
            name=header.text(f"{_INSTRUMENT}/name", field="instrument.name"),
            beamline=header.text(f"{_SOURCE}/beamline", field="instrument.beamline"),
            source=_source(header),
            monochromator=_monochromator(header, opened, array),
            detector=_detector(header),
        ),
    }


def _sample(header: Header) -> Sample:
    return Sample(
        name=header.text(f"{_SAMPLE}/name", field="sample.name"),
        description=header.text(
            f"{_SAMPLE}/description", f"{_SAMPLE}/description_1", field="sample.description"
        ),
        temperature=_number(header, (f"{_SAMPLE}/temperature",), "K", "sample.temperature"),
        mass=_number(header, (f"{_SAMPLE}/mass",), "g", "sample.mass"),
        preparation_date=header.time(
            f"{_SAMPLE}/preparation_date", field="sample.preparation_date"
        ),
    )


def _source(header: Header) -> Source | None:
    found = Source(
        name=header.text(f"{_SOURCE}/name", field="instrument.source.name"),
        mode=header.text(f"{_SOURCE}/mode", f"{_SOURCE}/fill_mode", field="instrument.source.mode"),
        energy=_number(header, (f"{_SOURCE}/energy",), "eV", "instrument.source.energy"),
        current=_number(header, (f"{_SOURCE}/current",), "A", "instrument.source.current"),
    )
    return found if found != Source() else None


def _monochromator(
    header: Header, opened: Any, array: Callable[[str, str], ArrayRef | None]
) -> Monochromator | None:
    field = "instrument.monochromator.energy"
    error = _number(header, (f"{_ENERGY}_error",), "eV", "instrument.monochromator.energy_error")
    value = header.value(_ENERGY)
    varies = isinstance(value, tuple) and len(set(value)) > 1
    energy: float | ArrayRef | None
    if varies or (value is None and getattr(opened.get(_ENERGY), "shape", None)):
        # One value per frame, or a long list: kept as an array, and not searchable as one energy.
        energy = array(_ENERGY, "energies")
        header.flag("energy-is-an-array", f"{_ENERGY} holds several energies.", _ENERGY)
        header.value(_ENERGY, field=field)
    elif isinstance(value, tuple):
        found = header.numbers(_ENERGY, to="eV", unit_default=_energy_unit(value[0]), field=field)
        energy = found[0] if found else None
    else:
        energy = _number(header, (_ENERGY,), "eV", field, _energy_unit(value))
    if energy is None and error is None:
        return None
    return Monochromator(energy=energy, energy_error=error)


def _energy_unit(value: Any) -> str:
    """The unit of an energy that the file does not say: no beamline has photons of 1 MeV."""
    try:
        return "keV" if float(value) < _LARGEST_KEV else "eV"
    except (TypeError, ValueError):
        return "keV"


def _detector(header: Header) -> Detector:
    def text(*names: str) -> tuple[str, ...]:
        return tuple(f"{group}/{name}" for name in names for group in _DETECTORS)

    sizes = {
        f"{axis}_pixel_size": _number(
            header,
            text(f"actual_pixel_size_{axis}", f"{axis}_pixel_size", "pixel_size"),
            "m",
            f"instrument.detector.{axis}_pixel_size",
        )
        for axis in ("x", "y")
    }
    return Detector(
        description=header.text(*text("model"), field="instrument.detector.description"),
        serial_number=header.text(
            *text("serial_number"), field="instrument.detector.serial_number"
        ),
        count_time=_number(header, text("exposure_time"), "s", "instrument.detector.count_time"),
        distance=_number(
            header,
            (
                f"{_INSTRUMENT}/sample_motor_stack/detector_distance",
                f"{_INSTRUMENT}/sample/setup/detector_distance",
            ),
            "m",
            "instrument.detector.distance",
        ),
        x_pixel_size=sizes["x_pixel_size"],
        y_pixel_size=sizes["y_pixel_size"],
    )


def _number(
    header: Header, keys: tuple[str, ...], to: str, field: str, default: str | None = None
) -> float | None:
    """A number; the format's own units (SI) where the file says none, and that is flagged."""
    assumed = default or to
    key = next((key for key in keys if key in header), None)
    found = header.number(*keys, to=to, unit_default=assumed, field=field)
    if found is None or key is None:
        return found
    [original] = header.original([key]).values() or [None]
    if original is not None and original.unit is None and not isinstance(original.value, str):
        header.flag("unit-assumed", f"{key} has no unit; {assumed} is assumed.", key)
    return found


def _users(header: Header) -> dict[str, User]:
    groups = (f"{_SAMPLE}/experimenter", "/measurement/experimenter")

    def text(name: str, member: str) -> str | None:
        return header.text(*(f"{group}/{name}" for group in groups), field=f"users.user.{member}")

    found = User(
        name=text("name", "name"),
        email=text("email", "email"),
        role=text("role", "role"),
        affiliation=text("affiliation", "affiliation") or text("institution", "affiliation"),
        address=text("address", "address"),
        telephone_number=text("phone", "telephone_number"),
        facility_user_id=text("facility_user_id", "facility_user_id"),
    )
    return {"user": found} if found != User() else {}
