"""The files an HDF5 scan really consists of: the master, and whatever its links lead to."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightwell import ArrayRef, File, Part
from lightwell.errors import UnreadableFile
from lightwell.hdf5 import linked_files
from lightwell.manifests import Manifest, ManifestFile
from lightwell.stacks import open_array

__all__ = ["damage_said", "read_ref", "root_of", "scan_files"]


def scan_files(master: File) -> tuple[File, list[Part]]:
    """The folder all files of a scan lie below, and the files: the master, then linked ones.

    External links and virtual sources count, also those of the linked files, as far as they are
    there: whatever can be read has to be in the manifest, or its change would go unnoticed.
    """
    return root_of(linked_files(master.local_path()))


def root_of(paths: Sequence[str]) -> tuple[File, list[Part]]:
    """The folder that files lie below, and the files: the master is the first of them."""
    root = File(os.path.commonpath([str(Path(path).parent) for path in paths]))
    first, *others = (File(path) for path in paths)
    return root, [Part(first, "master"), *(Part(other, "external") for other in others)]


@contextmanager
def damage_said(file: File) -> Iterator[None]:
    """Turn what HDF5 raises at damaged groups and attributes into a sentence.

    Errors: UnreadableFile.
    """
    try:
        yield
    except (KeyError, OSError, RuntimeError) as error:
        raise UnreadableFile(
            f"{file.name} is damaged ({error})",
            where=str(file),
            remedy="copy it again from its source",
        ) from error


def read_ref(ref: ArrayRef, root: File, parts: list[Part]) -> Any:
    """Read a short array of a scan that is just being described.

    Errors: MissingSource, UnreadableFile.
    """
    files = tuple(ManifestFile(part.file.relative_to(root), part.role, 0) for part in parts)
    return open_array(ref, Manifest(root.url, files)).read()
