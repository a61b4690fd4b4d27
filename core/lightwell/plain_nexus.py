"""NeXus files that no plugin knows: every NXentry is a dataset, described as far as NeXus goes."""

import os
from collections.abc import Iterator
from pathlib import Path

from lightwell.errors import UnreadableFile
from lightwell.files import File
from lightwell.hdf5 import linked_files
from lightwell.importers import Described, Importer, Part, opened_hdf5
from lightwell.nexus import entry_names, is_ours, read_entry

__all__ = ["PlainNexus", "describe_entry"]


class PlainNexus(Importer):
    """Any file with NXentry groups that nobody else claims: BLISS masters, diffraction, spectra."""

    name = "nexus"
    fallback = True

    def claims(self, file: File) -> bool:
        return bool(_foreign_entries(file))

    def advice(self, file: File) -> str | None:
        with opened_hdf5(file) as opened:
            if opened is None:
                return None
        if entry_names(file.local_path()):
            return "lightwell wrote this file itself: give the path of the scan it describes"
        return (
            "the HDF5 file has no NXentry group and no layout of another importer: if a master "
            "file links to it, give the master"
        )

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every entry on its own; its manifest holds the files its links lead to.

        Links and virtual sources that lead nowhere are flagged.
        """
        for name in _foreign_entries(file):
            yield describe_entry(file, name)


def describe_entry(file: File, name: str) -> Described:
    """Describe one entry of a NeXus file, and list the file with those that its links lead to.

    Errors: UnreadableFile, InputError for a name the file does not have.
    """
    master = os.path.normpath(file.local_path().absolute())
    try:
        found = linked_files(master, f"/{name}")
        root = File(os.path.commonpath([str(Path(path).parent) for path in found]))
        entry = read_entry(master, name, root=root.local_path())
    except (KeyError, OSError, RuntimeError) as error:
        raise UnreadableFile(
            f"the entry {name} is damaged ({error})",
            where=str(file),
            remedy="Copy the file again from its source",
        ) from error
    parts = [Part(File(master), "master"), *(Part(File(path), "external") for path in found[1:])]
    return Described(entry, root, parts, name=name)


def _foreign_entries(file: File) -> tuple[str, ...]:
    """The entries that lightwell did not write itself: those it has in its catalog already."""
    try:
        with opened_hdf5(file) as opened:
            if opened is None:
                return ()
            names = entry_names(file.local_path())
            return tuple(name for name in names if not is_ours(opened[name]))
    except (KeyError, OSError, RuntimeError) as error:
        raise UnreadableFile(f"the entries cannot be read ({error})", where=str(file)) from error
