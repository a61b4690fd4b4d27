"""A folder of TIFF images: projections, flats and darks told apart by their names."""

import re
from collections.abc import Iterator
from typing import Annotated

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
from lightwell.containers.tiff import TiffStack, list_tiffs
from lightwell.errors import MissingMetadata, UnreadableFile
from lightwell.model import Monochromator
from lightwell.model.arrays import FilePart
from lightwell_tomography.importers.angles import frame_angles, given_angles
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["TiffFolder"]

_DARK = re.compile(r"(^|[_\-. ])(dark|drk|dc|df)s?([_\-. \d]|$)", re.IGNORECASE)
_FLAT = re.compile(r"(^|[_\-. ])(flat|white|bright|bak|ref|ff|open)s?([_\-. \d]|$)", re.IGNORECASE)
_ROLES = {DARK: "dark", FLAT: "flat", PROJECTION: "projection"}


class TiffFolder(Importer):
    """One image per file; ``dark…`` and ``flat…`` (or folders so named) are the calibration."""

    name = "tiff-folder"

    def claims(self, file: File) -> bool:
        return file.is_dir and bool(_tiffs(file))

    def describe(
        self,
        file: File,
        /,
        *,
        first_angle: Annotated[float | None, Unit("degree")] = None,
        last_angle: Annotated[float | None, Unit("degree")] = None,
        energy: Annotated[float | None, Unit("eV")] = None,
        pixel_size: Annotated[float | None, Unit("m")] = None,
        sample: str | None = None,
    ) -> Iterator[Described]:
        """Describe the folder; TIFF holds no metadata, so a person gives what is known."""
        images = _by_kind(file)
        shapes = {kind: TiffStack(files) for kind, files in images.items()}
        _check(file, images, shapes)
        projections = len(images[PROJECTION])
        before = len(images[DARK]) + len(images[FLAT])
        given = given_angles(first_angle, last_angle, projections)
        angles = frame_angles(given, before, str(file))
        detector = Detector(
            data=ArrayRef(
                shape=(before + projections, *shapes[PROJECTION].frame_shape),
                dtype=_widest(shapes),
                unit="counts",
                parts=tuple(
                    FilePart(container="tiff", role=_ROLES[kind], count=len(images[kind]))
                    for kind in (DARK, FLAT, PROJECTION)
                ),
            ),
            image_key=ArrayRef.concatenate(
                *(ArrayRef.constant(k, len(images[k])) for k in (DARK, FLAT, PROJECTION))
            ),
            x_pixel_size=pixel_size,
            y_pixel_size=pixel_size,
        )
        entry = Tomography(
            title=file.name,
            sample=Sample(name=sample, rotation_angle=angles),
            instrument=Instrument(
                detector=detector,
                monochromator=Monochromator(energy=energy) if energy is not None else None,
            ),
        )
        parts = [Part(f, _ROLES[k]) for k in (DARK, FLAT, PROJECTION) for f in images[k]]
        yield Described(entry, file, parts)


def _tiffs(folder: File) -> list[File]:
    """The images of a folder and of the folders in it."""
    inner = [child for child in folder.children() if child.is_dir]
    return [*list_tiffs(folder), *(image for child in inner for image in list_tiffs(child))]


def _by_kind(folder: File) -> dict[int, list[File]]:
    found: dict[int, list[File]] = {DARK: [], FLAT: [], PROJECTION: []}
    for image in _tiffs(folder):
        name = image.relative_to(folder)
        words = name.rpartition(".")[0].split("/")
        kind = next(
            (k for k, pattern in ((DARK, _DARK), (FLAT, _FLAT)) if any(map(pattern.search, words))),
            PROJECTION,
        )
        found[kind].append(image)
    return found


def _check(folder: File, images: dict[int, list[File]], stacks: dict[int, TiffStack]) -> None:
    """Refuse a folder that lacks a kind of image, or whose images differ in size.

    Errors: MissingMetadata, UnreadableFile naming the file.
    """
    for kind, role in _ROLES.items():
        if not images[kind]:
            raise MissingMetadata(
                f"the folder has no {role} images",
                where=str(folder),
                remedy=f"put them into the folder with names like {role}_0001.tif",
            )
    size = stacks[PROJECTION].frame_shape
    for kind, stack in stacks.items():
        if stack.frame_shape != size:
            raise UnreadableFile(
                f"{_ROLES[kind]} images are {stack.frame_shape}, projections {size}",
                where=str(images[kind][0]),
                remedy="the images of one scan have to be of one size",
            )


def _widest(stacks: dict[int, TiffStack]) -> str:
    import numpy as np

    return np.result_type(*(stack.dtype for stack in stacks.values())).name
