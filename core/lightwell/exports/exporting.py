"""The verb: which formats there are, and a dataset written as one of them."""

import os
from pathlib import Path
from typing import Final

from lightwell.datasets import Dataset
from lightwell.errors import ParameterError, UnknownName
from lightwell.exports.grey import DTYPES, Grey
from lightwell.exports.ome_zarr import write_ome_zarr
from lightwell.exports.png import write_png
from lightwell.exports.protocol import Export, Exported, Format, Tell
from lightwell.exports.raw import write_raw
from lightwell.exports.tiff import write_tiff
from lightwell.exports.volume import Slices, open_volume
from lightwell.words import nearest

__all__ = ["FORMATS", "export"]

FORMATS: Final = {
    format.name: format
    for format in (
        Format("tiff", "a stack (OUT.tif) or a folder of slices, for Fiji", write_tiff, DTYPES),
        Format("raw", "OUT.raw with OUT.mhd, for Fiji, Avizo, ParaView", write_raw, DTYPES),
        Format("png", "a folder of pictures", write_png, ("uint8", "uint16"), default="uint8"),
        Format("ome-zarr", "an OME-Zarr 0.5 pyramid, for viewers", write_ome_zarr, DTYPES),
    )
}


def export(
    dataset: Dataset,
    format: str,
    path: str | os.PathLike[str],
    *,
    array: str | None = None,
    slices: Slices | None = None,
    dtype: str | None = None,
    limits: tuple[float, float] | None = None,
    tell: Tell | None = None,
) -> Exported:
    """Write the volume of a dataset, a slab at a time; it appears complete or not at all.

    dataset : with its list of files; array : a path of the entry, its signal if not given;
    limits : the values that become black and white; tell : hears how far it is.
    Errors: InputError in one sentence; nothing that stands there already is touched.
    """
    if format not in FORMATS:
        raise UnknownName(f"there is no format '{format}'", remedy=nearest(format, FORMATS))
    chosen = FORMATS[format]
    volume = open_volume(dataset, array=array, slices=slices)
    grey = Grey(volume, dtype, limits, allowed=chosen.dtypes, default=chosen.default)
    if grey.dtype.name not in chosen.dtypes:
        raise ParameterError(
            f"{format} cannot hold {grey.dtype}", remedy=f"Choose {' or '.join(chosen.dtypes)}"
        )
    place = Path(os.path.normpath(Path(path).expanduser().absolute()))
    work = Export(volume, grey, place, tell or (lambda event: None))
    chosen.write(work)
    return Exported(place, format, work.facts())
