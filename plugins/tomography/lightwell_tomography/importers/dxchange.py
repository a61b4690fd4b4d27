"""APS Data Exchange: /exchange/data with data_white, data_dark and theta.

Layout: F. De Carlo et al., "Scientific data exchange", J. Synchrotron Rad. 21, 1224 (2014).
Early files have the arrays one level deeper, in /exchange/data/data.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from lightwell import (
    ArrayRef,
    Described,
    Detector,
    File,
    Importer,
    Instrument,
    Part,
    Sample,
    Unit,
)
from lightwell.errors import MissingMetadata
from lightwell.hdf5 import Hdf5Array, is_hdf5, open_file, read_attributes
from lightwell.model import Monochromator, Source, User
from lightwell.nexus import Header
from lightwell_tomography.importers.angles import frame_angles, given_angles
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["DataExchange"]

_INSTRUMENT = "/measurement/instrument"
_EXPERIMENTER = ("/measurement/sample/experimenter", "/measurement/experimenter")


class DataExchange(Importer):
    """One HDF5 file per scan, projections, flats and darks as three stacks."""

    name = "dxchange"

    def claims(self, file: File) -> bool:
        if file.is_dir or not file.is_local or not is_hdf5(file.local_path()):
            return False
        with open_file(file.local_path()) as opened:
            return _exchange(opened) is not None

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
    ) -> Iterator[Described]:
        """Describe the raw stage of the file; angles are only needed where it holds no theta."""
        path = file.local_path()
        with open_file(path) as opened:
            group = _exchange(opened)
            if group is None:
                raise MissingMetadata("there is no /exchange/data", where=str(file))
            header = Header.of_hdf5(opened)
            header.flag_missing_sources(path)
            stacks = _Stacks(file, group, opened)
        given = given_angles(first_angle, last_angle, stacks.projections.shape[0])
        entry = _entry(file, header, stacks, given)
        yield Described(entry, file.parent, [Part(file, "master")])


class _Stacks:
    """The arrays of the file, where they are."""

    def __init__(self, file: File, group: str, opened: Any) -> None:
        self._file, self._group = file, group
        self.projections = self._required("data", "projections")
        self.flats = self._required("data_white", "flat fields")
        self.darks = self._required("data_dark", "dark fields")
        self.theta = self._found("theta", opened)
        self.theta_white = self._found("theta_white", opened)

    def _required(self, name: str, what: str) -> ArrayRef:
        ref = self._ref(f"{self._group}/{name}")
        if ref is None:
            raise MissingMetadata(
                f"the scan has no {what} ({self._group}/{name} is not there)",
                where=str(self._file),
                remedy="write them into the file, or ingest the file that holds them",
            )
        return ref

    def _ref(self, path: str) -> ArrayRef | None:
        with open_file(self._file.local_path()) as opened:
            if path not in opened:
                return None
        found = Hdf5Array.find(self._file.local_path(), path)
        return ArrayRef.hdf5(self._file.name, path, found.shape, found.dtype)

    def _found(self, name: str, opened: Any) -> ArrayRef | None:
        path = f"{self._group}/{name}"
        ref = self._ref(path)
        if ref is None or len(ref.shape) != 1:
            return None
        unit = str(read_attributes(opened[path]).get("units") or "degree")
        return ref.model_copy(update={"unit": "degree" if unit.startswith("deg") else unit})


def _exchange(opened: Any) -> str | None:
    """The group that holds the raw stacks, if the file is Data Exchange."""
    for group in ("/exchange", "/exchange/data"):
        if f"{group}/data" in opened and hasattr(opened[f"{group}/data"], "shape"):
            return group
    return None


def _entry(
    file: File, header: Header, stacks: _Stacks, given: ArrayRef | None
) -> Tomography:
    calibration = [(DARK, stacks.darks), (FLAT, stacks.flats)]
    frames = [*calibration, (PROJECTION, stacks.projections)]
    before = sum(ref.shape[0] for _, ref in calibration)
    count = sum(ref.shape[0] for _, ref in frames)
    parts = tuple(part for _, ref in frames for part in ref.parts)
    detector = Detector(
        data=ArrayRef(
            shape=(count, *stacks.projections.shape[1:]),
            dtype=stacks.projections.dtype,
            unit="counts",
            parts=parts,
        ),
        image_key=ArrayRef.concatenate(
            *(ArrayRef.constant(key, ref.shape[0]) for key, ref in frames)
        ),
        **_detector(header),
    )
    title = header.text("/measurement/sample/name", field="sample.name")
    return Tomography(
        title=title or file.name,
        start_time=header.time("/file_creation_datetime", "/start_date", field="start_time"),
        experiment_identifier=header.text(
            "/measurement/sample/experiment/proposal",
            "/measurement/experiment/proposal",
            field="experiment_identifier",
        ),
        users=_users(header),
        sample=Sample(
            name=title,
            rotation_angle=frame_angles(given or stacks.theta, before, str(file)),
        ),
        instrument=_instrument(header, detector),
        original=header.original(),
        flags=header.flags,
    )


def _detector(header: Header) -> dict[str, Any]:
    """The detector's fields; lengths without a unit are in metre, times in second (SI)."""
    found: dict[str, Any] = {
        "description": header.text(
            f"{_INSTRUMENT}/detector/model",
            f"{_INSTRUMENT}/_detector/model",
            field="instrument.detector.description",
        ),
        "count_time": header.number(
            f"{_INSTRUMENT}/detector/exposure_time",
            f"{_INSTRUMENT}/_detector/exposure_time",
            to="s",
            unit_default="s",
            field="instrument.detector.count_time",
        ),
        "distance": header.number(
            f"{_INSTRUMENT}/sample_motor_stack/detector_distance",
            f"{_INSTRUMENT}/sample/setup/detector_distance",
            to="m",
            unit_default="m",
            field="instrument.detector.distance",
        ),
    }
    for axis in ("x", "y"):
        found[f"{axis}_pixel_size"] = header.number(
            f"{_INSTRUMENT}/detector/actual_pixel_size_{axis}",
            f"{_INSTRUMENT}/detector/{axis}_pixel_size",
            f"{_INSTRUMENT}/_detector/{axis}_pixel_size",
            f"{_INSTRUMENT}/detector/pixel_size",
            to="m",
            unit_default="m",
            field=f"instrument.detector.{axis}_pixel_size",
        )
    return found


def _instrument(header: Header, detector: Detector) -> Instrument:
    source = Source(
        name=header.text(f"{_INSTRUMENT}/source/name", field="instrument.source.name"),
        current=header.number(
            f"{_INSTRUMENT}/source/current",
            to="A",
            unit_default="A",
            field="instrument.source.current",
        ),
    )
    energy = header.number(
        f"{_INSTRUMENT}/monochromator/energy",
        to="eV",
        unit_default="keV",
        field="instrument.monochromator.energy",
    )
    return Instrument(
        name=header.text(f"{_INSTRUMENT}/name", field="instrument.name"),
        beamline=header.text(f"{_INSTRUMENT}/source/beamline", field="instrument.beamline"),
        source=source if source != Source() else None,
        monochromator=Monochromator(energy=energy) if energy is not None else None,
        detector=detector,
    )


def _users(header: Header) -> dict[str, User]:
    name = header.text(*(f"{g}/name" for g in _EXPERIMENTER), field="users.user.name")
    if name is None:
        return {}
    email = header.text(*(f"{g}/email" for g in _EXPERIMENTER), field="users.user.email")
    return {"user": User(name=name, email=email)}
