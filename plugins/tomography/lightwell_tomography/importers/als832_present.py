"""ALS beamline 8.3.2 as it writes now: Data Exchange with paths of its own.

Three stacks, or one with ``/exchange/image_key``. See als832_dialect for where that is known from.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from lightwell import ArrayRef, Described, Detector, File, Importer, Part, Unit, opened_hdf5
from lightwell.errors import InputError, MissingMetadata
from lightwell.hdf5 import Hdf5Array, open_file, read_attributes
from lightwell.nexus import Header
from lightwell_tomography.importers.acquisition import flat_moments
from lightwell_tomography.importers.als832_dialect import ACQUISITION, facts, is_als832
from lightwell_tomography.importers.als832_facts import Rotation, parameter_number, with_rotation
from lightwell_tomography.importers.angles import (
    ASK,
    angle_unit,
    doubts,
    given_angles,
    needed,
    over_frames,
)
from lightwell_tomography.importers.dxchange import (
    DataExchangeScan,
    entry_of,
    needed_group,
    raw_group,
)
from lightwell_tomography.importers.file_names import record_hints
from lightwell_tomography.importers.linked import damage_said, read_ref, scan_files
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["Als832Present"]

_KEY = "/exchange/image_key"
_MEANINGS = (PROJECTION, FLAT, DARK, 3)
_MEANINGLESS = -1


class Als832Present(Importer):
    """One HDF5 file per scan in the beamline's dialect of Data Exchange."""

    name = "als832-present"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            found = opened is not None and raw_group(opened) is not None
            return found and is_als832(opened)

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
        rotation: Rotation | None = None,
    ) -> Iterator[Described]:
        """Describe the scan.

        first_angle, last_angle : of the projections, where the file holds no theta, or another;
        rotation : the sense in which the sample turned, seen from above; kept as given, no angle
        is changed.
        """
        root, parts = scan_files(file)
        with damage_said(file), open_file(file.local_path()) as opened:
            group = needed_group(opened, file)
            if _KEY in opened:
                stack = _OneStack(file, opened, root, parts)
                entry = stack.entry(first_angle, last_angle)
            else:
                scan = _Scan(file, group, opened, root, parts)
                angles = scan.angles(first_angle, last_angle)
                entry = entry_of(scan, angles, _facts(scan.header, file))
            entry = entry.model_copy(
                update=with_rotation({"parameters": entry.parameters}, rotation)
            )
            yield Described(entry.with_plot(), root, parts)


class _Scan(DataExchangeScan):
    """Three stacks; when the flats were taken follows from i0cycle, as in the classic layout."""

    def told_moments(self, angles: ArrayRef) -> list[int] | None:
        told = super().told_moments(angles)
        cycle = parameter_number(self.header, f"{ACQUISITION}/flat_fields/i0cycle")
        if told is not None or cycle is None:
            return told
        flats, projections = (self.stacks[kind].shape[0] for kind in (FLAT, PROJECTION))
        return flat_moments(flats, projections, int(cycle))


class _OneStack:
    """All frames in the order they were taken, and a key that says what each of them is."""

    def __init__(self, file: File, opened: Any, root: File, parts: list[Part]) -> None:
        self._file, self._opened, self._root, self._parts = file, opened, root, parts
        self._header = Header.of_hdf5(opened)
        self._header.flag_missing_sources(file.local_path())

    def entry(self, first: float | None, last: float | None) -> Tomography:
        """The description of the scan.

        Errors: InputError for a key that does not fit the frames, MissingMetadata without angles.
        """
        frames, key = self._array("/exchange/data", "counts"), self._array(_KEY, None)
        if frames is None or key is None or frames.ndim != 3 or key.shape != frames.shape[:1]:
            raise InputError(
                f"/exchange/data and {_KEY} are no stack and one number for each of its frames",
                where=str(self._file),
                remedy="check the file the instrument wrote",
            )
        said = read_ref(key, self._root, self._parts).tolist()
        # What is no whole number is no key, like every other number without a meaning.
        kinds = [int(kind) if kind in _MEANINGS else _MEANINGLESS for kind in said]
        for kind, words in ((PROJECTION, "projections"), (FLAT, "flats"), (DARK, "darks")):
            if kind not in kinds:
                said = f"None of the {len(kinds)} frames are {words} (image_key {kind})."
                self._header.flag("kind-of-frame-missing", said, _KEY)
        turned = self._angles(kinds, first, last)
        described = _facts(self._header, self._file)
        detector = described["instrument"].detector or Detector()
        detector = detector.model_copy(update={"data": frames, "image_key": key})
        fields = {
            **described,
            "sample": described["sample"].model_copy(update={"rotation_angle": turned}),
            "instrument": described["instrument"].model_copy(update={"detector": detector}),
        }
        return Tomography(**fields, original=self._header.original(), flags=self._header.flags)

    def _angles(self, kinds: list[int], first: float | None, last: float | None) -> ArrayRef:
        """One angle for every frame; theta may have them of all frames or of the projections."""
        count = kinds.count(PROJECTION)
        if given := given_angles(first, last, count):
            return over_frames(given, kinds)
        place = "/exchange/theta"
        theta = needed(self._array(place, None), str(self._file))
        if theta.shape not in ((count,), (len(kinds),)):
            raise MissingMetadata(
                f"{place} has the shape {theta.shape}, there are {len(kinds)} frames, {count} of "
                "them projections",
                where=str(self._file),
                remedy=ASK,
            )
        unit, flags = angle_unit(theta.unit, place, str(self._file))
        values = read_ref(theta, self._root, self._parts)
        own = len(values) == len(kinds)
        turned = (
            [v for v, k in zip(values, kinds, strict=True) if k == PROJECTION] if own else values
        )
        for flag in (*flags, *doubts(_array(turned), unit, place)):
            self._header.flag(flag.code, flag.message, flag.path)
        theta = theta.model_copy(update={"unit": unit})
        return theta if own else over_frames(theta, kinds)

    def _array(self, path: str, unit: str | None) -> ArrayRef | None:
        if path not in self._opened:
            return None
        found = Hdf5Array.find(self._file.local_path(), path)
        said = read_attributes(self._opened[path]).get("units")
        name = self._parts[0].file.relative_to(self._root)
        return ArrayRef.hdf5(
            name, path, found.shape, found.dtype, str(said) if said and not unit else unit
        )


def _array(values: Any) -> Any:
    import numpy as np

    return np.asarray(values, np.float64)


def _facts(header: Header, file: File) -> dict[str, Any]:
    described = facts(header, file.name)
    record_hints(header, file.name, described["start_time"])
    return described
