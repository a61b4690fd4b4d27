"""ALS beamline 8.3.2, classic: one group per scan, one image per HDF5 dataset, flats interleaved.

Layout "bl832-1.0.0", read from a file of the beamline (`20200521_160002_heartbeat_test.h5` of
als-computing/microct) and from `read_als_832h5` in data-exchange/dxchange. No frame is copied:
numbered HDF5 datasets are read as one lazy stack.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

from lightwell import ArrayRef, Described, Detector, File, Importer, Part, Unit, opened_hdf5
from lightwell.errors import InputError, MissingMetadata, UnreadableFile
from lightwell.hdf5 import decode, members, open_file, read_attributes
from lightwell.nexus import Header
from lightwell_tomography.importers.acquisition import image_key, in_order, joined, keys
from lightwell_tomography.importers.als832_angles import frame_angles, scan_angles
from lightwell_tomography.importers.als832_facts import (
    Rotation,
    facts,
    parameter_number,
    with_rotation,
)
from lightwell_tomography.importers.als832_names import Frame, frame_of, series
from lightwell_tomography.importers.angles import given_angles, over_frames
from lightwell_tomography.importers.file_names import record_hints
from lightwell_tomography.importers.linked import damage_said
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["Als832"]

_BROKEN = (KeyError, OSError, RuntimeError)
_WORDS = {PROJECTION: "projections", FLAT: "flat fields (bak)", DARK: "dark fields (drk)"}
_MARK = "nangles"
"""The attribute that every scan of the beamline has."""


class Als832(Importer):
    """One HDF5 file per scan, as the beamline wrote it until it changed to Data Exchange."""

    name = "als832"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and _group(opened) is not None

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
        rotation: Rotation | None = None,
    ) -> Iterator[Described]:
        """Describe the scan; every tile of a mosaic is an entry of its own.

        first_angle, last_angle : of the projections; they replace what arange says; rotation : the
        sense in which the sample turned, seen from above; kept as given, no angle is changed.
        """
        with damage_said(file), open_file(file.local_path()) as opened:
            group = _group(opened)
            if group is None:
                raise MissingMetadata(
                    "the file has no group with frames of beamline 8.3.2",
                    where=str(file),
                    remedy="use the importer of the format it is written in",
                )
            scan = _Scan(file, group, opened)
            for tile in scan.tiles:
                given = given_angles(first_angle, last_angle, scan.count(tile))
                name = "entry" if len(scan.tiles) == 1 else f"tile_{tile:04d}"
                yield Described(
                    scan.entry(tile, given, rotation).with_plot(),
                    file.parent,
                    [Part(file, "master")],
                    name,
                )


class _Scan:
    """The frames of one open file by kind, all looked at, none read.

    Errors: MissingMetadata for a kind without frames; InputError for frames that differ.
    """

    def __init__(self, file: File, group: str, opened: Any) -> None:
        self._file, self._name, self._group = file, group, opened[group]
        self._check_stage(read_attributes(opened).get("stage"))
        self._root = read_attributes(opened)
        found = [frame_of(member.name, group) for member in members(self._group)]
        frames = [frame for frame in found if frame is not None]
        self._of: dict[int, list[Frame]] = {
            kind: sorted(
                (f for f in frames if f.kind == kind), key=lambda f: (f.group, f.number, f.name)
            )
            for kind in _WORDS
        }
        for kind, words in _WORDS.items():
            if not self._of[kind]:
                raise MissingMetadata(
                    f"the scan has no {words} among the {len(frames)} frames of /{group}",
                    where=str(file),
                    remedy="ingest the file that holds them; none can be invented",
                )
        self._shape, self._dtype = self._looked_at(frames)
        self.tiles = sorted({frame.group for frame in self._of[PROJECTION]})

    def count(self, tile: int) -> int:
        """How many projections a tile has."""
        return sum(frame.group == tile for frame in self._of[PROJECTION])

    def entry(self, tile: int, given: ArrayRef | None, rotation: Rotation | None) -> Tomography:
        """The description of one tile; angles a person gave come first."""
        header = self._header()
        described = facts(header, self._name)
        record_hints(header, self._file.name, described["start_time"])
        projections = [frame for frame in self._of[PROJECTION] if frame.group == tile]
        self._judge_counts(header, projections)
        angles = given or self._angles(header, projections)
        stacks = {kind: self._stack(self._of[kind]) for kind in (FLAT, DARK)}
        stacks[PROJECTION] = self._stack(projections)
        before = {kind: _moments(self._of[kind], projections) for kind in (FLAT, DARK)}
        runs = in_order(len(projections), before)
        frames, key = joined(stacks, runs), image_key(runs)
        turned = over_frames(angles, keys(runs))
        sample = described["sample"].model_copy(update={"rotation_angle": turned})
        detector = described["instrument"].detector or Detector()
        detector = detector.model_copy(update={"data": frames, "image_key": key})
        instrument = described["instrument"].model_copy(update={"detector": detector})
        fields = {
            **with_rotation(described, rotation),
            "sample": sample,
            "instrument": instrument,
        }
        # Last, since reading the header is what raises flags and maps originals.
        return Tomography(**fields, original=header.original(), flags=header.flags)

    def _header(self) -> Header:
        """The attributes of file and group by their own names; those of frames are not among them.

        An attribute that both have is the group's; the file's is kept with the prefix ``root_``.
        """
        own = read_attributes(self._group)
        outer = {f"root_{k}" if k in own else k: v for k, v in self._root.items()}
        return Header({key: (value, None) for key, value in {**outer, **own}.items()})

    def _check_stage(self, stage: object) -> None:
        if stage not in (None, "", "raw"):
            raise InputError(
                f"this is the stage {stage!r} of the beamline's processing, not the raw scan",
                where=str(self._file),
                remedy="ingest the raw file; lightwell makes the later stages from it",
            )

    def _looked_at(self, frames: Sequence[Frame]) -> tuple[tuple[int, ...], str]:
        """The one shape and type that all frames have.

        Errors: InputError naming a frame that differs; UnreadableFile for one that is damaged.
        """
        wanted: tuple[tuple[int, ...], str] | None = None
        for frame in frames:
            try:
                item = self._group[frame.name]
                found = (tuple(item.shape), item.dtype.newbyteorder("=").name)
            except (*_BROKEN, AttributeError) as error:
                raise UnreadableFile(
                    f"the frame {frame.name} cannot be read ({error})", where=str(self._file)
                ) from error
            wanted = wanted or found
            if found != wanted or found[0][:-2] not in ((1,), ()) or len(found[0]) < 2:
                raise InputError(
                    f"the frame {frame.name} is {found[0]} {found[1]}, others are {wanted[0]} "
                    f"{wanted[1]}; expected is (1, row, x)",
                    where=str(self._file),
                    remedy="the frames of one scan have to be of one size and type",
                )
        if wanted is None:
            raise UnreadableFile("there are no frames", where=str(self._file))
        return wanted

    def _stack(self, frames: Sequence[Frame]) -> ArrayRef:
        flat = len(self._shape) == 2
        path = f"/{self._name}/"
        return ArrayRef(
            shape=(len(frames), *self._shape[-2:]),
            dtype=self._dtype,
            unit="counts",
            parts=tuple(series(frames, self._file.name, path, new_axis=flat)),
        )

    def _angles(self, header: Header, projections: Sequence[Frame]) -> ArrayRef:
        """Every frame's own angle where it has one, else the range of the scan evenly."""
        own = [self._rotation(frame) for frame in projections[:1]]
        if own and own[0] is not None:
            own += [self._rotation(frame) for frame in projections[1:]]
            if found := frame_angles(header, own):
                return found
        return scan_angles(header, [frame.number for frame in projections], str(self._file))

    def _rotation(self, frame: Frame) -> float | None:
        try:
            found = decode(self._group[frame.name].attrs["rot_angle"])
            return float(found) if isinstance(found, (str, int, float)) else None
        except (*_BROKEN, ValueError):
            return None

    def _judge_counts(self, header: Header, projections: Sequence[Frame]) -> None:
        """Flag what the attributes promise and the file does not hold."""
        moments = {frame.group for frame in self._of[FLAT]}
        found: Iterable[tuple[str, float]] = (
            ("nangles", len(projections)),
            ("num_bright_field", len(self._of[FLAT]) / len(moments)),
            ("num_dark_fields", len(self._of[DARK])),
            ("nslices", self._shape[-2]),
            ("nrays", self._shape[-1]),
        )
        for key, number in found:
            said = parameter_number(header, key)
            if said is not None and said != number:
                sentence = f"{key} is {said:g}, the frames in the file say {number:g}; both stand."
                header.flag("count-contradicts", sentence, key)


def _moments(frames: Sequence[Frame], projections: Sequence[Frame]) -> list[int]:
    """How many projections of the tile were taken before each flat or dark.

    What was taken at the last angle was taken after the scan.
    """
    import numpy as np

    numbers = [frame.number for frame in projections]
    before = np.searchsorted(numbers, [frame.group for frame in frames])
    return [
        len(numbers) if frame.group >= numbers[-1] and numbers[-1] > 0 else int(moment)
        for frame, moment in zip(frames, before, strict=True)
    ]


def _group(opened: Any) -> str | None:
    """The group with the attributes of a scan and with frames in it, None where there is none."""
    for name in (member.name for member in members(opened)):
        try:
            group = opened[name]
            if _MARK in group.attrs and any(frame_of(m.name, name) for m in members(group)):
                return name
        except (*_BROKEN, AttributeError, TypeError, UnreadableFile):
            continue
    return None
