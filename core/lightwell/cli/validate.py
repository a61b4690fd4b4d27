"""The verb about files that claim to be NeXus: validate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

if TYPE_CHECKING:
    from lightwell.nexus.validation import Finding, Report

__all__ = ["add_to"]

#: Notes and warnings beyond so many are counted, not told; --json has them all.
SHOWN = 20
INVALID = 2


def validate(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH|PID",
            help="A NeXus or other HDF5 file; or a dataset, by its identifier: our own file on it.",
        ),
    ],
    profile: Annotated[
        str | None, typer.Option(help="Which definitions judge it, and what is waived.")
    ] = None,
    nxdl: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="A folder of NXDL files to use instead of ours."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002  (an option of the command line)
) -> None:
    """Say what is wrong in a file; exit status 2 if it is invalid or leads to missing files."""
    from lightwell.nexus.validation import DEFAULT, rules_from_nxdl, validate_apart

    rules = None if nxdl is None else rules_from_nxdl(nxdl)
    report = validate_apart(_file_of(path, settings), profile=profile or DEFAULT, rules=rules)
    if as_json:
        show_json(report.to_document())
    else:
        _show(report)
    if not report.is_valid:
        raise typer.Exit(INVALID)


def _file_of(path: str, settings: str | None) -> str:
    """The path as given; for the identifier of a dataset, the file that describes it."""
    if Path(path).exists() or not path.startswith("lw-"):
        return path
    import lightwell
    from lightwell.session.descriptions import description_file

    session = lightwell.open(settings)
    dataset = session.get(path)
    return str(description_file(session.installation.home, dataset.pid, dataset.kind))


def _show(report: "Report") -> None:
    from lightwell.nexus.validation import SEVERITIES

    for severity in SEVERITIES:
        found = report.of(severity)
        limit = len(found) if severity in ("error", "broken") else SHOWN
        for finding in found[:limit]:
            _show_finding(finding)
        if len(found) > limit:
            say(f"… and {len(found) - limit} more of severity {severity}: --json has all")
    counts = ", ".join(_word(n, word) for word, n in report.counts().items())
    judged = ", ".join(report.definitions) or "base classes alone"
    verdict = "valid" if report.is_valid else "not valid"
    say(f"{report.path}: {verdict} ({counts}), by {judged}; profile {report.profile}")


def _show_finding(finding: "Finding") -> None:
    say(f"{finding.severity}  {finding.path}")
    say(f"  {finding.message} {finding.mend}")
    waived = f", waived: {finding.waiver}" if finding.waiver else ""
    say(f"  rule: {finding.rule} {finding.version} ({finding.code}{waived})")


def _word(number: int, severity: str) -> str:
    plural = "" if number == 1 or severity == "broken" else "s"
    return f"{number} {severity}{plural}"


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(validate)
