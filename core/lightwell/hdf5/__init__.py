"""HDF5: opening, links, lazy arrays, small values, atomic writing; nothing else imports h5py."""

from lightwell.hdf5.arrays import Hdf5Array, Selection
from lightwell.hdf5.linked import linked_files
from lightwell.hdf5.links import Link, Place, links, locate, missing_sources, virtual_links
from lightwell.hdf5.members import (
    ArrayFacts,
    Member,
    address,
    all_attributes,
    array_facts,
    members,
    object_kind,
)
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
    "ArrayFacts",
    "Hdf5Array",
    "Link",
    "Member",
    "Place",
    "Selection",
    "Source",
    "Values",
    "address",
    "all_attributes",
    "array_facts",
    "decode",
    "external_link",
    "is_hdf5",
    "linked_files",
    "links",
    "locate",
    "members",
    "missing_sources",
    "object_kind",
    "open_file",
    "read_attributes",
    "read_scalars",
    "read_values",
    "reading",
    "release",
    "resolve_alias",
    "soft_link",
    "virtual_links",
    "write_virtual",
    "writing",
]
