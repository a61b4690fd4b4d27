"""Verbs about the installation: plugins, doctor."""

from typing import Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

__all__ = ["add_to"]


def plugins(
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the plugins, what each brings, and why one did not load."""
    import lightwell

    known = lightwell.open(settings).installation.plugins
    brought = {
        "importers": sorted(known.importers),
        "schemas": sorted(known.schemas),
        "recipes": sorted(known.recipes),
        "simulators": sorted(known.simulators),
    }
    if as_json:
        show_json({"plugins": [_facts(s) for s in known.status], **brought})
        return
    for status in known.status:
        origin = f"{status.distribution} {status.version}".strip() or status.module
        say(
            f"{status.name}  ({origin})  "
            + (f"BROKEN: {status.problem}" if status.problem else "ok")
        )
    for what, names in brought.items():
        say(f"{what}: {', '.join(names) or 'none'}")


def _facts(status: Any) -> dict[str, Any]:
    return {
        "name": status.name,
        "module": status.module,
        "distribution": status.distribution,
        "version": status.version,
        "problem": status.problem,
    }


def doctor(
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Check that everything needed is here and works; exit status 2 if something does not."""
    import lightwell
    from lightwell.doctor import examine

    findings = examine(lightwell.open(settings).installation)
    if as_json:
        show_json({"checks": [f._asdict() for f in findings]})
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.answer}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(2)


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(plugins)
    app.command()(doctor)
