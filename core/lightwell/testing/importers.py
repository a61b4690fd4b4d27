"""What every importer has to keep, looked at with one file of its format."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightwell.errors import MissingSource
from lightwell.files import File
from lightwell.importers import Described, Importer
from lightwell.manifests import Manifest, build_manifest
from lightwell.model import ArrayRef, Entry, Group, entry_from_document
from lightwell.nexus import read_entry, write_entry
from lightwell.stacks import open_array

__all__ = ["check_importer"]


def check_importer(
    importer: Importer,
    path: str | os.PathLike[str],
    schema: type[Entry] | None = None,
    **options: Any,
) -> Entry:
    """Look whether an importer keeps its promises on a file or folder; give its first entry.

    It claims the path and nothing else's; describes it, twice alike, under names of their own;
    lists files that are there and arrays that open with the shape and type it said; and every
    entry survives the ways into the catalog and into a NeXus file.
    schema : the class the entries have to be of; options : the importer's own.
    Errors: AssertionError in a sentence; what the importer itself raises.
    """
    file = File(path)
    title = f"importer {importer.name}"
    _require(importer.claims(file), f"{title} does not claim {file}")
    _check_modesty(importer, title)
    given = importer.checked(options)
    found = list(importer.describe(file, **given))
    _require(bool(found), f"{title} finds no entry in {file}")
    names = [one.name for one in found]
    _require(len(set(names)) == len(names), f"{title} gives two entries one name: {names}")
    again = [one.entry for one in importer.describe(file, **given)]
    same = again == [one.entry for one in found]
    _require(same, f"{title} describes {file} otherwise the second time")
    for one in found:
        _check_one(one, schema, f"{title}, entry '{one.name}'")
    return found[0].entry


def _require(kept: bool, sentence: str) -> None:  # noqa: FBT001
    """Raise rather than assert: a kit must also work under ``python -O``."""
    if not kept:
        raise AssertionError(f"{sentence}.")


def _check_modesty(importer: Importer, title: str) -> None:
    """It leaves alone what is nobody's, and does not stumble over it."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.h5")
        empty.touch()
        text = Path(folder, "notes.txt")
        text.write_text("no scan\n", encoding="utf-8")
        inner = Path(folder, "folder")
        inner.mkdir()
        for path in (empty, text, inner):
            what = "an empty folder" if path is inner else f"{path.name}, which is no scan"
            _require(not importer.claims(File(path)), f"{title} claims {what}")


def _check_one(one: Described, schema: type[Entry] | None, title: str) -> None:
    entry = one.entry
    if schema is not None:
        _require(type(entry) is schema, f"{title} is a {type(entry).__name__}")
    _require(bool(one.parts), f"{title} lists no files")
    manifest = build_manifest(one.root, [(p.file.relative_to(one.root), p.role) for p in one.parts])
    refs = dict(_arrays(entry, ""))
    for place, ref in refs.items():
        _check_array(ref, manifest, entry, f"{title}, {place}")
    for key, original in entry.original.items():
        kept = original.field is None or entry.lookup(original.field) is not None
        _require(kept, f"{title}: '{key}' says it went to {original.field}, which is empty")
    _check_round_trips(entry, manifest, title)


def _arrays(value: Any, place: str) -> "Sequence[tuple[str, ArrayRef]]":
    """Every array reference of an entry, with its dotted path."""
    if isinstance(value, ArrayRef):
        return [(place, value)]
    if isinstance(value, Group):
        inner: Mapping[str, Any] = {n: getattr(value, n) for n in type(value).model_fields}
    elif isinstance(value, Mapping):
        inner = value
    else:
        return []
    return [
        found
        for name, child in inner.items()
        for found in _arrays(child, f"{place}.{name}" if place else str(name))
    ]


def _check_array(ref: ArrayRef, manifest: Manifest, entry: Entry, title: str) -> None:
    """It opens as described, and its first and last values can be read."""
    import numpy as np

    flagged = any(flag.code == "missing-source" for flag in entry.flags)
    try:
        array = open_array(ref, manifest)
        _require(tuple(array.shape) == ref.shape, f"{title} has shape {array.shape} in the file")
        _require(np.dtype(ref.dtype) == array.dtype, f"{title} is {array.dtype} in the file")
        if ref.size:
            for edge in (slice(0, 1), slice(-1, None)):
                part = array.read(tuple(_inside(edge, length) for length in ref.shape))
                _require(part.size == 1, f"{title} gives {part.shape} for one point")
    except MissingSource as error:
        _require(flagged, f"{title} cannot be read and no flag says so ({error})")


def _inside(edge: slice, length: int) -> slice:
    start, stop, _ = edge.indices(length)
    return slice(start, stop)


def _check_round_trips(entry: Entry, manifest: Manifest, title: str) -> None:
    """Model, document, model; and model, NeXus, model."""
    schemas = {entry.definition: type(entry)} if entry.definition else {}
    document = json.loads(json.dumps(entry.document(), allow_nan=False))
    back = entry_from_document(document, schemas)
    _require(back == entry and type(back) is type(entry), f"{title} is another one as a document")
    plain = entry_from_document(document)
    kept = plain.document() == entry.document()
    _require(kept, f"{title} loses something where its plugin is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = write_entry(Path(folder, "entry.nxs"), entry, manifest)
        read = read_entry(path, schemas=schemas)
        _require(read == entry, f"{title} is another one after it was written as NeXus")
