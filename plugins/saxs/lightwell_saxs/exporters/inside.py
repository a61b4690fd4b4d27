"""Entries with other names for their arrays, written with the arrays into one file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightwell.conversion import Copy
from lightwell.conversion.copying import array_places, with_arrays
from lightwell.errors import MissingMetadata
from lightwell.model import ArrayRef, Data, Entry
from lightwell.nexus import add_entry
from lightwell.stacks import ArrayInMemory, LazyArray

__all__ = ["entry_name", "parameters_of", "signal_data", "write_with_arrays"]


def entry_name(given: str) -> str:
    """The name of an entry in a file of its own."""
    return given.strip("/").replace("/", "_") or "entry"


def signal_data(entry: Entry, names: tuple[str, ...]) -> Data:
    """The data of a result whose signal has one of some names.

    Errors: MissingMetadata where there is none.
    """
    found = [d for d in entry.data.values() if d.signal in names and d.signal in d.fields]
    if not found:
        raise MissingMetadata(
            "the dataset has no reduced intensity",
            remedy="integrate the frames first (`lightwell run saxs.integrate PID`)",
        )
    return found[0]


def write_with_arrays(
    file: Any,
    entry: Entry,
    *,
    path: Path,
    name: str,
    copy: Copy,
    shaped: Mapping[ArrayRef, Callable[[Any], Any]] | None = None,
) -> Entry:
    """Copy the arrays of an entry to their places in an open file, then write the entry.

    shaped : what is done to some arrays before they are written; they are read whole.
    """
    moved: dict[ArrayRef, ArrayRef] = {}
    for place, ref in array_places(entry, f"/{name}"):
        if ref in moved:
            continue
        source: LazyArray = copy.open_array(ref)
        if shaped and ref in shaped:
            source = ArrayInMemory(shaped[ref](source.read()))
        group, _, last = place.rpartition("/")
        copy.array(file.require_group(group), last, source, unit=ref.unit)
        moved[ref] = ArrayRef.hdf5(path.name, place, source.shape, source.dtype.name, ref.unit)
    there = with_arrays(entry, moved)
    add_entry(file, there, path=path, name=name)
    return there


def parameters_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters a result was made with, by their names."""
    return {name: facts.get("value") for name, facts in job.get("parameters", {}).items()}
