"""Raw numbers with a MetaImage header, which Fiji, Avizo, ParaView and ITK read."""

from pathlib import Path
from typing import Any

from lightwell.errors import ParameterError
from lightwell.exports.placing import complete_output
from lightwell.exports.protocol import Export

__all__ = ["write_raw"]

_TYPES = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "float32": "MET_FLOAT"}
_MILLIMETRE = 1e-3


def write_raw(export: Export) -> None:
    """Write NAME.raw, little-endian, slice after slice, and NAME.mhd, which tells what it is."""
    numbers, header = _names(export.path)
    z, y, x = export.volume.shape
    needed = z * y * x * int(export.grey.dtype.itemsize)
    written = False
    try:
        # The header is what people open, so it gets its name last.
        with complete_output(header) as text:
            with complete_output(numbers, needed=needed) as part:
                _write_numbers(export, part)
            written = True
            text.write_text(_header(export, numbers.name), encoding="utf-8")
    except BaseException:
        if written:
            numbers.unlink(missing_ok=True)
        raise


def _write_numbers(export: Export, part: Path) -> None:
    import numpy as np

    little = export.grey.dtype.newbyteorder("<")
    with part.open("wb") as stream:
        for _, slab in export.slabs():
            stream.write(np.ascontiguousarray(slab, dtype=little).data)
            del slab


def _names(path: Path) -> tuple[Path, Path]:
    """The names of data and header, from either of them or from none.

    >>> [name.name for name in _names(Path("head.mhd"))]
    ['head.raw', 'head.mhd']
    """
    if path.suffix not in ("", ".raw", ".mhd"):
        raise ParameterError(
            f"{path.name} is no name for raw numbers", remedy=f"Write {path.stem}.raw"
        )
    return path.with_suffix(".raw"), path.with_suffix(".mhd")


def _header(export: Export, data: str) -> str:
    z, y, x = export.volume.shape
    lines: dict[str, Any] = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "DimSize": f"{x} {y} {z}",
        "ElementSpacing": _spacing(export),
        "ElementType": _TYPES[export.grey.dtype.name],
    }
    for name, value in export.facts().items():
        # A header has one line per field, and no field of ours may be one of its own.
        lines[f"Lightwell_{name}"] = " ".join(str(value).split())
    # Readers stop at this line.
    lines["ElementDataFile"] = data
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def _spacing(export: Export) -> str:
    """The edges of a voxel (x, y, z) in mm, as readers take it; 1 where it is not known."""
    sizes = reversed(export.volume.voxel)
    return " ".join(repr(size / _MILLIMETRE) if size else "1" for size in sizes)
