"""The verb about the journal: what happened, and a copy of it for a safe place."""

from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

__all__ = ["add_to"]

SHOWN = 20


def journal(
    pid: Annotated[
        str | None, typer.Argument(metavar="[PID]", help="What happened to one dataset.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all of it, for reindex --journal."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of the newest.")] = SHOWN,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List what people and jobs did to the catalog, or write the journal to a file."""
    import lightwell

    session = lightwell.open(settings)
    if export is not None:
        target = export.expanduser().absolute()
        count = session.export_journal(target)
        if as_json:
            show_json({"path": str(target), "events": count})
        else:
            say(f"{count} events written to {target}")
        return
    if pid is not None:
        session.get(pid)
    found = deque(session.catalog.events(pid=pid), maxlen=limit)
    if as_json:
        show_json({"events": [asdict(event) for event in found]})
        return
    for event in found:
        words = (event.at, event.who, event.what, event.pid, event.detail.get("why"))
        say("  ".join(str(word) for word in words if word))


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(journal)
