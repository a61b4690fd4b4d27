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
    Part,
    Unit,
    opened_hdf5,
)
from lightwell.errors import InputError, MissingMetadata, MissingSource
from lightwell.hdf5 import Hdf5Array, open_file, read_attributes
from lightwell.nexus import Header
from lightwell.units import convert
from lightwell_tomography.importers.acquisition import image_key, in_order, joined, keys
from lightwell_tomography.importers.als832_dialect import is_als832
from lightwell_tomography.importers.angles import (
    ASK,
    angle_unit,
    doubts,
    given_angles,
    needed,
    over_frames,
)
from lightwell_tomography.importers.dxchange_facts import facts
from lightwell_tomography.importers.linked import read_ref, scan_files
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["DataExchange", "DataExchangeScan", "entry_of", "needed_group", "raw_group"]

_BROKEN = (KeyError, OSError, RuntimeError)
_KINDS = {
    PROJECTION: ("data", "projections"),
    FLAT: ("data_white", "flat fields"),
    DARK: ("data_dark", "dark fields"),
}


class DataExchange(Importer):
    """One HDF5 file per scan, projections, flats and darks as three stacks."""

    name = "dxchange"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            found = opened is not None and raw_group(opened) is not None
            return found and not is_als832(opened)

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
    ) -> Iterator[Described]:
        """Describe the raw stage of the file.

        first_angle, last_angle : of the projections, where the file holds no theta, or another.
        """
        root, parts = scan_files(file)
        with open_file(file.local_path()) as opened:
            group = needed_group(opened, file)
            scan = DataExchangeScan(file, group, opened, root, parts)
            angles = scan.angles(first_angle, last_angle)
            described = facts(scan.header, scan.opened, scan.array)
            yield Described(entry_of(scan, angles, described).with_plot(), root, parts)


def needed_group(opened: Any, file: File) -> str:
    """The group of the raw stacks.

    Errors: MissingMetadata where the file has none.
    """
    group = raw_group(opened)
    if group is None:
        raise MissingMetadata(
            "the file has no /exchange/data",
            where=str(file),
            remedy="use the importer of the format it is written in",
        )
    return group


class DataExchangeScan:
    """The arrays of one open file, where they are, and its header."""

    def __init__(self, file: File, group: str, opened: Any, root: File, parts: list[Part]) -> None:
        self.file, self.opened = file, opened
        self._group, self._root, self._parts = group, root, parts
        self.header = Header.of_hdf5(opened)
        self.header.flag_missing_sources(file.local_path())
        self.stacks = {kind: self._stack(*names) for kind, names in _KINDS.items()}
        self._check_sizes()

    def array(self, path: str, what: str) -> ArrayRef | None:
        """The array at a path, or None where there is none.

        Errors: MissingSource where a link is there and leads nowhere; UnreadableFile.
        """
        if not _has_link(self.opened, path):
            return None
        try:
            found = Hdf5Array.find(self.file.local_path(), path)
        except MissingSource as error:
            raise MissingSource(
                f"the {what} ({path}) lead nowhere: {error.what}",
                where=str(self.file),
                remedy="put the linked file where the link looks for it",
            ) from error
        unit = read_attributes(self.opened[path]).get("units")
        name = self._parts[0].file.relative_to(self._root)
        text = str(unit) if unit is not None else None
        return ArrayRef.hdf5(name, path, found.shape, found.dtype, text)

    def angles(self, first: float | None, last: float | None) -> ArrayRef:
        """The angles of the projections, a person's before the file's.

        Errors: InputError where there are none, or not one for every projection.
        """
        count = self.stacks[PROJECTION].shape[0]
        given = given_angles(first, last, count)
        if given is not None:
            return given
        theta = needed(self.array(f"{self._group}/theta", "angles"), str(self.file))
        if theta.shape != (count,):
            raise MissingMetadata(
                f"{self._group}/theta has the shape {theta.shape}, there are {count} projections",
                where=str(self.file),
                remedy=ASK,
            )
        angles, values = self._in_unit(theta, f"{self._group}/theta")
        for flag in doubts(values, angles.unit or "", f"{self._group}/theta"):
            self.header.flag(flag.code, flag.message, flag.path)
        return angles

    def moments(self, angles: ArrayRef) -> list[int]:
        """How many projections were taken before each flat, as far as the file tells.

        All at one moment where it does not: then they are averaged, and that is flagged.
        """
        count = self.stacks[FLAT].shape[0]
        told = self.told_moments(angles)
        if told is None and count > 1:
            place = f"{self._group}/theta_white"
            there = _has_link(self.opened, place)
            why = "does not fit the angles of the scan" if there else "is not there"
            said = f"{place} {why}; when each flat was taken is not known, they are averaged."
            self.header.flag("flat-moments-unknown", said, place)
        return told or [0] * count

    def told_moments(self, angles: ArrayRef) -> list[int] | None:
        """The same from the angles of the flats, None where they are not there or do not fit."""
        import numpy as np

        place = f"{self._group}/theta_white"
        white = self.array(place, "angles of the flat fields")
        if white is None or white.shape != (self.stacks[FLAT].shape[0],):
            return None
        taken_at = convert_all(*self._in_unit(white, place))
        theta = convert_all(angles, read_ref(angles, self._root, self._parts))
        turn = np.sign(theta[-1] - theta[0])
        if not (np.isfinite(taken_at).all() and turn and (turn * np.diff(theta) >= 0).all()):
            return None
        before = np.searchsorted(turn * theta, turn * taken_at)
        # A flat at the last angle is one after the scan.
        before[turn * taken_at >= turn * theta[-1]] = len(theta)
        return [int(moment) for moment in before]

    def _in_unit(self, ref: ArrayRef, place: str) -> tuple[ArrayRef, Any]:
        unit, flags = angle_unit(ref.unit, place, str(self.file))
        for flag in flags:
            self.header.flag(flag.code, flag.message, flag.path)
        return ref.model_copy(update={"unit": unit}), read_ref(ref, self._root, self._parts)

    def _stack(self, name: str, what: str) -> ArrayRef:
        """A stack of frames; one frame alone is a stack of one.

        Errors: InputError where it is missing, empty, or no stack.
        """
        path = f"{self._group}/{name}"
        ref = self.array(path, what)
        if ref is not None and ref.ndim == 2:
            ref = ArrayRef.stack(ref)
        if ref is None or not ref.size:
            raise MissingMetadata(
                f"the scan has no {what} ({path} is {'empty' if ref else 'not there'})",
                where=str(self.file),
                remedy=f"write them into the file as {path}",
            )
        if ref.ndim != 3:
            raise InputError(
                f"{path} has the shape {ref.shape}, not (frame, row, x)", where=str(self.file)
            )
        return ref

    def _check_sizes(self) -> None:
        wanted = self.stacks[PROJECTION].shape[1:]
        for kind, ref in self.stacks.items():
            if ref.shape[1:] != wanted:
                name, what = _KINDS[kind]
                raise InputError(
                    f"the {what} ({self._group}/{name}) are {ref.shape[1:]} pixels, the "
                    f"projections {wanted}",
                    where=str(self.file),
                    remedy="flats, darks and projections have to be of one size",
                )


def entry_of(scan: DataExchangeScan, angles: ArrayRef, described: dict[str, Any]) -> Tomography:
    """The scan: its frames in the order they were taken, and what was `described` of it."""
    counts = {kind: ref.shape[0] for kind, ref in scan.stacks.items()}
    # When the darks were taken changes nothing: they are averaged.
    before = {DARK: [0] * counts[DARK], FLAT: scan.moments(angles)}
    runs = in_order(counts[PROJECTION], before)
    frames, key = joined(scan.stacks, runs), image_key(runs)
    turned = over_frames(angles, keys(runs))
    sample = described["sample"].model_copy(update={"rotation_angle": turned})
    detector = described["instrument"].detector or Detector()
    detector = detector.model_copy(update={"data": frames, "image_key": key})
    instrument = described["instrument"].model_copy(update={"detector": detector})
    fields = {
        **described,
        "title": described["title"] or scan.file.name,
        "sample": sample,
        "instrument": instrument,
    }
    # Last, since reading the header is what raises flags and maps originals.
    return Tomography(**fields, original=scan.header.original(), flags=scan.header.flags)


def convert_all(ref: ArrayRef, values: Any) -> Any:
    """Angles in degree."""
    return values * convert(1.0, ref.unit or "degree", "degree")


def raw_group(opened: Any) -> str | None:
    """The group that holds the raw stacks, if the file is Data Exchange."""
    for group in ("/exchange", "/exchange/data"):
        path = f"{group}/data"
        try:
            if _has_link(opened, path) and hasattr(opened[path], "shape"):
                return group
        except _BROKEN:
            # A link that dangles: frames, as far as anybody can tell.
            return group
    return None


def _has_link(opened: Any, path: str) -> bool:
    parent, _, name = path.rpartition("/")
    try:
        return opened[parent].get(name, getlink=True) is not None
    except (*_BROKEN, AttributeError):
        return False
