"""HDF5: opening, links, lazy arrays, small values, atomic writing; nothing else imports h5py."""

from lightwell.hdf5.arrays import Hdf5Array, Selection
from lightwell.hdf5.links import Link, Place, links, locate, missing_sources
from lightwell.hdf5.opening import is_hdf5, open_file, reading, release
from lightwell.hdf5.values import (
    Values,
    decode,
    read_attributes,
    read_scalars,
    read_values,
    resolve_alias,
)
from lightwell.hdf5.writing import Source, external_link, soft_link, write_virtual, writing

__all__ = [
    "Hdf5Array",
    "Link",
    "Place",
    "Selection",
    "Source",
    "Values",
    "decode",
    "external_link",
    "is_hdf5",
    "links",
    "locate",
    "missing_sources",
    "open_file",
    "read_attributes",
    "read_scalars",
    "read_values",
    "reading",
    "release",
    "resolve_alias",
    "soft_link",
    "write_virtual",
    "writing",
]
