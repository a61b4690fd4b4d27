"""ESRF BLISS: a tomography is a sequence of entries, an initial one and those with the frames.

Layout: nxtomomill 2.1.7, `settings.py` and `tests/utils/bliss.py`; no file of a tomography could be
had. A sequence begins with the entry whose title or ``technique/scan_category`` is tomo:…; the
frames of the entries after it are darks, flats, projections or alignment images.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lightwell import ArrayRef, Described, Detector, File, Importer, Sample, opened_hdf5
from lightwell.containers.bliss import BlissScan, bliss_scans, detectors, text_at
from lightwell.errors import InputError, LightwellError, MissingMetadata, MissingSource
from lightwell.hdf5 import Hdf5Array, linked_files, locate, open_file
from lightwell.nexus import Header
from lightwell.plain_nexus import describe_entry
from lightwell_tomography.importers.acquisition import Run, image_key, joined, keys
from lightwell_tomography.importers.bliss_facts import facts, rotation
from lightwell_tomography.importers.linked import damage_said, root_of
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["BlissTomography"]

_BEGINS = "tomo:"
_ALIGNMENT = 3
_KINDS = (PROJECTION, FLAT, DARK)
_WORDS = {PROJECTION: "projections", FLAT: "flat fields", DARK: "dark fields"}


class _Part(NamedTuple):
    """One entry with frames of a sequence."""

    scan: BlissScan
    kind: int
    frames: ArrayRef


class BlissTomography(Importer):
    """A BLISS master with at least one tomography; its other entries are described as they are."""

    name = "bliss-tomography"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            scans = bliss_scans(opened) if opened is not None else ()
            return any(_begins(opened, scan) for scan in scans)

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every tomography as one dataset, and every other entry on its own."""
        with damage_said(file), open_file(file.local_path()) as opened:
            sequences, others = _sequences(opened, bliss_scans(opened))
            for sequence in sequences:
                yield _Sequence(file, opened, sequence).described()
        for scan in others:
            yield describe_entry(file, scan.name)


class _Sequence:
    """The entries of one tomography in an open master.

    Errors: MissingMetadata without projections or angles; MissingSource where they are not there.
    """

    def __init__(self, file: File, opened: Any, scans: Sequence[BlissScan]) -> None:
        self._file, self._opened, self._scans = file, opened, scans
        self._first = scans[0]
        self._where = f"{file}:/{self._first.name}"
        self._root, self._files = root_of(self._needed_files())
        self._name = self._files[0].file.relative_to(self._root)
        self._header = Header.of_hdf5(opened, f"/{self._first.name}")
        for scan in scans:
            place = locate(file.local_path(), f"/{scan.name}")
            self._header.flag_missing_sources(place.file, place.path)

    def described(self) -> Described:
        """The description, with the files of these entries alone."""
        parts = self._parts()
        stacks, runs = self._stacks(parts)
        key, frames = image_key(runs), joined(stacks, runs)
        turned = self._turned(parts, keys(runs))
        main = next(part for part in parts if part.kind == PROJECTION)
        found = facts(self._header, self._opened, self._first, main.scan, self._detector(main))
        detector: Detector = found["instrument"].detector
        detector = detector.model_copy(update={"data": frames, "image_key": key})
        sample: Sample = found["sample"]
        fields = {
            **found,
            "sample": sample.model_copy(update={"rotation_angle": turned}),
            "instrument": found["instrument"].model_copy(update={"detector": detector}),
        }
        entry = Tomography(**fields, original=self._header.original(), flags=self._header.flags)
        return Described(entry.with_plot(), self._root, self._files, name=self._first.name)

    def _needed_files(self) -> list[str]:
        path = self._file.local_path()
        found = [linked_files(path, f"/{scan.name}") for scan in self._scans]
        return [found[0][0], *sorted({name for names in found for name in names[1:]})]

    def _parts(self) -> list[_Part]:
        """The entries with frames, in the order they were taken."""
        parts = [part for scan in self._scans[1:] if (part := self._part(scan)) is not None]
        found = {part.kind for part in parts}
        if PROJECTION not in found:
            raise MissingMetadata(
                f"the tomography {self._first.name} has no projections among its "
                f"{len(self._scans) - 1} entries",
                where=self._where,
                remedy="check whether the scan was broken off",
            )
        for kind in (FLAT, DARK):
            if kind not in found:
                said = f"The tomography has no {_WORDS[kind]} (image_key {kind})."
                self._header.flag("kind-of-frame-missing", said, f"/{self._first.name}")
        shapes = {part.frames.shape[1:] for part in parts}
        if len(shapes) > 1:
            raise InputError(
                f"the frames of one tomography have different sizes: {sorted(shapes)}",
                where=self._where,
                remedy="the entries of one tomography have to be of one detector",
            )
        return parts

    def _part(self, scan: BlissScan) -> _Part | None:
        """An entry with its frames; one whose kind is not known or whose frames are not there."""
        kind = _kind(self._opened, scan)
        name = self._detector_name(scan)
        place = f"/{scan.name}/instrument/{name}/data"
        if kind is None or name is None:
            said = f"The entry {scan.name} ({scan.title!r}) holds no frames of the tomography."
            self._header.flag("entry-left-out", said, f"/{scan.name}")
            return None
        try:
            found = Hdf5Array.find(self._file.local_path(), place)
        except LightwellError as error:
            if kind == PROJECTION:
                raise MissingSource(
                    f"the projections ({place}) are not there: {error.what}",
                    where=self._where,
                    remedy="put the detector's files where the links look for them",
                ) from error
            self._header.flag("frames-left-out", f"{place} is left out: {error.what}.", place)
            return None
        ref = ArrayRef.hdf5(self._name, place, found.shape, found.dtype, "counts")
        return _Part(scan, kind, ref)

    def _detector_name(self, scan: BlissScan) -> str | None:
        """The detector that the tomography names, else the first with images."""
        named = text_at(self._opened[self._first.name], "technique/tomoconfig/detector")
        names = list(detectors(self._opened[scan.name]))
        return named if named in names else next(iter(names), None)

    def _detector(self, part: _Part) -> str:
        return part.frames.parts[0].path.split("/")[3]  # type: ignore[union-attr]

    def _stacks(self, parts: Sequence[_Part]) -> tuple[dict[int, ArrayRef], list[Run]]:
        """All frames by kind, and in which order they were taken."""
        grouped: dict[int, list[ArrayRef]] = {}
        runs = []
        for part in parts:
            known = grouped.setdefault(part.kind, [])
            runs.append(Run(part.kind, sum(ref.shape[0] for ref in known), part.frames.shape[0]))
            known.append(part.frames)
        return {kind: ArrayRef.concatenate(*refs) for kind, refs in grouped.items()}, runs

    def _turned(self, parts: Sequence[_Part], key: Sequence[int]) -> ArrayRef:
        """The angle of every frame, as the rotation motor was recorded; 0 where it was not."""
        first = self._opened[self._first.name]
        refs = []
        for part in parts:
            count = part.frames.shape[0]
            place = (self._name, part.scan.name)
            found = rotation(self._header, self._opened[part.scan.name], first, place, count)
            if found is None and part.kind == PROJECTION:
                raise MissingMetadata(
                    f"the entry {part.scan.name} has no positions of a rotation motor for its "
                    f"{count} projections",
                    where=self._where,
                    remedy="check technique/tomoconfig/rotation in the master",
                )
            refs.append(found or ArrayRef.constant(0.0, count, "degree"))
        array = ArrayRef.concatenate(
            *(ref.model_copy(update={"dtype": "float64", "unit": "degree"}) for ref in refs)
        )
        units = {ref.unit for ref, part in zip(refs, parts, strict=True) if part.kind == PROJECTION}
        if array.shape != (len(key),) or len(units) > 1:
            raise InputError(
                f"the angles ({', '.join(map(str, units))}) do not fit the frames",
                where=self._where,
            )
        return array.model_copy(update={"unit": units.pop()})


def _begins(opened: Any, scan: BlissScan) -> bool:
    category = text_at(opened, f"{scan.name}/technique/scan_category") or ""
    return any(said.lower().startswith(_BEGINS) for said in (category, scan.title))


def _kind(opened: Any, scan: BlissScan) -> int | None:
    """What the frames of an entry are, by its image key, else by its title."""
    key = text_at(opened, f"{scan.name}/technique/image_key")
    if key in {"0", "1", "2"}:
        return int(key)
    title = scan.title.lower()
    words = {
        "static": _ALIGNMENT,
        "alignment": _ALIGNMENT,
        "dark": DARK,
        "flat": FLAT,
        "ref": FLAT,
        "projection": PROJECTION,
    }
    return next((kind for word, kind in words.items() if word in title), None)


def _sequences(
    opened: Any, scans: Sequence[BlissScan]
) -> tuple[list[list[BlissScan]], list[BlissScan]]:
    """The tomographies, each with its entries, and the entries that belong to none."""
    sequences: list[list[BlissScan]] = []
    others: list[BlissScan] = []
    for scan in scans:
        if _begins(opened, scan):
            sequences.append([scan])
        elif (
            sequences
            and sequences[-1][0].dataset == scan.dataset
            and scan.subscan == 1
            and _kind(opened, scan) is not None
        ):
            sequences[-1].append(scan)
        else:
            others.append(scan)
    return sequences, others
