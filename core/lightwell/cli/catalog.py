"""Verbs about the catalog itself: reindex, fsck, diff, retire, supersede."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightwell.cli.answers import AsJson, Settings, dataset_facts, say, show_json

if TYPE_CHECKING:
    from lightwell.session.diff import Comparison
    from lightwell.session.fsck import Checked
    from lightwell.session.reindex import Reindexed

__all__ = ["add_to"]

DIFFERENT = 2
_SHOWN = 20

Pid = Annotated[str, typer.Argument(help="The identifier that ingest, find or run printed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Prune = Annotated[bool, typer.Option("--prune", help="Leave out what has no description.")]
Content = Annotated[bool, typer.Option("--content", help="Read every file, compare its digest.")]
Mend = Annotated[bool, typer.Option("--mend", help="Remove what dead processes left unfinished.")]
NoArrays = Annotated[bool, typer.Option("--no-arrays", help="Do not compare the numbers.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the journal.")]


def reindex(
    dry_run: DryRun = False,  # noqa: FBT002
    prune: Prune = False,  # noqa: FBT002
    journal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An exported journal, where the catalog is lost."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make the catalog anew from the descriptions on the disk and the journal."""
    import lightwell

    report = lightwell.open(settings).reindex(dry_run=dry_run, prune=prune, journal=journal)
    if as_json:
        show_json(asdict(report))
    else:
        _say_reindexed(report)
    if report.unreadable:
        raise typer.Exit(DIFFERENT)


def _say_reindexed(report: "Reindexed") -> None:
    verb = "would be" if report.dry_run else "were"
    say(f"{report.datasets} datasets; nothing was written" if report.dry_run else
        f"{report.datasets} datasets in the catalog")  # fmt: skip
    for pid in report.added:
        say(f"{pid}  {verb} added, from its description")
    for pid, fields in report.changed.items():
        say(f"{pid}  {verb} changed: {', '.join(fields[:_SHOWN])}")
    for pid in report.kept:
        say(f"{pid}  has no description; kept as the catalog had it (--prune leaves it out)")
    for pid in report.removed:
        say(f"{pid}  {verb} left out, having no description")
    for path, why in report.unreadable.items():
        say(f"{path}: {why}")
    if report.damaged_catalog:
        say(f"the damaged catalog is kept as {report.damaged_catalog}")


def fsck(
    content: Content = False,  # noqa: FBT002
    mend: Mend = False,  # noqa: FBT002
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Compare files, catalog and journal; exit status 2 where they differ."""
    import lightwell

    report = lightwell.open(settings).fsck(content=content, mend=mend)
    if as_json:
        show_json({**asdict(report), "differences": len(report.findings)})
    else:
        _say_checked(report)
    if not report.clean:
        raise typer.Exit(DIFFERENT)


def _say_checked(report: "Checked") -> None:
    for finding in report.findings:
        say(f"{finding.code}  {finding.where}")
        say(f"  {finding.what}")
        say(f"  to do: {finding.remedy}")
    for path in report.mended:
        say(f"removed {path}")
    say(
        f"{report.datasets} datasets, {report.descriptions} descriptions, {report.files} files: "
        f"{len(report.findings)} differences"
    )


def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="A result, or a scan.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    no_arrays: NoArrays = False,  # noqa: FBT002
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say what changed from A to B: steps, parameters, inputs, software, metadata, numbers."""
    import lightwell

    found = lightwell.open(settings).diff(one, other, arrays=not no_arrays)
    if as_json:
        show_json({**asdict(found), "same": found.same})
    else:
        _say_compared(found)


def _say_compared(found: "Comparison") -> None:
    for difference in found.differences:
        say(str(difference))
    if found.array is None:
        say(f"numbers: not compared ({found.why_no_array})")
        return
    array = found.array
    if not array.unequal:
        say(f"numbers: equal, {array.shape}")
        return
    say(
        f"numbers: {array.unequal} of {_product(array.shape)} differ; the largest difference is "
        f"{array.largest:.6g} at {array.at}, rms {array.rms:.6g}"
    )
    if array.one_sided:
        say(f"numbers: {array.one_sided} places hold a number in one alone")


def _product(shape: tuple[int, ...]) -> int:
    import math

    return math.prod(shape)


def retire(
    pid: Pid,
    why: Why,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Leave a dataset out of searches; nothing is deleted."""
    import lightwell

    dataset = lightwell.open(settings).retire(pid, why=why)
    if as_json:
        show_json({**dataset_facts(dataset), "retired": dataset.retired})
    else:
        say(f"{dataset.pid} is retired: {why}")


def supersede(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The dataset that is replaced.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The one that takes its place.")],
    why: Why,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Record that one dataset takes the place of another."""
    import lightwell

    dataset = lightwell.open(settings).supersede(old, new, why=why)
    if as_json:
        show_json({**dataset_facts(dataset), "superseded_by": dataset.superseded_by})
    else:
        say(f"{dataset.pid} is superseded by {new}: {why}")


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (reindex, fsck, diff, retire, supersede):
        app.command()(verb)
