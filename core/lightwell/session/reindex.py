"""Reindex: what the catalog says of descriptions and lineage, made anew from the files alone."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightwell.catalog.documents import storable
from lightwell.catalog.edits import differences, edited, newest_revision
from lightwell.catalog.journal import Event
from lightwell.catalog.rebuild import (
    fill,
    part_of,
    read_exported,
    replace_damaged,
    salvage_journal,
)
from lightwell.catalog.records import CatalogRow, DamagedCatalog
from lightwell.catalog.rights import grants_after, without_access
from lightwell.errors import Conflict, LightwellError
from lightwell.session.descriptions import Description, description_files, read_description
from lightwell.session.indexing import reindex_frames
from lightwell.storage import Replica
from lightwell.users import User

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["Reindexed", "changed_fields", "described_row", "open_catalog", "reindex"]

_ATTEMPTS: Final = 5

Events = Mapping[str | None, Sequence[Event]]


@dataclass
class Reindexed:
    """What a reindex did or, as a dry run, would do.

    changed : pid -> the fields that are not what they were; kept : remembered without a
    description, and left as they are; unreadable : description -> why; frames : datasets whose
    frames can be asked for.
    """

    datasets: int = 0
    added: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    damaged_catalog: str | None = None
    frames: int = 0
    dry_run: bool = False


def reindex(
    installation: "Installation",
    *,
    by: User,
    dry_run: bool = False,
    prune: bool = False,
    journal: Path | None = None,
) -> Reindexed:
    """Make the catalog anew from the descriptions, and do again what the journal says of them.

    What is remembered without a description is kept, unless `prune`. A sound catalog takes the
    new content over in one transaction; a damaged one is put aside and replaced, its journal
    read from it, or from the export `journal`. Killed anywhere, the old catalog stands.
    Errors: Conflict if others never stop writing, or for an exported journal where there is one
    already; UnreadableFile for a journal that is lost.
    """
    report = _reindex(installation, by, journal, dry_run=dry_run, prune=prune)
    if not dry_run:
        report.frames = reindex_frames(installation)
    return report


def _reindex(
    installation: "Installation", by: User, journal: Path | None, *, dry_run: bool, prune: bool
) -> Reindexed:
    """Make the catalog anew."""
    path = installation.embedded_file
    if path is not None and (not path.exists() or open_catalog(installation) is None):
        return _replace(installation, path, journal, dry_run=dry_run)
    if journal is not None and not dry_run:
        installation.catalog.take_over_journal(read_exported(journal))
    for _ in range(_ATTEMPTS):
        report = Reindexed(dry_run=dry_run)
        events = installation.catalog.journal()
        rows = _rows(installation, _by_pid(events), report, prune=prune)
        if dry_run:
            report.datasets = sum(1 for _ in rows)
            return report
        end = events[-1].number if events else 0
        if installation.catalog.rebuild(_counted(rows, report), journal_end=end, by=by):
            return report
    raise Conflict(
        "others wrote into the catalog at every attempt to replace it",
        where=installation.catalog.location,
        remedy="Repeat it when less is going on",
    )


def open_catalog(installation: "Installation") -> Any:
    """Return the catalog, or None if it is damaged."""
    try:
        catalog = installation.catalog
        return None if catalog.problems() else catalog
    except DamagedCatalog:
        return None


def _replace(
    installation: "Installation", path: Path, journal: Path | None, *, dry_run: bool
) -> Reindexed:
    """Make a new catalog where there is none, or one that cannot be used."""
    report = Reindexed(dry_run=dry_run)
    events = read_exported(journal) if journal else salvage_journal(path) if path.exists() else []
    rows = _from_files(installation, _by_pid(events), {}, report)
    if dry_run:
        report.datasets = sum(1 for _ in rows)
        return report
    part = part_of(path)
    try:
        fill(part, _counted(rows, report))
        old = installation.__dict__.pop("catalog", None)
        if old is not None:
            # Views that sessions hold open the new file when they are next asked.
            old.close()
        kept = replace_damaged(path, part, events)
    finally:
        part.unlink(missing_ok=True)
    report.damaged_catalog = str(kept) if kept else None
    return report


def _counted(rows: Iterator[CatalogRow], report: Reindexed) -> Iterator[CatalogRow]:
    for row in rows:
        report.datasets += 1
        yield row


def _by_pid(events: Sequence[Event]) -> Events:
    found = defaultdict(list)
    for event in events:
        found[event.pid].append(event)
    return found


def _rows(
    installation: "Installation", events: Events, report: Reindexed, *, prune: bool
) -> Iterator[CatalogRow]:
    """Yield the rows of the new catalog: the described, then those only the old one knows."""
    old = dict.fromkeys(installation.catalog.pids())
    yield from _from_files(installation, events, old, report)
    # What is left here has no description.
    for pid in old:
        if prune:
            report.removed.append(pid)
        elif (row := _remembered(installation, pid)) is not None:
            report.kept.append(pid)
            yield _granted(row, events.get(pid, ()))
        else:
            report.removed.append(pid)


def _from_files(
    installation: "Installation", events: Events, old: dict[str, None], report: Reindexed
) -> Iterator[CatalogRow]:
    """Yield a row for each description, taking its pid out of the `old` ones."""
    seen: set[str] = set()
    for path in description_files(installation.home):
        try:
            description = read_description(path, installation)
        except LightwellError as error:
            report.unreadable[str(path)] = str(error)
            continue
        pid = description.dataset.pid
        if pid in seen or pid != path.stem:
            report.unreadable[str(path)] = f"the file describes {pid}, another one is named so"
            continue
        seen.add(pid)
        before = _remembered(installation, pid) if pid in old else None
        row = described_row(description, events.get(pid, ()), before)
        if before is None:
            report.changed.update({pid: ["all of it"]} if pid in old else {})
            report.added += [] if pid in old else [pid]
        elif changed := changed_fields(before, row):
            report.changed[pid] = changed
        old.pop(pid, None)
        yield row


def _remembered(installation: "Installation", pid: str) -> CatalogRow | None:
    """Return what the old catalog says of a dataset, or None where that is damaged."""
    try:
        return installation.catalog.row(pid)  # type: ignore[no-any-return,unused-ignore]
    except DamagedCatalog:
        return None


def described_row(
    description: Description, events: Sequence[Event], before: CatalogRow | None
) -> CatalogRow:
    """Return what the catalog has to say of a description, after what the journal says.

    The revision goes up only where the document is not what it was. Copies that are known stay:
    the catalog has seen more of them than the file.
    """
    document = edited(description.document, events)
    rev = int(before.document["rev"]) if before else newest_revision(events)
    document = storable({**document, "rev": rev})
    if before is not None and document != without_access(before.document):
        document = {**document, "rev": rev + 1}
    row = CatalogRow(document, description.dataset.manifest, _copies(description, before))
    return _granted(row, events)


def _granted(row: CatalogRow, events: Sequence[Event]) -> CatalogRow:
    """Return a row with the grants that the journal has left; `fill` makes rules of them."""
    grants = {to: grant.to_document() for to, grant in grants_after(events).items()}
    document = without_access(row.document)
    return row._replace(document={**document, "access": {"grants": grants}} if grants else document)


def _copies(description: Description, before: CatalogRow | None) -> tuple[Replica, ...]:
    """Return the copies known; where the files lie elsewhere now, those of that store are new."""
    found = description.replicas
    if before is None or not before.replicas or not found:
        return before.replicas if before else found
    if before.manifest == description.dataset.manifest:
        return before.replicas
    here = {replica.store for replica in found}
    return (*(replica for replica in before.replicas if replica.store not in here), *found)


def changed_fields(before: CatalogRow, after: CatalogRow) -> list[str]:
    """Return the fields of a document in which two rows differ, and "files" for their lists."""
    told = (without_access(before.document), without_access(after.document))
    found = [".".join(keys) for keys, *_ in differences(*told)]
    return found + (["files"] if before.manifest != after.manifest else [])
