"""Verbs about what is going on: jobs, kept."""

import dataclasses
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

if TYPE_CHECKING:
    from lightwell.engines.kept import KeptOutput

__all__ = ["add_to"]


def jobs(settings: Settings = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List the jobs that run or wait on this machine, and those that were stopped."""
    import lightwell
    from lightwell.session.running import kept, running, stopped

    installation = lightwell.open(settings).installation
    now, resumable, outputs = running(installation), stopped(installation), kept(installation)
    size = sum(output.size for output in outputs)
    if as_json:
        show_json(
            {
                "running": [dataclasses.asdict(share) for share in now],
                "stopped": [dataclasses.asdict(job) for job in resumable],
                "memory": {"used": sum(s.memory for s in now), "of": installation.capacity},
                "kept": {"outputs": len(outputs), "size": size},
            }
        )
        return
    for share in now:
        what = f"{_size(share.memory)} of memory" if share.memory else "waits for memory"
        minutes = (time.time() - share.since) / 60
        say(f"{share.job}  running, process {share.pid}, {minutes:.0f} min, {what}")
    for job in resumable:
        recipe = f"{job.recipe}, " if job.recipe else ""
        say(f"{job.pid}  stopped, {recipe}{_size(job.size)}; the same command resumes it")
    if not now and not resumable:
        say("no job is running or stopped")
    say(f"kept outputs: {len(outputs)}, {_size(size)} (lightwell kept)")


def kept(
    drop: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="Remove what is kept of this step, or 'all'."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the outputs of steps that were kept (`run --keep STEP`), or drop them."""
    import lightwell
    from lightwell.session import running

    installation = lightwell.open(settings).installation
    if drop is None:
        outputs = running.kept(installation)
        if as_json:
            show_json({"kept": [_facts(output) for output in outputs]})
            return
        for output in outputs:
            say(f"{output.step}  {_size(output.size)}  {output.recipe}, used {_when(output)}")
        say(f"{len(outputs)} kept, {_size(sum(output.size for output in outputs))}")
        return
    done = running.dropped(installation, drop)
    freed = sum(output.size for output in done.gone)
    if as_json:
        dropped, used = (list(map(_facts, outputs)) for outputs in (done.gone, done.used))
        show_json({"dropped": dropped, "in_use": used, "freed": freed})
        return
    in_use = f"; {len(done.used)} stay, a job is using them" if done.used else ""
    say(f"dropped {len(done.gone)}, {_size(freed)}{in_use}")


def _facts(output: "KeptOutput") -> dict[str, Any]:
    return {**dataclasses.asdict(output), "path": str(output.path)}


def _when(output: "KeptOutput") -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(output.used))


def _size(number: int) -> str:
    """Bytes for people.

    >>> _size(4_200_000), _size(12_000_000_000)
    ('4.2 MB', '12.0 GB')
    """
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(jobs)
    app.command()(kept)
