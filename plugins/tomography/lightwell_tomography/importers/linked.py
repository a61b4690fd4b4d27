"""The files an HDF5 scan really consists of: the master, and whatever its links lead to."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightwell import ArrayRef, File, Part
from lightwell.hdf5 import links, open_file
from lightwell.hdf5.links import first_existing
from lightwell.manifests import Manifest, ManifestFile
from lightwell.stacks import open_array

__all__ = ["read_ref", "scan_files"]


def scan_files(master: File) -> tuple[File, list[Part]]:
    """The folder all files of a scan lie below, and the files: the master, then linked ones.

    External links and virtual sources count, also those of the linked files, as far as they are
    there: whatever can be read has to be in the manifest, or its change would go unnoticed.
    """
    first = os.path.normpath(master.local_path().absolute())
    found: dict[str, None] = {}
    waiting = [first]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting.extend(_targets(path))
    others = sorted(path for path in found if path != first)
    root = File(os.path.commonpath([str(Path(path).parent) for path in found]))
    return root, [Part(File(first), "master"), *(Part(File(p), "external") for p in others)]


def read_ref(ref: ArrayRef, root: File, parts: list[Part]) -> Any:
    """Read a short array of a scan that is just being described.

    Errors: MissingSource, UnreadableFile.
    """
    files = tuple(ManifestFile(part.file.relative_to(root), part.role, 0) for part in parts)
    return open_array(ref, Manifest(root.url, files)).read()


def _targets(path: str) -> Iterator[str]:
    """The files that links and virtual sources of a file lead to, where they are there."""
    with open_file(path) as opened:
        named = {link.target_file for link in links(opened) if link.exists and link.target_file}
    for target in sorted(named):
        for name in _numbered(target):
            there = first_existing(path, name)
            if there is None:
                break
            yield os.path.normpath(there)


def _numbered(target: str) -> Iterator[str]:
    """The names of a numbered series ("%b"), as virtual datasets may have, without end."""
    if "%b" not in target:
        yield target
        return
    number = 0
    while True:
        yield target.replace("%b", str(number)).replace("%%", "%")
        number += 1
