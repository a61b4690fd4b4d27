"""HDF5: opening, links, lazy arrays, small values, atomic writing; nothing else imports h5py."""

from lightwell.hdf5.arrays import Hdf5Array, Selection
from lightwell.hdf5.buffers import aligned
from lightwell.hdf5.chunks import copy_chunks, create_compressed, write_chunks, write_compressed
from lightwell.hdf5.layouts import ArrayLayout
from lightwell.hdf5.linked import linked_files
from lightwell.hdf5.links import Link, Place, links, locate, missing_sources, virtual_links
from lightwell.hdf5.mapping import map_array
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
from lightwell.hdf5.threads import limit_reading_threads, reading_threads, share
from lightwell.hdf5.values import (
    Values,
    decode,
    read_attributes,
    read_scalars,
    read_values,
    resolve_alias,
)
from lightwell.hdf5.writing import (
    Source,
    external_link,
    soft_link,
    write_virtual,
    write_virtual_stack,
    writing,
)

__all__ = [
    "ArrayFacts",
    "ArrayLayout",
    "Hdf5Array",
    "Link",
    "Member",
    "Place",
    "Selection",
    "Source",
    "Values",
    "address",
    "aligned",
    "all_attributes",
    "array_facts",
    "copy_chunks",
    "create_compressed",
    "decode",
    "external_link",
    "is_hdf5",
    "limit_reading_threads",
    "linked_files",
    "links",
    "locate",
    "map_array",
    "members",
    "missing_sources",
    "object_kind",
    "open_file",
    "read_attributes",
    "read_scalars",
    "read_values",
    "reading",
    "reading_threads",
    "release",
    "resolve_alias",
    "share",
    "soft_link",
    "virtual_links",
    "write_chunks",
    "write_compressed",
    "write_virtual",
    "write_virtual_stack",
    "writing",
]
