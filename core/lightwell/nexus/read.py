"""NeXus files as entries: our own exactly, foreign ones as far as they say what they mean."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.errors import InputError, UnreadableFile
from lightwell.hdf5 import locate, members, open_file, read_attributes
from lightwell.model import Entry, Flag, entry_from_document
from lightwell.nexus.groups import GroupReader
from lightwell.nexus.header import Header
from lightwell.nexus.write import DOCUMENT_ATTRIBUTE

__all__ = ["entry_names", "is_ours", "read_entry"]


def entry_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of the NXentry groups of a file, the default one first.

    Raises UnreadableFile and NotFound as `open_file` does.
    """
    with open_file(path) as file:
        return _entry_names(file)


def read_entry(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    schemas: Mapping[str, type[Entry]] | None = None,
    root: str | os.PathLike[str] | None = None,
    roots: Sequence[Path] | None = None,
) -> Entry:
    """Return an entry of a NeXus file: the default one, or that of a name.

    A file of ours gives exactly what was written. In a foreign one groups are taken by their
    NX_class, numbers converted to the units of the model, everything else kept in `original`;
    dangling links and doubtful values are flagged. File names are relative to `root` (the
    file's folder, if not given); links lead nowhere outside `roots`. Raises UnreadableFile for a
    file without entries.
    """
    source = Path(path)
    with open_file(source) as file:
        names = _entry_names(file)
        if not names:
            raise UnreadableFile(
                "the file holds no NXentry group",
                where=str(source),
                remedy="Use an importer that knows this layout",
            )
        chosen = name or names[0]
        if chosen not in names:
            raise InputError(
                f"the file has no entry {chosen!r}", where=str(source), remedy=f"It has {names}"
            )
        ours = _document(file[chosen])
        if ours is not None:
            return entry_from_document(ours, schemas)
        base = Path(root) if root is not None else source.parent
        entry = _foreign(file, chosen, source, base, schemas or {}, roots)
    return entry if name or len(names) == 1 else entry.with_flags(_several(names))


def _several(names: tuple[str, ...]) -> Flag:
    """Return the flag of a file whose other entries were not asked for."""
    listed = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return Flag(
        code="several-entries", message=f"The file holds {len(names)} entries: {listed}.", path="/"
    )


def _foreign(
    file: Any,
    name: str,
    source: Path,
    root: Path,
    schemas: Mapping[str, type[Entry]],
    roots: Sequence[Path] | None,
) -> Entry:
    """Return the entry of a file that lightwell did not write."""
    header = Header.of_hdf5(file, f"/{name}")
    definition = header.text(f"/{name}/definition", field="definition")
    schema = schemas.get(definition or "", Entry)
    reader = GroupReader(file, source, root, header, roots)
    entry = reader.entry(schema, f"/{name}")
    header.flag_missing_sources(source, f"/{name}", roots=roots)
    place = locate(source, f"/{name}", roots=roots)
    if place.file != str(source):
        # The entry itself is a link into another file, as in BLISS masters.
        header.flag_missing_sources(place.file, place.path, roots=roots)
    unknown = {"definition": definition} if definition and schema.definition is None else {}
    extra = {**entry.unknown, **unknown}
    return entry.model_copy(
        update={"original": header.original(), "flags": header.flags, "unknown": extra}
    )


def _entry_names(file: Any) -> tuple[str, ...]:
    """Return the entries of an open file, its default first."""
    found = []
    # Not the file itself: a damaged list of names has to be a sentence.
    for name in (member.name for member in members(file)):
        try:
            attributes = read_attributes(file[name])
        except (KeyError, OSError, RuntimeError):
            continue
        if attributes.get("NX_class") == "NXentry":
            found.append(str(name))
    default = str(read_attributes(file).get("default", "")).strip("/").split("/")[0]
    return tuple(sorted(found, key=lambda name: name != default))


def is_ours(group: Any) -> bool:
    """Return whether lightwell wrote an open entry, and its exact description beside it."""
    return _document(group) is not None


def _document(group: Any) -> dict[str, Any] | None:
    """Return the exact entry that lightwell wrote beside the groups, if it did."""
    for name in reversed(list(group)):
        try:
            item = group[name]
            if DOCUMENT_ATTRIBUTE not in item.attrs:
                continue
            found = json.loads(item["data"][()])
        except (KeyError, OSError, RuntimeError, ValueError, TypeError):
            continue
        if isinstance(found, dict):
            return found
    return None
