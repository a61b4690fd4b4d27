"""The verb plan, and how what was foreseen compares with what was measured."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, Values, parse_values, say, show_json

__all__ = ["add_to", "say_means"]


def plan(
    recipe: Annotated[str, typer.Argument(help="The recipe; `lightwell recipes` lists them.")],
    pid: Annotated[str, typer.Argument(help="The dataset it would run on.")],
    values: Values = None,
    slices: Annotated[
        str | None, typer.Option(metavar="A:B:C", help="Only these slices of the result.")
    ] = None,
    bin_: Annotated[
        int, typer.Option("--bin", metavar="N", min=1, help="Average N x N pixels to one.")
    ] = 1,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The memory budget, for example 2GB.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="At most so many processes.")] = None,
    using: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=PID", help="The dataset for another input of the recipe."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say what `run` would read, write, need and take; nothing is computed.

    The memory follows from shapes and compiled programs, the time from earlier jobs of the kind.
    """
    import lightwell
    from lightwell.engines.plan import plan_job

    session = lightwell.open(settings)
    job = session.plan(
        recipe,
        pid,
        parse_values(values),
        slices=slices,
        memory=memory,
        workers=workers,
        using=parse_values(using),
        bin=bin_,
        text=True,
    )
    found = plan_job(job.spec)
    if as_json:
        show_json({"pid": job.pid, **found.to_json()})
        return
    for section in found.sections:
        for line in _lines(section):
            say(line)
    seconds = found.seconds
    took = "unknown until the first slab" if seconds is None else f"about {_duration(seconds)}"
    budget = "" if found.peak_bytes <= found.memory else ", MORE THAN THE BUDGET"
    say(
        f"in all: memory {_size(found.peak_bytes)} of {_size(found.memory)}{budget}; "
        f"disk {_size(found.disk_bytes)}; time {took}"
    )


def _lines(section: Any) -> list[str]:
    steps = " → ".join(section.steps) or "as it is"
    lines = [f"{section.purpose}: {steps}"]
    if section.unknown is not None:
        lines.append(f"  not told: {section.unknown}")
    if not section.tiles:
        return lines
    lines.append(f"  {section.tiles} tiles of {section.tile} along {section.axis}")
    reads = f"  reads {_size(section.stored)} {section.reads:.2f} times"
    if section.scratch:
        reads += (
            f", laid out once in {_size(section.scratch)} of scratch "
            f"(as it is: {section.reads_as_it_is:.1f} times)"
        )
    elif section.reads == 0:
        reads = "  reads what was laid out before"
    lines.append(reads + (f"; writes {_size(section.writes)}" if section.writes else ""))
    means = f"  {section.workers} workers of {_size(section.worker_bytes)}"
    seconds = section.seconds
    took = "time unknown" if seconds is None else f"about {_duration(seconds)}"
    lines.append(f"{means}, {_size(section.peak_bytes)} together; {took}")
    return lines


def say_means(report: Mapping[str, Any]) -> None:
    """What a job needed beside what was foreseen, and how much of its reading was hidden."""
    sections = [s for s in report.get("sections", ()) if s.get("slabs")]
    if not sections:
        return
    moved = sum(s["read_s"] + s["write_s"] for s in sections)
    waited = sum(s["waited_s"] for s in sections)
    peak = max(s["peak_bytes"] for s in sections)
    foreseen = max((s["predicted"].get("peak_bytes", 0) for s in sections), default=0)
    words = f"memory {_size(peak)}" + (f" ({_size(foreseen)} foreseen)" if foreseen else "")
    share = 1.0 if moved <= 0 else max(0.0, 1.0 - waited / moved)
    words += f"; {share:.0%} of {_duration(moved)} reading and writing hidden behind computing"
    say(words)


def _size(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(plan)
