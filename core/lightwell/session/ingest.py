"""Ingest: a path becomes datasets, described by a file of their own and remembered."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset, Given, ReplicaSummary, now
from lightwell.errors import (
    AmbiguousImporter,
    InputError,
    LightwellError,
    NoImporter,
    PluginError,
    UnreadableFile,
    raised_in,
)
from lightwell.files import File
from lightwell.importers import Described, Importer
from lightwell.manifests import build_manifest, refuse_touched
from lightwell.session.descriptions import as_first_seen, write_description
from lightwell.session.indexing import with_frames
from lightwell.session.rights import Rights
from lightwell.session.roots import refuse_outside
from lightwell.storage import Evidence, replicas_of

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["choose_importer", "ingest"]


_READERS = {"h5py", "hdf5plugin", "tifffile", "olefile", "numpy", "codecs", "encodings"}
"""Libraries that read bytes; what one of them raises is about the file."""


def ingest(rights: Rights, path: str, options: Mapping[str, Any], *, text: bool) -> list[Dataset]:
    """Describe what stands at a path and put it into the catalog; twice is the same as once.

    The description is on the disk before the catalog knows of it, and the catalog learns of a
    dataset in one transaction, so that a crash leaves either all of a dataset or nothing.
    What others own is not described anew by who may only see it.
    Errors: InputError in one sentence for anything that cannot be described; Conflict for what is
    there and may not be seen.
    """
    installation, owner = rights.installation, rights.user
    file = _reached(path)
    refuse_outside(file, installation.settings.roots)
    importer = choose_importer(installation, file)
    given = importer.checked(options, text=text)
    before = None if file.is_dir else file.stat()
    found = _described(importer, file, given)
    if before is not None:
        # The manifest sees what changes later.
        refuse_touched(file, before)
    if not found:
        raise NoImporter(f"importer {importer.name} found no entry", where=str(file))
    recorded = {name: Given(value, by=owner.name) for name, value in given.items()}
    return [_remember(rights, importer, file, one, recorded) for one in found]


def _reached(path: str) -> File:
    """What stands at a path or address.

    Errors: NotFound where nothing does; InputError for an address that leads nowhere.
    """
    try:
        # Not resolve(): a link keeps its name, only dots go.
        local = os.path.abspath(Path(path).expanduser())  # noqa: PTH100
        file = File(path if "://" in path else local)
        exists = file.exists
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be reached ({error})", remedy="check the address and the network"
        ) from error
    if not exists:
        file.stat()
    return file


def choose_importer(installation: "Installation", file: File) -> Importer:
    """The one importer that claims a path.

    Errors: NoImporter where none does, AmbiguousImporter where several do and no plugin decides.
    """
    _refuse_dangerous(file)
    plugins = installation.plugins
    known: Mapping[str, Importer] = plugins.importers
    claiming, problems = _claims(known.values(), file)
    if not claiming and problems:
        raise problems[0]
    if not claiming:
        raise NoImporter(
            f"no importer knows what {file.name} is",
            where=str(file),
            remedy=f"{_advice(known.values(), file)}known formats are: "
            f"{', '.join(sorted(known)) or 'none'}; a plugin can add another",
        )
    firm = [importer for importer in claiming if not importer.fallback]
    if not firm and problems:
        # Who knows the format better could not even look: that is what is to be said.
        raise problems[0]
    claiming = firm or claiming
    if len(claiming) > 1:
        chosen = plugins.resolve("resolve_importer", file=file, candidates=claiming)
        if chosen is None:
            names = ", ".join(sorted(i.name for i in claiming))
            raise AmbiguousImporter(
                f"several importers claim {file.name}: {names}",
                where=str(file),
                remedy="uninstall one, or let a plugin decide in resolve_importer",
            )
        return chosen  # type: ignore[no-any-return]
    return claiming[0]


def _refuse_dangerous(file: File) -> None:
    """Refuse what HDF5 would not come back from, before any importer opens it."""
    if not file.is_local or file.is_dir:
        return
    from lightwell.hdf5 import is_hdf5
    from lightwell.hdf5.heaps import refuse_endless_heaps

    if is_hdf5(file.local_path()):
        refuse_endless_heaps(file.local_path())


def _claims(
    importers: Iterable[Importer], file: File
) -> tuple[list[Importer], list[LightwellError]]:
    """Who claims a file, and what went wrong when the others looked at it."""
    claiming, problems = [], []
    for importer in importers:
        try:
            if importer.claims(file):
                claiming.append(importer)
        except LightwellError as error:
            problems.append(error)
        except Exception as error:
            problems.append(_failed(importer, file, error))
    return claiming, problems


def _advice(importers: Iterable[Importer], file: File) -> str:
    """What importers say to give instead; one that fails to look has nothing to say."""
    found = []
    for importer in importers:
        with suppress(Exception):
            found.append(importer.advice(file))
    return "".join(f"{said}; " for said in dict.fromkeys(found) if said)


def _described(importer: Importer, file: File, given: Mapping[str, Any]) -> list[Described]:
    """What the importer found.

    Errors: its own; PluginError naming it for anything that is not a sentence.
    """
    try:
        return list(importer.describe(file, **given))
    except LightwellError:
        raise
    except Exception as error:
        raise _failed(importer, file, error) from error


def _failed(importer: Importer, file: File, error: Exception) -> LightwellError:
    """A damaged file where the reading library gave up, else a fault of the importer."""
    if raised_in(error).partition(".")[0] in _READERS:
        return UnreadableFile(
            f"{file.name} is damaged, or not what its name says ({type(error).__name__}: {error})",
            where=str(file),
            remedy="copy it again from where it was written",
        )
    return PluginError(
        f"importer {importer.name} failed on {file.name} ({type(error).__name__}: {error})",
        where=f"{file}, {type(importer).__module__}",
        remedy="report it to the authors of that module, with the file",
    )


def _remember(
    rights: Rights,
    importer: Importer,
    file: File,
    described: Described,
    options: Mapping[str, Given],
) -> Dataset:
    installation, owner = rights.installation, rights.user
    members = [(part.file.relative_to(described.root), part.role) for part in described.parts]
    manifest = build_manifest(described.root, members)
    store = installation.stores.holding(described.root)
    moment = now()
    replicas = replicas_of(manifest, store, when=moment, by=owner.name, method="ingest")
    total = sum(replica.size for replica in replicas)
    summary = ReplicaSummary(store.name, store.tier, "online", len(replicas), total)
    dataset = Dataset.of(
        described.entry,
        manifest,
        kind="raw",
        importer=importer.name,
        path=str(file),
        owner=owner.name,
        entry_name=described.name,
        options=options,
        replicas=(summary,),
    )
    if rights.is_strange(dataset.pid):
        # Not a word of it on the disk either: it is there as its owner described it. What is known
        # of its frames follows from the same files.
        dataset = replace(dataset, frames=installation.catalog.get(dataset.pid).frames)
        return rights.view().put(dataset, by=owner, replicas=replicas)
    # Replaced, not refused: ingesting twice is the same as once, also after a crash in between.
    path = installation.folder("entries") / f"{dataset.pid}.nxs"
    evidence = Evidence(moment, owner.name, "ingest")
    known = path.exists()
    try:
        # Before the description, so that what is described has its frames in the index.
        dataset = with_frames(installation, dataset)
        write_description(path, as_first_seen(installation, dataset), evidence)
        stored = rights.view().put(dataset, by=owner, replicas=replicas)
    except Exception:
        # A disk that is full, a catalog that is locked: then there is no dataset, not half of one.
        if not known:
            path.unlink(missing_ok=True)
            installation.frame_index.discard(dataset.pid)
        raise
    with suppress(LightwellError, OSError):
        # For speed alone: what is not gathered now is answered from, and gathered next time.
        installation.frame_index.gather()
    installation.plugins.tell("on_ingested", dataset=stored)
    return stored
