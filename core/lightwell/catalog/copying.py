"""A catalog moved to another place: documents, lists of files, copies, change log, journal."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Final

from lightwell.catalog.base import DocumentCatalog
from lightwell.catalog.journal import Event
from lightwell.catalog.records import CatalogRow, Change
from lightwell.errors import Conflict, NotFound
from lightwell.failpoints import failpoint

__all__ = ["Copied", "copy_catalog"]

_AT_ONCE: Final = 100
_ATTEMPTS: Final = 5

Progress = Callable[[int], None]


@dataclass
class Copied:
    """What a copy did or, as a dry run, would do; what was there already is `same`."""

    datasets: int = 0
    same: int = 0
    events: int = 0
    verified: int = 0
    dry_run: bool = False


def copy_catalog(
    source: DocumentCatalog,
    target: DocumentCatalog,
    *,
    dry_run: bool = False,
    on_progress: Progress = lambda _: None,
) -> Copied:
    """Copy all of a catalog into an empty one, or into one that a copy was begun in.

    What the target has already is left as it is, so that a copy killed anywhere goes on; at the
    end both are read again and compared. The source may be in use; what is written meanwhile is
    copied, too. Raises `Conflict` if the target holds what the source does not have, or if the
    source never comes to rest.
    """
    report = Copied(dry_run=dry_run)
    _check_target(source, target)
    for _ in range(1 if dry_run else _ATTEMPTS):
        end = _journal_end(source)
        _copy_rows(source, target, report, on_progress)
        report.events += _copy_logs(source, target, dry_run=dry_run)
        if dry_run or _journal_end(source) == end:
            break
    else:
        raise Conflict(
            "others wrote into the catalog at every attempt to copy it",
            where=source.location,
            remedy="Repeat it when less is going on; what was copied stays",
        )
    if not dry_run:
        report.verified = _verify(source, target)
    return report


def _check_target(source: DocumentCatalog, target: DocumentCatalog) -> None:
    strangers = set(target.pids()) - set(source.pids())
    if strangers:
        raise Conflict(
            f"the target holds {len(strangers)} datasets that are not in the source, "
            f"e.g. {min(strangers)}",
            where=target.location,
            remedy="Copy into an empty catalog",
        )
    for ours, theirs in zip_longest(target.journal(), source.journal()):
        if ours is not None and ours != theirs:
            raise Conflict(
                f"the target has a journal of its own (event {ours.number})",
                where=target.location,
                remedy="Copy into an empty catalog",
            )


def _copy_rows(
    source: DocumentCatalog, target: DocumentCatalog, report: Copied, on_progress: Progress
) -> None:
    report.datasets = report.same = 0
    pids = iter(source.pids())
    while some := list(islice(pids, _AT_ONCE)):
        rows = [row for pid in some if (row := _row(source, pid)) is not None]
        missing = [row for row in rows if _row(target, str(row.document["pid"])) != row]
        report.datasets += len(rows)
        report.same += len(rows) - len(missing)
        if missing and not report.dry_run:
            _write(target, missing)
            failpoint("copy-written")
        on_progress(report.datasets)


def _row(catalog: DocumentCatalog, pid: str) -> CatalogRow | None:
    try:
        return catalog.row(pid)
    except NotFound:
        return None


def _write(target: DocumentCatalog, rows: Iterable[CatalogRow]) -> None:
    with target.writing() as records:
        for row in rows:
            stored = records.rewrite(row.document, records.read(str(row.document["pid"])))
            records.write_manifest(stored, row.manifest)
            records.write_replicas(stored, row.replicas)


def _copy_logs(source: DocumentCatalog, target: DocumentCatalog, *, dry_run: bool) -> int:
    """Copy what the target's logs lack, in order; return the number of events."""
    copied = 0
    with source.reading() as records:
        events = list(records.events(after=_journal_end(target)))
    if dry_run:
        return len(events)
    changes = _changes(source, after=_change_end(target))
    for batch in _batches(changes):
        with target.writing() as records:
            records.write_changes(batch)
    for some in _batches(events):
        with target.writing() as records:
            records.write_events(some)
        copied += len(some)
        failpoint("copy-journalled")
    return copied


def _batches(things: Iterable[Change] | Iterable[Event]) -> Iterator[list]:  # type: ignore[type-arg]
    waiting = iter(things)
    while some := list(islice(waiting, _AT_ONCE)):
        yield some


def _changes(catalog: DocumentCatalog, *, after: int) -> Iterator[Change]:
    while some := catalog.changes(after=after):
        yield from some
        after = some[-1].number


def _change_end(catalog: DocumentCatalog) -> int:
    last = 0
    for change in _changes(catalog, after=0):
        last = change.number
    return last


def _journal_end(catalog: DocumentCatalog) -> int:
    events = catalog.journal()
    return events[-1].number if events else 0


def _verify(source: DocumentCatalog, target: DocumentCatalog) -> int:
    """Read both again; return how many datasets are the same. Raises `Conflict` for one not."""
    pids = source.pids()
    different = [pid for pid in pids if _row(source, pid) != _row(target, pid)]
    different += sorted(set(target.pids()) - set(pids))
    if different:
        raise _differing(f"{len(different)} datasets (e.g. {different[0]})", target)
    if source.journal() != target.journal():
        raise _differing("the journals", target)
    ours, theirs = (_changes(each, after=0) for each in (target, source))
    if any(mine != other for mine, other in zip_longest(ours, theirs)):
        raise _differing("the logs of changes", target)
    return len(pids)


def _differing(what: str, target: DocumentCatalog) -> Conflict:
    return Conflict(
        f"{what} differ after copying",
        where=target.location,
        remedy="Copy again: somebody wrote into one of the two",
    )
