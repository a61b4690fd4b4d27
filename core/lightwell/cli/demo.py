"""The demo: the main job from a simulated scan to a catalogued reconstruction."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json
from lightwell.cli.jobs import result_facts, stopping
from lightwell.cli.progress import Progress
from lightwell.errors import UnknownName
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.session import Session
    from lightwell.simulators import Simulator

__all__ = ["add_to"]


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the simulated scan is written.")] = Path(
        "lightwell-demo"
    ),
    simulator: Annotated[str, typer.Option(help="Which simulator to use.")] = "tomography",
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Simulate a scan, ingest it, run its recipe, compare the result with the truth."""
    import lightwell

    session = lightwell.open(settings)
    chosen = _shown(session, simulator)
    # What is to be found comes from the clock, so that nobody can have known it beforehand.
    drawn = time.time_ns() // 1000 % 100_000 / 100_000
    folder.mkdir(parents=True, exist_ok=True)
    scan = folder / f"{simulator}_{time.time_ns()}.h5"
    simulated = chosen.run(scan, chosen.draw(drawn) if chosen.draw else {})
    [raw] = session.ingest(scan)
    with Progress(quiet=as_json) as progress:
        job = session.run(chosen.recipe or "", raw, on_event=progress.tell)
        with stopping(job):
            result = job.result()
    facts = {
        "scan": str(scan),
        "raw": raw.pid,
        "truth": dict(simulated.truth),
        **result_facts(session, result),
    }
    if chosen.judge is not None:
        facts["error"] = chosen.judge(session.array(result), simulated.truth)
    show_json(facts) if as_json else _say(chosen, facts)


def _shown(session: "Session", name: str) -> "Simulator":
    known = session.installation.plugins.simulators
    showable = {n: s for n, s in known.items() if s.recipe is not None}
    if name not in showable:
        raise UnknownName(
            f"there is no simulator '{name}' with a recipe", remedy=nearest(name, showable)
        )
    return showable[name]  # type: ignore[no-any-return]


def _say(simulator: "Simulator", facts: dict[str, Any]) -> None:
    say(f"scan     {facts['scan']} ({facts['raw']})")
    for name, estimate in facts["estimates"].items():
        true = facts["truth"].get(name)
        against = f", true {true:.3f}" if isinstance(true, float) else ""
        sigma = f" ± {estimate['sigma']:.3f}" if estimate["sigma"] is not None else ""
        say(f"{name}  {estimate['value']:.3f}{sigma}{against} ({estimate['verdict']})")
    if "error" in facts:
        say(f"error    {facts['error']:.4f} {simulator.measure}")
    for path in facts["previews"]:
        say(f"picture  {path}")
    say(f"result   {facts['pid']}  {facts['path']}")


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(demo)
