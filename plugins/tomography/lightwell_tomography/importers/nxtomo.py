"""NXtomo and files like it: an NXdetector with frames and an image key, links followed."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from lightwell import (
    ArrayRef,
    Described,
    Detector,
    Entry,
    File,
    Importer,
    Instrument,
    Part,
    Sample,
    Unit,
    opened_hdf5,
)
from lightwell.errors import InputError, MissingMetadata, MissingSource
from lightwell.hdf5 import missing_sources, open_file, read_attributes
from lightwell.model import Flag, Original
from lightwell.nexus import entry_names, read_entry
from lightwell.nexus.write import DOCUMENT_ATTRIBUTE
from lightwell_tomography.importers.angles import (
    ASK,
    angle_unit,
    doubts,
    given_angles,
    over_frames,
)
from lightwell_tomography.importers.linked import read_ref, scan_files
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["NXtomo"]

_ANGLE_NAME = re.compile(r"theta|rot|angle|phi|omega", re.IGNORECASE)
# What a motor was told, beside what it did.
_DEMANDED = re.compile(r"(_set|_demand|_target)$", re.IGNORECASE)
_MEANINGS = (PROJECTION, FLAT, DARK, 3)
_MEANINGLESS = -1
_BROKEN = (KeyError, OSError, RuntimeError)


class NXtomo(Importer):
    """One NeXus master per scan, its frames inside or behind links."""

    name = "nxtomo"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            names = entry_names(file.local_path()) if opened is not None else ()
            return any(_scan_detectors(opened, name) for name in names)

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
    ) -> Iterator[Described]:
        """Describe every entry with frames and image key.

        first_angle, last_angle : of the projections; they replace the angles of the file.
        """
        path = file.local_path()
        root, parts = scan_files(file)
        for name in entry_names(path):
            with open_file(path) as opened:
                detectors = _scan_detectors(opened, name)
            if not detectors:
                continue
            entry = read_entry(path, name, root=root.local_path())
            scan = _Scan(entry, f"{file}:/{name}", root, parts, detectors)
            yield Described(
                scan.described(first_angle, last_angle).with_plot(), root, parts, name=name
            )


class _Scan:
    """One entry on its way from what the file says to a tomographic scan."""

    def __init__(
        self, entry: Entry, where: str, root: File, parts: list[Part], detectors: list[str]
    ) -> None:
        self._entry, self._where, self._root, self._parts = entry, where, root, parts
        self._flags = list(entry.flags)
        self._instrument = entry.instrument or Instrument()
        self._name, self._detector, self._frames = self._chosen(detectors)
        self._key = self._read_key()

    def described(self, first: float | None, last: float | None) -> Tomography:
        given = given_angles(first, last, self._key.count(PROJECTION))
        angles = over_frames(given, self._key) if given else self._judged(*self._angles())
        sample = (self._entry.sample or Sample()).model_copy(update={"rotation_angle": angles})
        instrument, moved = self._with_main_detector()
        fields = {name: getattr(self._entry, name) for name in Entry.model_fields}
        changes = {
            "instrument": instrument,
            "sample": sample,
            "original": {key: moved(value) for key, value in self._entry.original.items()},
            "flags": tuple(dict.fromkeys(self._flags)),
        }
        unknown = {k: v for k, v in self._entry.unknown.items() if k != "definition"}
        return Tomography(**{**fields, **changes, "unknown": unknown})

    def _flag(self, code: str, message: str, path: str | None = None) -> None:
        self._flags.append(Flag(code=code, message=message, path=path))

    def _chosen(self, names: list[str]) -> tuple[str, Detector, ArrayRef]:
        """The detector with a stack of frames and a key, its name in the file, its frames."""
        main = self._instrument.detector
        known = dict(self._instrument.detectors)
        if main is not None:
            known = {main.group_name or "detector": main, **known}
        for name, detector in known.items():
            frames = detector.data
            if name in names and frames is not None and detector.image_key and frames.ndim == 3:
                return name, detector, frames
        raise self._without_frames(names[0])

    def _without_frames(self, name: str) -> InputError:
        """Why there are no frames: mostly because a link to them dangles."""
        inner = f"{self._where.rpartition(':')[2]}/instrument/{name}/"
        master = self._parts[0].file.local_path()
        for place, _, _, why in missing_sources(master):
            if place.startswith((f"{inner}data", f"{inner}image_key")):
                return MissingSource(
                    f"{place} leads nowhere: {why}",
                    where=self._where,
                    remedy="put the file with the frames where the link looks for it",
                )
        return InputError(
            f"the NXdetector {name!r} has no stack of numbers (frame, row, x), or no numbers as "
            "image key",
            where=self._where,
            remedy="check the file the instrument wrote: shapes, types and the attribute NX_class",
        )

    def _read_key(self) -> list[int]:
        """The key of every frame; what no recipe can use is flagged.

        Errors: InputError where the key does not fit the frames.
        """
        ref = self._detector.image_key
        count = self._frames.shape[0]
        if ref is None or ref.shape != (count,):
            raise InputError(
                f"there are {ref.shape[0] if ref else 0} image keys for {count} frames",
                where=self._where,
                remedy="check the file the instrument wrote",
            )
        values = read_ref(ref, self._root, self._parts)
        # What is no whole number is no key, like every other number without a meaning.
        key = [int(value) if value in _MEANINGS else _MEANINGLESS for value in values.tolist()]
        place = f"instrument.{self._name}.image_key"
        for kind, word in ((PROJECTION, "projection"), (FLAT, "flat field"), (DARK, "dark field")):
            if kind not in key:
                said = f"None of the {count} frames is a {word} (image_key {kind})."
                self._flag("kind-of-frame-missing", said, place)
        if strange := key.count(_MEANINGLESS):
            said = f"{strange} frames are left out: their image keys are none of 0, 1, 2, 3."
            self._flag("image-key-unknown", said, place)
        return key

    def _angles(self) -> tuple[ArrayRef, str]:
        """The angle of every frame, and where it was found: the sample's, else what is named so.

        Errors: MissingMetadata where there is none of the right length.
        """
        count, projections = len(self._key), self._key.count(PROJECTION)
        known = self._entry.sample.rotation_angle if self._entry.sample else None
        short = None
        if isinstance(known, ArrayRef):
            if known.shape == (count,):
                return known, "sample.rotation_angle"
            if known.shape == (projections,):
                return over_frames(known, self._key), "sample.rotation_angle"
            short = f"sample.rotation_angle has the shape {known.shape}"
        for place, ref in self._named_like_angles():
            if ref.shape == (count,):
                said = f"The angles are those of {place}, found by its name."
                self._flag("angles-found-by-name", said, place)
                return ref, place
        raise MissingMetadata(
            f"the scan has no rotation angles for its {count} frames, {projections} of them "
            f"projections{': ' + short if short else ''}",
            where=self._where,
            remedy=ASK,
        )

    def _named_like_angles(self) -> Iterator[tuple[str, ArrayRef]]:
        """Arrays whose names say angle: beside the frames first, read before demanded."""
        found: list[tuple[tuple[bool, bool, int], str, ArrayRef]] = []
        for group, data in self._entry.data.items():
            for name, ref in data.fields.items():
                if _ANGLE_NAME.search(name):
                    rank = (bool(_DEMANDED.search(name)), group != self._name, len(found))
                    found.append((rank, f"data.{group}.{name}", ref))
        for name, motor in self._instrument.positioners.items():
            if _ANGLE_NAME.search(name) and isinstance(motor.value, ArrayRef):
                rank = (bool(_DEMANDED.search(name)), True, len(found))
                found.append((rank, f"instrument.positioners.{name}.value", motor.value))
        return ((place, ref) for _, place, ref in sorted(found, key=lambda one: one[0]))

    def _judged(self, angles: ArrayRef, place: str) -> ArrayRef:
        """The angles with their unit; what is odd about them is flagged."""
        unit, flags = angle_unit(angles.unit, place, self._where)
        self._flags.extend(flags)
        try:
            values = read_ref(angles, self._root, self._parts)
        except InputError as error:
            self._flag("angles-unreadable", str(error), place)
        else:
            own = [i for i, kind in enumerate(self._key) if kind == PROJECTION]
            self._flags.extend(doubts(values[own], unit, place))
        return angles.model_copy(update={"unit": unit})

    def _with_main_detector(self) -> tuple[Instrument, Any]:
        """The instrument with the scan's detector as the main one, and how originals follow."""
        instrument, name = self._instrument, self._name
        main = instrument.detector
        if main is self._detector:
            return instrument, lambda value: value
        own = main.group_name or "detector" if main is not None else ""
        others = {n: d for n, d in instrument.detectors.items() if n != name}
        if main is not None:
            others[own] = main.model_copy(update={"group_name": None})
        chosen = self._detector.model_copy(
            update={"group_name": None if name == "detector" else name}
        )
        places = {
            "instrument.detector.": f"instrument.detectors.{own}.",
            f"instrument.detectors.{name}.": "instrument.detector.",
        }

        def moved(value: Original) -> Original:
            for old, new in places.items():
                if value.field and value.field.startswith(old):
                    return value.model_copy(update={"field": new + value.field[len(old) :]})
            return value

        return instrument.model_copy(update={"detector": chosen, "detectors": others}), moved


def _scan_detectors(opened: Any, name: str) -> list[str]:
    """The detectors of an entry with frames and image key; looks at names only.

    None of an entry that lightwell wrote itself, and none of a reconstruction.
    """
    try:
        entry = opened[name]
        definition = entry["definition"][()] if "definition" in entry else ""
        instrument = entry["instrument"]
        children = list(instrument)
    except (*_BROKEN, AttributeError, TypeError):
        return []
    if "NXtomoproc" in str(definition) or _is_ours(entry):
        return []
    return [child for child in children if {"data", "image_key"} <= _names(instrument, child)]


def _names(group: Any, child: str) -> set[str]:
    """The names in a group in a group, links that dangle among them."""
    try:
        return set(group[child].keys())
    except (*_BROKEN, AttributeError):
        return set()


def _is_ours(entry: Any) -> bool:
    """True for a description that lightwell keeps: the scan it is about is somewhere else."""
    for name in entry:
        try:
            if DOCUMENT_ATTRIBUTE in read_attributes(entry[name]):
                return True
        except (*_BROKEN, AttributeError):
            continue
    return False
