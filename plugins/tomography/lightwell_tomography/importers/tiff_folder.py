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
from lightwell.containers.tiff import TiffStack, is_tiff, list_tiffs
from lightwell.errors import InputError, MissingMetadata
from lightwell.model import FilePart, Flag, Monochromator
from lightwell_tomography.importers.angles import given_angles, needed, over_frames
from lightwell_tomography.schema import DARK, FLAT, PROJECTION, Tomography

__all__ = ["TiffFolder"]

# The last alternative: beamline 8.3.2 wrote <name>drk_0000_0000.tif and <name>bak_0000_0000.tif.
_WORDS = {
    DARK: "darks?|darkfields?|drk|dc|df",
    FLAT: "flats?|flatfields?|whites?|bright|bak|refs?|ff|open|ob",
}
_ENDINGS = {DARK: r"drk_\d", FLAT: r"bak_\d"}
_PATTERNS = {
    kind: re.compile(rf"(^|[_\-. ])({words})([_\-. \d]|$)|{_ENDINGS[kind]}", re.IGNORECASE)
    for kind, words in _WORDS.items()
}
_DIGITS = re.compile(r"\d+")
_ROLES = {DARK: "dark", FLAT: "flat", PROJECTION: "projection"}
_KINDS = (DARK, FLAT, PROJECTION)


class TiffFolder(Importer):
    """One image per file; ``dark…`` and ``flat…`` (or folders so named) are the calibration."""

    name = "tiff-folder"

    def claims(self, file: File) -> bool:
        """True for a folder with dark or flat images: other images may be anybody's."""
        return file.is_dir and any(_kind(file, image) != PROJECTION for image in _tiffs(file))

    def advice(self, file: File) -> str | None:
        if not file.is_dir:
            return "give the folder of the images, not one of them" if is_tiff(file) else None
        if _tiffs(file):
            return (
                "for a scan of TIFF images give the folder that holds its dark and flat images "
                "too, named so (dark_0001.tif, flat_0001.tif)"
            )
        return None

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
        """Describe the folder; TIFF holds no metadata, so a person gives what is known.

        first_angle, last_angle : of the projections, both ends included.
        """
        images, flags = _by_kind(file)
        stacks = {kind: _Stack(kind, images[kind]) for kind in _KINDS}
        _check_sizes(stacks)
        given = given_angles(first_angle, last_angle, stacks[PROJECTION].count)
        key = [kind for kind in _KINDS for _ in range(stacks[kind].count)]
        entry = Tomography(
            title=file.name,
            sample=Sample(name=sample, rotation_angle=over_frames(needed(given, str(file)), key)),
            instrument=Instrument(
                detector=_detector(stacks, pixel_size),
                monochromator=Monochromator(energy=energy) if energy is not None else None,
            ),
            flags=tuple(flags),
        )
        parts = [Part(image, _ROLES[kind]) for kind in _KINDS for image in images[kind]]
        yield Described(entry.with_plot(), file, parts)


class _Stack:
    """The images of one kind, every one of them looked at.

    Errors: UnreadableFile, InputError naming the image that does not belong.
    """

    def __init__(self, kind: int, images: list[File]) -> None:
        first = TiffStack(images)
        self.kind, self.first = kind, images[0]
        self.count, *self.size = first.shape
        self.dtype = first.dtype
        for image in images[1:]:
            other = TiffStack([image])
            if other.shape != (1, *self.size) or other.dtype != self.dtype:
                raise InputError(
                    f"{image.name} is {_shape(other.shape)} {other.dtype}, the first image "
                    f"{self.first.name} is {_shape([1, *self.size])} {self.dtype}",
                    where=str(image),
                    remedy="remove the file that does not belong to the scan",
                )


def _detector(stacks: dict[int, _Stack], pixel_size: float | None) -> Detector:
    import numpy as np

    counts = {kind: stack.count for kind, stack in stacks.items()}
    keys = (ArrayRef.constant(kind, counts[kind]) for kind in _KINDS)
    return Detector(
        data=ArrayRef(
            shape=(sum(counts.values()), *stacks[PROJECTION].size),
            dtype=np.result_type(*(stack.dtype for stack in stacks.values())).name,
            unit="counts",
            parts=tuple(
                FilePart(container="tiff", role=_ROLES[kind], count=counts[kind]) for kind in _KINDS
            ),
        ),
        image_key=ArrayRef.concatenate(*keys).model_copy(update={"dtype": "int32"}),
        x_pixel_size=pixel_size,
        y_pixel_size=pixel_size,
    )


def _tiffs(folder: File) -> list[File]:
    """The images of a folder, and of those folders in it that hold one kind of image.

    A folder in it with several kinds is a scan of its own.
    """
    found = list(list_tiffs(folder))
    for inner in folder.children():
        if inner.is_dir and not inner.name.startswith("."):
            images = list_tiffs(inner)
            if len({_kind(inner, image) for image in images}) == 1:
                found.extend(images)
    return found


def _kind(folder: File, image: File) -> int:
    words = image.relative_to(folder).rpartition(".")[0].split("/")
    kinds = (kind for kind, pattern in _PATTERNS.items() if any(map(pattern.search, words)))
    return next(kinds, PROJECTION)


def _by_kind(folder: File) -> tuple[dict[int, list[File]], list[Flag]]:
    """The images by kind; those beside the series of projections are left out and flagged.

    Errors: MissingMetadata where a kind has no image, InputError where there are several series.
    """
    found: dict[int, list[File]] = {DARK: [], FLAT: [], PROJECTION: []}
    for image in _tiffs(folder):
        found[_kind(folder, image)].append(image)
    for kind, images in found.items():
        if not images:
            raise _without(folder, kind, sum(map(len, found.values())))
    found[PROJECTION], others = _series(folder, found[PROJECTION])
    flags = [
        Flag(
            code="image-left-out",
            message=f"{image.relative_to(folder)} is not of the series of projections.",
            path=image.relative_to(folder),
        )
        for image in others
    ]
    return found, flags


def _without(folder: File, kind: int, count: int) -> MissingMetadata:
    role = _ROLES[kind]
    if kind == PROJECTION:
        return MissingMetadata(
            f"the folder has no projections: the names of all {count} images say dark or flat",
            where=str(folder),
            remedy="put the projections into it, under names without these words",
        )
    return MissingMetadata(
        f"the folder has no {role} images among its {count}",
        where=str(folder),
        remedy=f"put them into the folder with names like {role}_0001.tif",
    )


def _series(folder: File, images: list[File]) -> tuple[list[File], list[File]]:
    """The images whose names differ in numbers only, and lone ones beside them (previews).

    Errors: InputError where several series stand beside each other.
    """
    series: dict[str, list[File]] = {}
    for image in images:
        series.setdefault(_DIGITS.sub("#", image.relative_to(folder)), []).append(image)
    chosen = max(series.values(), key=len)
    others = [members for members in series.values() if members is not chosen]
    if rivals := [members for members in others if len(members) > 1]:
        raise InputError(
            f"the folder holds several series of images: {chosen[0].relative_to(folder)} "
            f"({len(chosen)}), {rivals[0][0].relative_to(folder)} ({len(rivals[0])})",
            where=str(folder),
            remedy="keep one scan per folder, and pictures made of it somewhere else",
        )
    if others and len(chosen) == 1 and TiffStack(chosen).shape[0] == 1:
        # Names without numbers: nothing tells a preview from a projection.
        return images, []
    return chosen, [image for members in others for image in members]


def _check_sizes(stacks: dict[int, _Stack]) -> None:
    """Refuse images of different sizes.

    Errors: InputError naming one of the images.
    """
    wanted = stacks[PROJECTION].size
    for stack in stacks.values():
        if stack.size != wanted:
            raise InputError(
                f"{_ROLES[stack.kind]} images are {_shape(stack.size)} pixels, projections "
                f"{_shape(wanted)}",
                where=str(stack.first),
                remedy="the images of one scan have to be of one size",
            )


def _shape(shape: "list[int] | tuple[int, ...]") -> str:
    return " x ".join(map(str, shape))
