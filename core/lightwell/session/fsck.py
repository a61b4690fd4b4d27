"""Fsck: files, catalog and journal held against each other, and what to do where they differ."""

import shlex
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightwell.catalog.journal import Event
from lightwell.catalog.records import CatalogRow, DamagedCatalog
from lightwell.catalog.rights import grants_after, with_access
from lightwell.errors import LightwellError
from lightwell.manifests import verify
from lightwell.session.checked_frames import frame_tables, frames_of, undescribed_frames
from lightwell.session.descriptions import (
    Description,
    description_file,
    description_files,
    read_description,
)
from lightwell.session.findings import Finding
from lightwell.session.reindex import changed_fields, described_row, open_catalog

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["ABANDONED_SECONDS", "Checked", "Finding", "check"]

ABANDONED_SECONDS: Final = 60.0
"""A leftover that nobody has written to for so long, and nobody has locked, is nobody's."""

_REINDEX: Final = "lightwell reindex"
_LEFTOVERS: Final = ("*.part", "*.part-wal", "*.part-shm")


@dataclass
class Checked:
    """What a check found; `mended` are leftovers that were removed, which count no more."""

    datasets: int = 0
    descriptions: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True if nothing differs."""
        return not self.findings


def check(
    installation: "Installation",
    *,
    content: bool = False,
    mend: bool = False,
    idle: float = ABANDONED_SECONDS,
) -> Checked:
    """Compare files, catalog and journal; nothing is changed, except that `mend` removes leftovers.

    content : read every data file and compare its digest, not only its size; idle : seconds
    since the last writing after which a leftover is nobody's.
    """
    report = Checked()
    _look_at_leftovers(_leftovers(installation.home), report, idle if mend else None)
    catalog = open_catalog(installation)
    if catalog is None:
        report.findings.append(_damaged(installation))
        return report
    events = catalog.journal()
    report.findings += _journal_gaps(events, installation)
    by_pid: dict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        by_pid[event.pid].append(event)
    unseen = set(catalog.pids())
    known = frozenset(unseen)
    report.datasets = len(known)
    of_nobody = undescribed_frames(installation, known)
    _look_at_leftovers(of_nobody, report, idle if mend else None)
    for path in description_files(installation.home):
        report.descriptions += 1
        report.findings += _description(installation, path, by_pid, unseen, known)
    for pid in sorted(known):
        try:
            row = catalog.row(pid)
        except DamagedCatalog as error:
            report.findings.append(_damaged_row(pid, error, installation))
            continue
        if not catalog.is_indexed(pid):
            report.findings.append(_not_found(pid, installation))
        if pid in unseen:
            report.findings.append(_without_description(row, installation))
        report.files += len(row.manifest.files)
        report.findings += [*_files(row, content=content), *_lineage(row, known)]
        report.findings += _access(row, by_pid.get(pid, []), installation, known)
        report.findings += frames_of(row, installation)
    report.findings += frame_tables(installation, known)
    return report


def _look_at_leftovers(leftovers: Sequence[Path], report: Checked, idle: float | None) -> None:
    """Remove leftovers that nobody has written to for `idle` seconds, tell of the others."""
    for leftover in leftovers:
        if idle is not None and _is_abandoned(leftover, idle):
            leftover.unlink(missing_ok=True)
            report.mended.append(str(leftover))
        else:
            report.findings.append(_leftover(leftover))


def _leftovers(home: Path) -> list[Path]:
    found = {path for pattern in _LEFTOVERS for path in home.rglob(pattern) if path.is_file()}
    return sorted(found)


def _is_abandoned(path: Path, idle: float) -> bool:
    """Whether nobody writes a file any more: HDF5 locks what it writes, others touch it."""
    try:
        if time.time() - path.stat().st_mtime < idle:
            return False
        try:
            import fcntl
        except ImportError:  # not a POSIX system: a file in use cannot be removed there
            return True
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _leftover(path: Path) -> Finding:
    return Finding(
        "leftover",
        str(path),
        "an unfinished file of a process that died, or one being written now",
        "lightwell fsck --mend, a minute after the last writing",
    )


def _place_of(installation: "Installation") -> str:
    """Where the catalog is kept, also if it cannot be opened."""
    file = installation.embedded_file
    return installation.catalog.location if file is None else str(file)


def _damaged(installation: "Installation") -> Finding:
    try:
        what = "; ".join(installation.catalog.problems()[:3])
    except LightwellError as error:
        what = error.what
    where = _place_of(installation)
    return Finding("catalog-damaged", where, f"the catalog is damaged: {what}", _REINDEX)


def _damaged_row(pid: str, error: LightwellError, installation: "Installation") -> Finding:
    where = _place_of(installation)
    return Finding("catalog-damaged", where, error.what, _REINDEX, pid)


def _not_found(pid: str, installation: "Installation") -> Finding:
    what = "searches look in an index that does not say what the dataset says"
    where = _place_of(installation)
    return Finding("index-differs", where, what, _REINDEX, pid)


def _journal_gaps(events: Sequence[Event], installation: "Installation") -> Iterator[Finding]:
    """The journal counts without gaps; a missing number is an event that somebody took out."""
    expected = 1
    for event in events:
        if event.number != expected:
            yield Finding(
                "journal-gap",
                _place_of(installation),
                f"the journal lacks its events {expected} to {event.number - 1}",
                "compare with an earlier export; restore the catalog from its backup if in doubt",
            )
        expected = event.number + 1


def _description(
    installation: "Installation",
    path: Path,
    events: dict[str | None, list[Event]],
    unseen: set[str],
    known: frozenset[str],
) -> Iterator[Finding]:
    """Hold one description against its row in the catalog."""
    pid = path.stem
    unseen.discard(pid)
    try:
        description = read_description(path, installation)
    except LightwellError as error:
        remedy = error.remedy or "remove it"
        if pid in known:
            with suppress(DamagedCatalog):
                remedy = _describe_again(installation.catalog.row(pid))
        yield Finding("description-unreadable", str(path), error.what, remedy, pid)
        return
    if description.dataset.pid != pid:
        what = f"the file describes {description.dataset.pid}, another dataset is named so"
        yield Finding("description-misnamed", str(path), what, "give it its own name back", pid)
    elif pid not in known:
        what = "described on the disk, and not in the catalog"
        yield Finding("not-in-catalog", str(path), what, _REINDEX, pid)
    else:
        # A row that is damaged is told of with the rows.
        with suppress(DamagedCatalog):
            yield from _compared(description, installation.catalog.row(pid), events.get(pid, []))


def _compared(
    description: Description, row: CatalogRow, events: Sequence[Event]
) -> Iterator[Finding]:
    wanted = described_row(description, events, row)
    changed = changed_fields(row, wanted)
    if changed:
        shown = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" * (len(changed) > 5))
        what = f"the catalog differs from description and journal in {shown}"
        pid = description.dataset.pid
        yield Finding("catalog-differs", str(description.path), what, _REINDEX, pid)


def _describe_again(row: CatalogRow) -> str:
    """The command that writes a description once more."""
    document = row.document
    if document["kind"] == "derived":
        return f"lightwell replay {document['pid']} --verify"
    options = [f"{name}={given['value']}" for name, given in document.get("options", {}).items()]
    words = [str(document["path"]), *(word for each in options for word in ("--set", each))]
    return f"lightwell ingest {shlex.join(words)}"


def _without_description(row: CatalogRow, installation: "Installation") -> Finding:
    pid = str(row.document["pid"])
    return Finding(
        "no-description",
        str(description_file(installation.home, pid, row.document["kind"])),
        "in the catalog, and not described on the disk",
        _describe_again(row),
        pid,
    )


def _files(row: CatalogRow, *, content: bool) -> Iterator[Finding]:
    """Hold the data files of a dataset against its manifest."""
    pid, derived = str(row.document["pid"]), row.document["kind"] == "derived"
    try:
        found = verify(row.manifest, content=content)
    except LightwellError as error:
        remedy = error.remedy or "make it readable for this user"
        yield Finding("file-unreadable", error.where or row.manifest.root, error.what, remedy, pid)
        return
    for difference in found:
        code = "file-missing" if difference.what == "missing" else "file-changed"
        remedy = (
            f"lightwell replay {pid} --verify"
            if derived
            else f"put the file back, or lightwell retire {pid} --why … and ingest what is there"
        )
        where = row.manifest.path_of(difference.name)
        yield Finding(code, where, str(difference), remedy, pid)


def _access(
    row: CatalogRow,
    events: Sequence[Event],
    installation: "Installation",
    known: frozenset[str],
) -> Iterator[Finding]:
    """Hold the rules by which a dataset is seen against journal and inputs, if these are there."""
    if not known.issuperset(row.document.get("derived_from", ())):
        return

    def read(pid: str) -> Any:
        with suppress(DamagedCatalog):
            return installation.catalog.row(pid).document

    wanted = with_access(row.document, grants_after(events), read)["access"]
    if wanted != row.document.get("access"):
        pid = str(row.document["pid"])
        where = _place_of(installation)
        what = "who may see it is not what follows from its inputs and the journal"
        yield Finding("access-differs", where, what, _REINDEX, pid)


def _lineage(row: CatalogRow, known: frozenset[str]) -> Iterator[Finding]:
    document: Any = row.document
    pid = str(document["pid"])
    for source in document.get("derived_from", ()):
        if source not in known:
            what = f"made from {source}, which the catalog does not know"
            yield Finding("source-unknown", pid, what, "ingest the source again", pid)
    successor = document.get("superseded_by")
    if successor is not None and successor not in known:
        what = f"superseded by {successor}, which the catalog does not know"
        yield Finding("successor-unknown", pid, what, "ingest the successor again", pid)
