"""NXtomo and files like it: an NXdetector with frames and an image key, links followed."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from lightwell import ArrayRef, Described, Detector, Entry, File, Importer, Part, Unit
from lightwell.errors import MissingMetadata
from lightwell.hdf5 import is_hdf5, links, open_file
from lightwell.model import Flag
from lightwell.nexus import entry_names, read_entry
from lightwell_tomography.importers.angles import given_angles
from lightwell_tomography.schema import Tomography

__all__ = ["NXtomo"]

_ANGLE_NAME = re.compile(r"theta|rot|angle|phi|omega", re.IGNORECASE)
_STACK = 3


class NXtomo(Importer):
    """One NeXus master per scan, its frames inside or behind links."""

    name = "nxtomo"

    def claims(self, file: File) -> bool:
        if file.is_dir or not file.is_local or not is_hdf5(file.local_path()):
            return False
        with open_file(file.local_path()) as opened:
            return any(_holds_a_scan(opened[name]) for name in _entries(opened))

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
    ) -> Iterator[Described]:
        """Describe every entry with frames and image key; angles replace those of the file."""
        path = file.local_path()
        with open_file(path) as opened:
            targets = sorted({link.target_file for link in links(opened) if link.exists} - {None})
        parts = [Part(file, "master"), *_externals(file, targets)]
        for name in entry_names(path):
            found = read_entry(path, name)
            detector = _detector(found)
            if detector is None:
                continue
            count = detector.data.shape[0] if detector.data else 0
            given = given_angles(first_angle, last_angle, count)
            entry = _scan(found, detector, given, str(file))
            yield Described(entry, file.parent, parts, name=name)


def _entries(opened: Any) -> list[str]:
    return [n for n in opened if opened.get(n, getclass=True, getlink=False) is not None]


def _holds_a_scan(entry: Any) -> bool:
    """True for a group with a detector that has an image key; looks at names only."""
    instrument = entry.get("instrument") if hasattr(entry, "get") else None
    if not hasattr(instrument, "values"):
        return False
    groups = [instrument.get(name) for name in instrument]
    return any(hasattr(g, "keys") and "image_key" in g and "data" in g for g in groups)


def _externals(file: File, targets: list[Any]) -> list[Part]:
    """The files links lead to, as parts of the dataset, if they lie below its folder."""
    found = []
    for target in targets:
        linked = file.parent.child(str(target))
        if linked.exists and linked != file:
            found.append(Part(linked, "external"))
    return found


def _detector(entry: Entry) -> Detector | None:
    """The detector with a stack of frames and a key for each of them."""
    if entry.instrument is None:
        return None
    candidates = [entry.instrument.detector, *entry.instrument.detectors.values()]
    for detector in candidates:
        if detector is None or detector.data is None or detector.image_key is None:
            continue
        if len(detector.data.shape) == _STACK:
            return detector
    return None


def _scan(entry: Entry, detector: Detector, given: ArrayRef | None, where: str) -> Tomography:
    flags = list(entry.flags)
    angles = given or _angles(entry, detector, flags)
    if angles is None:
        raise MissingMetadata(
            "the scan has no rotation angles",
            where=where,
            remedy="give them: --set first_angle=0 --set last_angle=180 (degree, one for every "
            "frame)",
        )
    others = {n: d for n, d in entry.instrument.detectors.items() if d is not detector}  # type: ignore[union-attr]
    instrument = entry.instrument.model_copy(  # type: ignore[union-attr]
        update={"detector": detector, "detectors": others}
    )
    sample = entry.sample.model_copy(update={"rotation_angle": angles}) if entry.sample else None
    from lightwell import Sample

    fields = {name: getattr(entry, name) for name in Entry.model_fields if name != "flags"}
    return Tomography(
        **{
            **fields,
            "instrument": instrument,
            "sample": sample or Sample(rotation_angle=angles),
            "flags": tuple(flags),
        }
    )


def _angles(entry: Entry, detector: Detector, flags: list[Flag]) -> ArrayRef | None:
    """The angle of every frame: the sample's, else an array beside the frames that is named so."""
    count = detector.data.shape[0] if detector.data else 0
    known = entry.sample.rotation_angle if entry.sample else None
    if isinstance(known, ArrayRef) and known.shape == (count,):
        return known
    for group, data in entry.data.items():
        for name, ref in data.fields.items():
            if ref.shape != (count,) or not _ANGLE_NAME.search(name):
                continue
            if ref.unit is None:
                place = f"data.{group}.{name}"
                flags.append(
                    Flag(
                        code="angle-unit-assumed",
                        message=f"{place} has no unit; its angles are taken for degrees.",
                        path=place,
                    )
                )
            return ref.model_copy(update={"unit": ref.unit or "degree"})
    return None
