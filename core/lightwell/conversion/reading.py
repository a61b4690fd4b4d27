"""What a conversion wrote, ingested again: the entry as it was, whatever the file is called."""

from collections.abc import Iterator
from typing import Any, ClassVar

from lightwell.conversion.copying import array_places, with_arrays
from lightwell.conversion.nexus import CONVERSION_ATTRIBUTE
from lightwell.files import File
from lightwell.hdf5 import open_file, read_attributes
from lightwell.importers import Described, Importer, Part, opened_hdf5
from lightwell.model import ArrayRef, Entry, FilePart
from lightwell.nexus import entry_names, read_entry

__all__ = ["ConvertedEntry", "SelfContained"]

_BROKEN = (KeyError, OSError, RuntimeError, AttributeError)


class SelfContained(Importer):
    """Files that `lightwell convert` wrote, of one definition; a plugin names its schema.

    The description in the file is taken word for word, with flags and original values.
    """

    name: ClassVar[str] = "lightwell-entry"
    schema: ClassVar[type[Entry]] = Entry

    def claims(self, file: File) -> bool:
        with opened_hdf5(file) as opened:
            return opened is not None and bool(self._entries(file))

    def describe(self, file: File, /) -> Iterator[Described]:
        """Describe every entry of this definition as it was before it was converted."""
        definition = self.schema.definition
        schemas = {definition: self.schema} if definition else {}
        for name in self._entries(file):
            entry = read_entry(file.local_path(), name, schemas=schemas)
            yield Described(_at_home(entry, file.name), file.parent, [Part(file, "master")], name)

    def _entries(self, file: File) -> list[str]:
        """The entries that were converted and are of this definition."""
        wanted = self.schema.definition
        names = entry_names(file.local_path())
        with open_file(file.local_path()) as opened:
            found = {name: _converted(opened, name) for name in names}
        return [name for name, said in found.items() if (wanted in said if wanted else said)]


class ConvertedEntry(SelfContained):
    """Converted files of definitions that no plugin here knows, or of none."""

    name: ClassVar[str] = "lightwell"
    fallback: ClassVar[bool] = True


def _converted(opened: Any, name: str) -> list[str]:
    """The definitions that notes about conversions in an entry name."""
    found = []
    try:
        for child in opened[name]:
            value = read_attributes(opened[name][child]).get(CONVERSION_ATTRIBUTE)
            if value is not None:
                found.append(str(value))
    except _BROKEN:
        # A link that dangles, or a damaged group: not a file that we wrote.
        return found
    return found


def _at_home(entry: Entry, name: str) -> Entry:
    """The entry with its arrays in the file of a name, whatever it was called when written."""
    moved: dict[ArrayRef, ArrayRef] = {}
    for _, ref in array_places(entry, ""):
        parts = [
            part.model_copy(update={"file": name}) if isinstance(part, FilePart) else part
            for part in ref.parts
        ]
        moved[ref] = ref.model_copy(update={"parts": tuple(parts)})
    return with_arrays(entry, moved)
