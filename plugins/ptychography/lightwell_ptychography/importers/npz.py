"""Archives of NumPy with `data` and `scan`: how tike keeps data sets of the APS.

Layout: a file of the APS (tike's test data). `data` (1, frame, row, column) are intensities with
the zero frequency in the corner, `scan` (1, frame, 2) places of the illumination in pixels of the
object, `probe` (…, mode, row, column) a guess. There is no energy, distance or pixel size in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lightwell import ArrayRef, Described, File, Part
from lightwell.containers.npz import NpzMember, is_npz, npz_members
from lightwell.errors import InputError
from lightwell.model import FilePart
from lightwell.nexus import Header
from lightwell_ptychography.importers.base import PtychographyImporter, flag_missing
from lightwell_ptychography.importers.frame import cut_to_shorter, of_light
from lightwell_ptychography.schema import (
    Ptychography,
    PtychographyDetector,
    PtychographyInstrument,
    Scan,
)

__all__ = ["TikeArchive"]


class TikeArchive(PtychographyImporter):
    """A .npz or .npz.bz2 with the arrays `data` and `scan`."""

    name = "tike-npz"

    def claims(self, file: File) -> bool:
        return is_npz(file) and {"data", "scan"} <= set(npz_members(file))

    def scans(self, file: File) -> Iterator[Described]:
        """Describe every angle of the archive as a scan."""
        members = npz_members(file)
        data, scan = members["data"], members["scan"]
        angles = data.shape[0] if len(data.shape) == 4 else 1
        if len(data.shape) not in (3, 4) or len(scan.shape) != len(data.shape) - 1:
            raise InputError(
                f"data has the shape {data.shape} and scan {scan.shape}, not (angle, frame, row, "
                "column) and (angle, frame, 2)",
                where=str(file),
                remedy="save frames and positions as tike has them",
            )
        for angle in range(angles):
            leading = (angle,) if len(data.shape) == 4 else ()
            name = "entry" if angles == 1 else f"entry_{angle + 1}"
            entry = _entry(file, members, leading)
            yield Described(entry, file.parent, [Part(file, "master")], name=name)


def _entry(file: File, members: Mapping[str, NpzMember], leading: tuple[int, ...]) -> Ptychography:
    facts: dict[str, tuple[Any, str | None]] = {
        f"{name}@shape": (" x ".join(map(str, one.shape)), None) for name, one in members.items()
    }
    header = Header(facts)
    frames = _ref(file, members, "data", leading, "counts")
    positions = _ref(file, members, "scan", leading, "pixel")
    frames, positions = cut_to_shorter(header, frames, positions)
    flag_missing(header, energy=None, distance=None, pixel_size=None)
    header.flag(
        "zero-frequency-in-corner",
        "Frames are taken to have their zero frequency in the corner, as tike stores them.",
        "data",
    )
    detector = PtychographyDetector(data=frames, zero_frequency="corner")
    return Ptychography(
        title=file.name,
        instrument=PtychographyInstrument(detector=detector),
        scan=Scan(positions=positions, probe=_probe(file, members, frames), **of_light()),
        original=header.original(),
        flags=header.flags,
    )


def _probe(file: File, members: Mapping[str, NpzMember], frames: ArrayRef) -> ArrayRef | None:
    """The modes of the first probe: all axes before the modes are taken at 0."""
    found = members.get("probe")
    if found is None or len(found.shape) < 3 or found.shape[-2:] != frames.shape[1:]:
        return None
    return _ref(file, members, "probe", (0,) * (len(found.shape) - 3), None)


def _ref(
    file: File,
    members: Mapping[str, NpzMember],
    name: str,
    leading: tuple[int, ...],
    unit: str | None,
) -> ArrayRef:
    import numpy as np

    shape = members[name].shape[len(leading) :]
    path = "/".join([name, *map(str, leading)])
    part = FilePart(container="npz", file=file.name, path=path, count=shape[0])
    return ArrayRef(shape=shape, dtype=np.dtype(members[name].dtype).name, unit=unit, parts=(part,))
