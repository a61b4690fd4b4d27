"""NXsas and files like it: a NeXus entry that says it is one, with frames in its detector."""

from collections.abc import Iterator

from lightwell import Described, File, Importer, Part
from lightwell.errors import InputError
from lightwell.hdf5 import is_hdf5, linked_files, open_file
from lightwell.nexus import entry_names, is_ours, read_entry
from lightwell_saxs.importers.aps_usaxs import is_aps_usaxs
from lightwell_saxs.schema import Scattering

__all__ = ["NXsas"]

_BROKEN = (KeyError, OSError, RuntimeError)


class NXsas(Importer):
    """One NeXus file per scan, every NXsas entry a dataset."""

    name = "nxsas"

    def claims(self, file: File) -> bool:
        return bool(_entries(file))

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every NXsas entry with its links followed.

        Errors: InputError for an entry without frames.
        """
        path = file.local_path()
        for name in _entries(file):
            entry = read_entry(path, name, schemas={"NXsas": Scattering}, root=path.parent)
            if entry.lookup("instrument.detector.data") is None:
                raise InputError(
                    "the entry has no frames (instrument/detector/data)",
                    where=f"{file}:/{name}",
                    remedy="check the links of the file to its frames",
                )
            others = [File(other) for other in linked_files(path, f"/{name}")[1:]]
            parts = [Part(file, "master"), *(Part(other, "external") for other in others)]
            yield Described(entry, file.parent, parts, name=name)


def _entries(file: File) -> tuple[str, ...]:
    if file.is_dir or not file.is_local or not is_hdf5(file.local_path()):
        return ()
    with open_file(file.local_path()) as opened:
        if is_aps_usaxs(opened):
            return ()
        return tuple(n for n in entry_names(file.local_path()) if _is_sas(opened, n))


def _is_sas(opened: object, name: str) -> bool:
    try:
        group = opened[name]  # type: ignore[index]
        definition = group["definition"][()] if "definition" in group else b""
        text = definition.decode() if isinstance(definition, bytes) else str(definition)
        return text == "NXsas" and not is_ours(group)
    except (*_BROKEN, AttributeError, TypeError):
        return False
