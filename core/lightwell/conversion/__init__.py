"""Conversion: a dataset as one file that needs no other, and that file ingested again."""

from lightwell.conversion.converting import convert
from lightwell.conversion.copying import Copy
from lightwell.conversion.nexus import NeXus, write_inside
from lightwell.conversion.protocol import Converted, Converter
from lightwell.conversion.reading import ConvertedEntry, SelfContained

__all__ = [
    "Converted",
    "ConvertedEntry",
    "Converter",
    "Copy",
    "NeXus",
    "SelfContained",
    "convert",
    "write_inside",
]
