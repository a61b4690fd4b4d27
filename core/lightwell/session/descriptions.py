"""The file that describes a dataset: its entry, and beside it all else the catalog is made of."""

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightwell.catalog.documents import storable
from lightwell.datasets import Dataset, Given, ManifestSummary, ReplicaSummary
from lightwell.errors import DamagedResult, InputError, NotFound, UnknownName
from lightwell.files import File
from lightwell.manifests import Manifest, ManifestFile, build_manifest
from lightwell.model import Entry
from lightwell.storage import Evidence, Replica, replicas_of

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = [
    "Description",
    "as_first_seen",
    "description_file",
    "description_files",
    "read_description",
    "with_master",
    "write_description",
]

DATASET_ATTRIBUTE: Final = "lightwell_dataset"
"""Marks the NXnote that holds the dataset; the value is the version of its form."""

_VERSION: Final = 1
_PLAIN: Final = ("pid", "kind", "importer", "path", "owner", "created", "entry_name", "proposal")
MASTER: Final = "master"


@dataclass(frozen=True)
class Description:
    """A dataset as its file describes it; `document` is what the catalog makes of it."""

    dataset: Dataset
    document: Mapping[str, Any]
    replicas: tuple[Replica, ...]
    path: Path


def write_description(path: Path, dataset: Dataset, evidence: Evidence) -> None:
    """Write the entry of a dataset as NeXus, and all a catalog needs to remember it again.

    A result's file is one of its own manifest and is left out of the list, since no file holds
    its own digest. The file appears when it is complete and takes the place of an earlier one;
    raises `ParameterError`, with nothing written, for what no catalog could keep.
    """
    import numpy as np

    from lightwell.hdf5 import writing
    from lightwell.nexus import add_entry

    note = json.dumps(_to_note(dataset, evidence), separators=(",", ":"))
    with writing(path, replace=True) as file:
        add_entry(file, dataset.entry, path=path, root=dataset.manifest)
        group = file["entry"].create_group(_free_name(file["entry"]))
        group.attrs["NX_class"] = "NXnote"
        group.attrs[DATASET_ATTRIBUTE] = _VERSION
        group["type"] = "application/json"
        group["description"] = "the dataset as lightwell reindex remembers it"
        # A fixed-length byte string is what validators take for NX_BINARY and h5web for JSON.
        group["data"] = np.bytes_(note.encode("ascii"))


def _free_name(group: Any) -> str:
    name = DATASET_ATTRIBUTE
    while name in group:
        name += "_"
    return name


def _to_note(dataset: Dataset, evidence: Evidence) -> dict[str, Any]:
    manifest = dataset.manifest
    # What no catalog could keep is refused before anything is on the disk.
    document = storable(dataset.to_document())
    return {
        **{name: document.get(name) for name in _PLAIN},
        "options": document.get("options", {}),
        "derived_from": document.get("derived_from", []),
        "job": document.get("job", {}),
        "frames": document.get("frames", {}),
        # Kept for the day the plugin that knows where they are is not installed.
        "canonical": document.get("canonical", {}),
        "store": asdict(dataset.replicas[0]) if dataset.replicas else None,
        "evidence": {"when": evidence.when, "by": evidence.by, "method": evidence.method},
        "root": manifest.root,
        "files": [astuple(file) for file in manifest.files],
    }


def as_first_seen(installation: "Installation", dataset: Dataset) -> Dataset:
    """Return a dataset with owner and time of creation as remembered, which all later ones keep."""
    try:
        known = installation.catalog.get(dataset.pid)
    except NotFound:
        return dataset
    return replace(dataset, owner=known.owner, created=known.created)


def description_file(home: Path, pid: str, kind: str) -> Path:
    """Return where the description of a dataset of a kind (raw, derived) stands below a home."""
    return home / ("entries" if kind == "raw" else f"results/{pid}") / f"{pid}.nxs"


def description_files(home: Path) -> list[Path]:
    """Return the descriptions below a home, those of results after those of scans."""
    scans = sorted((home / "entries").glob("*.nxs"))
    results = sorted((home / "results").glob("*/*.nxs"))
    return [*scans, *(path for path in results if path.stem == path.parent.name)]


def read_description(path: Path, installation: "Installation") -> Description:
    """Return what a description says; a result that was moved is described where it is now.

    Errors: DamagedResult for a file that does not say enough; UnreadableFile, NotFound.
    """
    from lightwell.nexus import read_entry

    note = _read_note(path)
    schemas = installation.plugins.schemas
    entry = read_entry(path, "entry", schemas=schemas)
    try:
        dataset = _dataset(note, entry, path)
        document = dataset.to_document()
        if dataset.definition and dataset.definition not in schemas:
            document["canonical"] = note["canonical"]
        return Description(dataset, document, _replicas(note, dataset, installation), path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise _incomplete(path, repr(error)) from error


def _read_note(path: Path) -> dict[str, Any]:
    from lightwell.hdf5 import open_file

    with open_file(path) as file:
        try:
            entry = file["entry"]
            for name in reversed(list(entry)):
                if name.startswith(DATASET_ATTRIBUTE) and DATASET_ATTRIBUTE in entry[name].attrs:
                    found = json.loads(entry[name]["data"][()])
                    return found if isinstance(found, dict) else {}
        except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
            raise _incomplete(path, str(error)) from error
    raise _incomplete(path, "no note of the dataset")


def _incomplete(path: Path, why: str) -> DamagedResult:
    return DamagedResult(
        f"the description does not say what the catalog needs ({why})",
        where=str(path),
        remedy="ingest its source again, or run the recipe again if it is a result",
    )


def _dataset(note: Mapping[str, Any], entry: Entry, path: Path) -> Dataset:
    manifest = Manifest(note["root"], tuple(ManifestFile(*each) for each in note["files"]))
    dataset = Dataset(
        **{name: note[name] for name in _PLAIN},
        entry=entry,
        summary=ManifestSummary.of(manifest),
        options={name: Given(**given) for name, given in note["options"].items()},
        derived_from=tuple(note["derived_from"]),
        job=note["job"],
        # Descriptions written before there was a frame index do not have it.
        frames=note.get("frames", {}),
        replicas=(ReplicaSummary(**note["store"]),) if note["store"] else (),
        file_list=manifest,
    )
    return with_master(dataset, path) if dataset.kind == "derived" else dataset


def with_master(dataset: Dataset, path: Path) -> Dataset:
    """Return a result with its own file first in its list, in the folder where that lies now."""
    folder = File(path.parent)
    own = build_manifest(folder, [(path.name, MASTER)])
    manifest = Manifest(folder.url, (*own.files, *dataset.manifest.files))
    copies = (replace(r, files=len(manifest.files), bytes=manifest.size) for r in dataset.replicas)
    return replace(
        dataset,
        path=str(path),
        summary=ManifestSummary.of(manifest),
        replicas=tuple(copies),
        file_list=manifest,
    )


def _replicas(
    note: Mapping[str, Any], dataset: Dataset, installation: "Installation"
) -> tuple[Replica, ...]:
    """Return the copies the files stood for when they were read; none on a store that is gone."""
    if not dataset.replicas:
        return ()
    try:
        store = installation.stores[dataset.replicas[0].store]
        return replicas_of(dataset.manifest, store, **note["evidence"])
    except UnknownName:
        return ()
