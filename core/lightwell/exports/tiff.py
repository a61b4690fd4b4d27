"""TIFF: one file that Fiji opens with its pixel size, or a folder with a file per slice."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lightwell.exports.placing import complete_output
from lightwell.exports.protocol import FACTS_FILE, Export
from lightwell.units import ascii_unit

__all__ = ["SUFFIXES", "is_one_file", "write_tiff"]

SUFFIXES: Final = (".tif", ".tiff", ".btf")
_MICROMETRE = 1e-6
# A classic TIFF counts its bytes with 32 bits; the rest is for tags.
_LARGEST_CLASSIC: Final = 2**32 - 2**25
_NO_UNIT = 1


def is_one_file(path: Path) -> bool:
    """Whether a name is that of one file with many pages; else it is a folder of slices.

    >>> is_one_file(Path("head.tif")), is_one_file(Path("slices"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES


def write_tiff(export: Export, *, largest_classic: int = _LARGEST_CLASSIC) -> None:
    """Write the volume as one stack if the name ends in .tif, else as a folder of slices.

    Up to 4 GB it is a stack as ImageJ writes it, above a BigTIFF with OME metadata, which Fiji
    opens through Bio-Formats. `largest_classic` is for tests.
    """
    if not is_one_file(export.path):
        _write_folder(export)
    elif _bytes(export) <= largest_classic:
        _write_imagej(export)
    else:
        _write_big(export)


def _bytes(export: Export) -> int:
    z, y, x = export.volume.shape
    return z * y * x * int(export.grey.dtype.itemsize)


def _resolution(export: Export) -> dict[str, Any]:
    """The tags that tell the pixel size: pixels per micrometre; nothing where it is unknown."""
    _, y, x = export.volume.voxel
    if not (x and y):
        return {}
    return {"resolution": (_MICROMETRE / x, _MICROMETRE / y), "resolutionunit": _NO_UNIT}


def _imagej_metadata(export: Export) -> dict[str, Any]:
    """What ImageJ reads from the description: unit, spacing, and how grey becomes value again."""
    z, y, x = export.volume.voxel
    found: dict[str, Any] = {"axes": "ZYX", "Info": json.dumps(export.facts(), indent=1)}
    if x and y:
        found["unit"] = "um"
        if z:
            found["spacing"] = z / _MICROMETRE
    if export.grey.low is not None:
        # Calibration function 0 is a straight line.
        found |= {"cf": 0, "c0": export.grey.offset, "c1": export.grey.slope}
        found["vunit"] = ascii_unit(export.volume.unit or "value")
    return found


def _write_imagej(export: Export) -> None:
    import tifffile

    with (
        complete_output(export.path, needed=_bytes(export)) as part,
        tifffile.TiffWriter(part, imagej=True) as file,
    ):
        _write_pages(file, export, _imagej_metadata(export))


def _write_big(export: Export) -> None:
    import tifffile

    z, y, x = export.volume.voxel
    sizes = {"PhysicalSizeX": x, "PhysicalSizeY": y, "PhysicalSizeZ": z}
    known = {name: size / _MICROMETRE for name, size in sizes.items() if size}
    units = {f"{name}Unit": "µm" for name in known}
    facts = json.dumps(export.facts())
    with (
        complete_output(export.path, needed=_bytes(export)) as part,
        tifffile.TiffWriter(part, bigtiff=True, ome=True) as file,
    ):
        metadata = {"axes": "ZYX", "Name": export.volume.title, "Description": facts}
        _write_pages(file, export, {**metadata, **known, **units})


def _write_pages(file: Any, export: Export, metadata: Mapping[str, Any]) -> None:
    file.write(
        export.pages(),
        shape=export.volume.shape,
        dtype=export.grey.dtype,
        photometric="minisblack",
        metadata=dict(metadata),
        software=export.program,
        **_resolution(export),
    )


def _write_folder(export: Export) -> None:
    """One file per slice, numbered as in the dataset, so that a part of it stays recognisable."""
    import tifffile

    chosen = export.volume.chosen
    digits = max(4, len(str(chosen[-1])))
    with complete_output(export.path, needed=_bytes(export)) as part:
        part.mkdir()
        metadata = _imagej_metadata(export)
        own = {**metadata, "axes": "YX"}
        for index, page in zip(chosen, export.pages(), strict=True):
            tifffile.imwrite(
                part / f"slice_{index:0{digits}d}.tif",
                page,
                imagej=True,
                photometric="minisblack",
                metadata=own,
                software=export.program,
                **_resolution(export),
            )
        (part / FACTS_FILE).write_text(json.dumps(export.facts(), indent=1), encoding="utf-8")
