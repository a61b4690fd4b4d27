"""The verb about single frames: find them, save what was found, index them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json
from lightwell.errors import ParameterError
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.frame_index import Selection
    from lightwell.session import Session

__all__ = ["add_to"]

_SHOWN_RUNS = 8
_ACTIONS = ("index", "show", "selections")


def frames(
    action: Annotated[
        str | None,
        typer.Argument(metavar="[index|show|selections]", help="What to do, if not to look."),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PID|NAME]…", help="Scans, or a selection.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="A condition, for example: ring_current < 390 mA and sample_x in [1, 2]"),
    ] = None,
    datasets: Annotated[
        str | None, typer.Option(help="Look into datasets that fulfil this, e.g. sample = Hornby")
    ] = None,
    of: Annotated[
        list[str] | None, typer.Option("--of", metavar="PID", help="Look into this one alone.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="ROWS,COLUMNS", help="What frame_min and frame_max are of."),
    ] = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep what was found, for `lightwell run`.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many datasets.")] = 20,
    statistics: Annotated[  # noqa: FBT002
        bool, typer.Option("--statistics", help="With index: read all pixels for mean, min, max.")
    ] = False,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Find frames by what was measured with them; without a condition, list the channels."""
    import lightwell

    session = lightwell.open(settings)
    if action is not None:
        _act(session, action, names or [], statistics=statistics, limit=limit, as_json=as_json)
        return
    from lightwell.catalog import EVERY, parse_query

    chosen = parse_query(datasets) if datasets else EVERY
    if where is None:
        _list_channels(session, chosen, as_json=as_json)
        return
    found = session.frames(where, datasets=chosen, pids=of or None, region=region)
    if save is not None:
        session.selections.save(save, found)
    _show(found, limit, saved=save, as_json=as_json)


def _act(
    session: "Session",
    action: str,
    names: list[str],
    *,
    statistics: bool,
    limit: int,
    as_json: bool,
) -> None:
    if action not in _ACTIONS:
        raise ParameterError(
            f"lightwell frames {action} is no command",
            remedy=f"{nearest(action, _ACTIONS)}; conditions go after --where",
        )
    if action == "selections":
        known = session.selections.names()
        if as_json:
            show_json({"selections": known})
        else:
            say("\n".join(known) or "no selection is saved")
    elif not names:
        what = "the pid of a scan" if action == "index" else "the name of a selection"
        raise ParameterError(f"lightwell frames {action} needs {what}")
    elif action == "index":
        _index(session, names, statistics=statistics, as_json=as_json)
    else:
        _show(session.selections.load(names[0]), limit, as_json=as_json)


def _index(session: "Session", pids: list[str], *, statistics: bool, as_json: bool) -> None:
    done = [session.index_frames(pid, statistics=statistics) for pid in pids]
    session.installation.frame_index.gather()
    if as_json:
        show_json({"datasets": [{"pid": d.pid, "frames": d.frames} for d in done]})
        return
    for dataset in done:
        channels = ", ".join(dataset.frames.get("channels", {})) or "no channels"
        say(f"{dataset.pid}  {dataset.frames['count']} frames: {channels}")


def _list_channels(session: "Session", datasets: Any, *, as_json: bool) -> None:
    from lightwell.session.frames import channel_facts

    found = channel_facts(session, datasets=datasets)
    if as_json:
        show_json({"channels": found})
        return
    for facts in found:
        extent = f"{facts['min']:.6g} to {facts['max']:.6g}" if "min" in facts else "all missing"
        extent = f"{extent} {facts['unit']}".strip()
        say(
            f"{facts['name']:24}  {extent:32}  {facts['frames']} frames "
            f"of {facts['datasets']} datasets"
        )
    if not found:
        say("no frames are indexed; ingest a scan, or: lightwell frames index PID")


def _show(
    found: "Selection", limit: int, *, saved: str | None = None, as_json: bool = False
) -> None:
    from lightwell.frame_index import runs_text

    if as_json:
        answer = found.to_json() | {"frames": found.frames, "looked": dict(found.looked)}
        show_json(answer | ({"saved": saved} if saved else {}))
        return
    say(f"frames where {found.question}")
    for pid, runs in list(found)[:limit]:
        say(f"{pid}  {len(runs)} of {runs.of}  {runs_text(runs.runs, at_most=_SHOWN_RUNS)}")
    if len(found) > limit:
        say(f"… and {len(found) - limit} more datasets: --limit {len(found)}, or --json")
    say(f"{found.frames} frames of {len(found)} datasets{_effort(found)}")
    for note in found.notes:
        say(f"note: {note}")
    if saved:
        say(f"saved as {saved}: lightwell run RECIPE PID --frames {saved}")


def _effort(found: "Selection") -> str:
    looked = found.looked
    if "blocks" in looked:
        return (
            f"; {looked['datasets_asked']} of {looked['datasets']} datasets and "
            f"{looked['blocks_read']} of {looked['blocks']} blocks were looked at"
        )
    if "frames_read" in looked:
        return f"; the pixels of {looked['frames_read']} frames were read"
    return ""


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(frames)
