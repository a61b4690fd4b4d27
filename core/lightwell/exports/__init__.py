"""Export: a volume as files that other programs open, with its pixel size and its origin."""

from lightwell.exports.exporting import FORMATS, export
from lightwell.exports.grey import parse_range
from lightwell.exports.protocol import Export, Exported, Format, Tell
from lightwell.exports.volume import Slices, Volume, open_volume

__all__ = [
    "FORMATS",
    "Export",
    "Exported",
    "Format",
    "Slices",
    "Tell",
    "Volume",
    "export",
    "open_volume",
    "parse_range",
]
