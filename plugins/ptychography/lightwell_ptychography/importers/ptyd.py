"""PtyPy's .ptyd: prepared frames in chunks, with positions and weights.

Layout: PtyPy's documentation of the format and its reader; no real file could be had. Energy is in
keV, lengths in metre; positions (frame, 2) are those of the illumination, rows first.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from lightwell import ArrayRef, Described, File, opened_hdf5
from lightwell.errors import InputError
from lightwell.hdf5 import open_file
from lightwell.model import Monochromator
from lightwell.nexus import Header
from lightwell_ptychography.importers.base import (
    Master,
    PtychographyImporter,
    array_ref,
    flag_missing,
    names_in,
)
from lightwell_ptychography.importers.frame import cut_to_shorter, of_light
from lightwell_ptychography.schema import (
    Ptychography,
    PtychographyDetector,
    PtychographyInstrument,
    Scan,
)

__all__ = ["Ptyd"]

_PROPAGATION: Mapping[str, Literal["far", "near"]] = {"farfield": "far", "nearfield": "near"}


class Ptyd(PtychographyImporter):
    """A file with chunks of frames and positions, as PtyPy saves them."""

    name = "ptyd"

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and bool(_chunks(opened)) and "meta" in opened

    def scans(self, file: File) -> Iterator[Described]:
        """Describe all chunks as one scan, in the order of their numbers."""
        master = Master.of(file)
        with open_file(file.local_path()) as opened:
            header = Header.of_hdf5(opened)
            entry = _entry(opened, master, header, file)
        yield Described(entry, master.root, master.parts)


def _chunks(opened: Any) -> list[str]:
    """The groups of chunks that hold frames, by number."""
    if "chunks" not in opened:
        return []
    held = opened["chunks"]
    names = [n for n in names_in(held) if re.fullmatch(r"\d+", n) and "data" in names_in(held[n])]
    return [f"/chunks/{name}" for name in sorted(names, key=int)]


def _entry(opened: Any, master: Master, header: Header, file: File) -> Ptychography:
    stacks, places = [], []
    for chunk in _chunks(opened):
        data = array_ref(opened, master, (f"{chunk}/data",), "counts")
        where = array_ref(opened, master, (f"{chunk}/positions",), "m")
        if data is None or where is None or data.ndim != 3:
            raise InputError(
                "a chunk has no frames or no positions",
                where=f"{file}:{chunk}",
                remedy="save the data with PtyPy again",
            )
        data, where = cut_to_shorter(header, data, where)
        stacks.append(data)
        places.append(where)
    frames, positions = ArrayRef.concatenate(*stacks), ArrayRef.concatenate(*places)
    mask = array_ref(opened, master, ("/meta/weight2d", "/common/weight2d", "/info/weight2d"))
    if mask is None and any(_has_weights(opened, chunk) for chunk in _chunks(opened)):
        header.flag("mask-not-used", "There is a weight for every pixel of every frame; not used.")
    origin = header.text("/info/propagation", "/meta/propagation")
    detector = _detector(header, frames, mask)
    energy = header.number(
        "/meta/energy",
        "/info/energy",
        to="eV",
        unit_default="keV",
        field="instrument.monochromator.energy",
    )
    flag_missing(
        header, energy=energy, distance=detector.distance, pixel_size=detector.x_pixel_size
    )
    return Ptychography(
        title=header.text("/meta/label", "/info/label") or file.name,
        instrument=PtychographyInstrument(
            monochromator=Monochromator(energy=energy) if energy else None, detector=detector
        ),
        scan=Scan(positions=positions, propagation=_PROPAGATION.get(origin or ""), **of_light()),
        original=header.original(),
        flags=header.flags,
    )


def _has_weights(opened: Any, chunk: str) -> bool:
    place = f"{chunk}/weights"
    return place in opened and getattr(opened[place], "size", 0) > 1


def _detector(header: Header, frames: ArrayRef, mask: ArrayRef | None) -> PtychographyDetector:
    sizes = header.numbers(
        "/meta/psize",
        "/info/psize",
        to="m",
        unit_default="m",
        field="instrument.detector.y_pixel_size",
    )
    has_mask = mask is not None and mask.shape == frames.shape[1:]
    return PtychographyDetector(
        data=frames,
        distance=header.number(
            "/meta/distance",
            "/info/distance",
            to="m",
            unit_default="m",
            field="instrument.detector.distance",
        ),
        y_pixel_size=sizes[0] if sizes else None,
        x_pixel_size=sizes[-1] if sizes else None,
        pixel_mask=mask if has_mask else None,
        mask_counts=True if has_mask else None,
    )
