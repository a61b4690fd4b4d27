"""Verbs about who sees what: who-can, grant, revoke, edit, stats."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, Values, parse_values, say, show_json

if TYPE_CHECKING:
    from lightwell.catalog.totals import Totals
    from lightwell.session.editing import Edited
    from lightwell.session.who_can import Reason, WhoCan

__all__ = ["add_to"]

REFUSED = 2

Pid = Annotated[str, typer.Argument(help="The identifier that ingest, find or run printed.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="WHO",
        help="A user, or proposal:NAME, group:NAME, staff:BEAMLINE, public.",
    ),
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the journal.")]


def grant(
    pid: Pid,
    to: To,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day (UTC); without it, no end.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="The first day it is public; without it, now."),
    ] = None,
    why: Why = "",
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let somebody see a dataset, and what was made of it where they see all of its inputs."""
    import lightwell

    given = lightwell.open(settings).grant(pid, to, until=until, public_from=start, why=why)
    if as_json:
        show_json({"pid": pid, "to": to, **asdict(given)})
        return
    end = f" until {given.until[:16].replace('T', ' ')} UTC" if given.until else ""
    begin = f" from {given.public_from[:16].replace('T', ' ')} UTC" if given.public_from else ""
    say(f"{pid} is granted to {to}{begin}{end}")


def revoke(
    pid: Pid,
    to: To,
    why: Why = "",
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Take a grant back, at once, also for what was made of the dataset."""
    import lightwell

    lightwell.open(settings).revoke(pid, to, why=why)
    if as_json:
        show_json({"pid": pid, "to": to, "revoked": True})
    else:
        say(f"{pid} is no longer granted to {to}")


def who_can(
    pid: Pid,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whether this user sees it, and why.")
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Explain who sees a dataset, and why; with --user, why somebody does not."""
    import lightwell

    found = lightwell.open(settings).who_can(pid, user)
    if as_json:
        show_json(asdict(found))
    elif found.user is not None:
        say(f"{found.user.user} {'sees' if found.user.sees else 'does not see'} {pid}")
        for reason in found.user.why:
            say(f"  {reason}")
    else:
        _say_who(found)


def _say_who(found: "WhoCan") -> None:
    if found.hidden:
        say(f"{found.pid}: you see it; the rest follows from what you may not see:")
        say(f"  {', '.join(found.hidden)}")
        return
    if len(found.rules) == 1:
        say(f"{found.pid} is seen by")
    else:
        say(f"{found.pid} is seen by whoever is in each of these {len(found.rules)} lists")
    for number, rule in enumerate(found.rules, start=1):
        if len(found.rules) > 1:
            say(f" {number}.")
        _say_rule(rule)
    keepers = ", ".join([*found.keepers, "the owner of its folder"])
    say(f"and by who keeps the installation: {keepers}")


def _say_rule(rule: "tuple[Reason, ...]") -> None:
    width = max((len(reason.reader) for reason in rule), default=0)
    for reason in sorted(rule, key=lambda reason: reason.ended):
        mark = "(not now) " if reason.ended else ""
        say(f"  {reason.reader:{width}}  {mark}{reason}")
    if not rule:
        say("  nobody: what it was made of is not in the catalog")


def edit(
    values: Values = None,
    where: Annotated[
        str | None,
        typer.Option(help="The datasets, for example: sample = hornby and energy > 30 keV"),
    ] = None,
    pid: Annotated[str | None, typer.Option(metavar="PID", help="Only this dataset.")] = None,
    why: Why = "",
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Only say what would change.")
    ] = False,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Set values of every dataset a condition is true of; the journal keeps what and why."""
    import lightwell
    from lightwell.catalog import EVERY, parse_query
    from lightwell.catalog import where as field
    from lightwell.errors import ParameterError

    if where is None and pid is None:
        raise ParameterError(
            "which datasets are meant is not said", remedy="Give --where CONDITION or --pid PID"
        )
    query = parse_query(where) if where else EVERY
    if pid is not None:
        query = query & (field("pid") == pid)
    session = lightwell.open(settings)
    found = session.edit(query, parse_values(values), why=why, dry_run=dry_run)
    if as_json:
        show_json(asdict(found))
    else:
        _say_edited(found, parse_values(values))
    if found.refused:
        raise typer.Exit(REFUSED)


def _say_edited(found: "Edited", values: dict[str, str]) -> None:
    for pid, before in found.before.items():
        shown = (f"{name}: {_shown(before[name])} → {value}" for name, value in values.items())
        say(f"{pid}  {'; '.join(shown)}")
    if found.changed > len(found.before):
        say(f"… and {found.changed - len(found.before)} more")
    for pid, why in found.refused.items():
        say(f"{pid}  not changed: {why}")
    verb = "would change" if found.dry_run else "changed"
    say(f"{found.changed} of {found.found} datasets {verb}")


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)


def stats(
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say how much there is that you see: datasets, sizes, owners, and the catalog itself."""
    import lightwell

    found = lightwell.open(settings).stats()
    if as_json:
        show_json(asdict(found))
    else:
        _say_totals(found)


def _say_totals(found: "Totals") -> None:
    retired = f"  ({found.retired:,} of them retired)" if found.retired else ""
    rows = [
        ("datasets", f"{found.datasets:,}{retired}"),
        ("total", size(found.total)),
        ("raw", size(found.raw)),
        ("on tape", size(found.tape)),
        ("on disk", size(found.disk)),
        ("users", f"{found.users:,}"),
    ]
    if found.catalog is not None:
        rows.append(("catalog", size(found.catalog, places=2)))
    for name, value in rows:
        say(f"{name:9} {value}")


def size(number: int, places: int = 1) -> str:
    """Return a number of bytes as people say it.

    >>> size(477_900_000_000_000), size(39_250_000_000, 2), size(512)
    ('477.9 TB', '39.25 GB', '512 B')
    """
    value, units = float(number), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 999.95 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{number} B" if units[0] == "B" else f"{value:.{places}f} {units[0]}"


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (grant, revoke, who_can, edit, stats):
        app.command()(verb)
