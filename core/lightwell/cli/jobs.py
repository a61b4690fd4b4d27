"""Verbs about recipes and jobs: recipes, run, replay, consolidate."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, Values, complain, parse_values, say, show_json
from lightwell.cli.planning import say_means
from lightwell.cli.progress import Progress

if TYPE_CHECKING:
    from lightwell.datasets import Dataset
    from lightwell.engines.local import LocalEngine
    from lightwell.session import Session
    from lightwell.session.jobs import Job

__all__ = ["add_to", "result_facts", "say_result"]

Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="The memory budget, for example 2GB.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="At most so many processes.")]
Chosen = Annotated[
    str | None,
    typer.Option(
        metavar="A:B:C",
        help="Only these slices: 512, 0:1596:100, middle or all, in detector rows also with "
        "--bin. A sweep takes the middle one if nothing is said.",
    ),
]
Bin = Annotated[
    int,
    typer.Option(
        "--bin",
        metavar="N",
        min=1,
        help="Average N x N detector pixels to one while reading. What you give and get in "
        "pixels (the rotation axis) stays in pixels of the detector.",
    ),
]
Swept = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=VALUES",
        help="Try several values of one parameter on one reading of the data: "
        "rotation_axis=1270:1290:2 (first:last:step, the last included) or filter=ramlak,hann. "
        "Gives one result with the values as its first axis, and a contact sheet.",
    ),
]
Kept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STEP",
        help="Keep the output of this step; later runs that differ only behind it begin there. "
        "`lightwell kept` lists and drops.",
    ),
]
NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="Do not wait for memory that other jobs have; status 75."),
]
Using = Annotated[
    list[str] | None,
    typer.Option(metavar="ROLE=PID", help="The dataset for another input of the recipe."),
]


def recipes(
    name: Annotated[str | None, typer.Argument(help="One recipe, with its parameters.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the recipes, or the parameters of one."""
    import lightwell

    session = lightwell.open(settings)
    if name is not None:
        _one_recipe(session.recipe(name), as_json=as_json)
        return
    known = session.installation.plugins.recipes
    if as_json:
        show_json({"recipes": [r.json_schema() for r in known.values()]})
        return
    for recipe in known.values():
        say(f"{recipe.name}: {recipe.summary}")


def _one_recipe(recipe: Any, *, as_json: bool) -> None:
    if as_json:
        show_json(recipe.json_schema())
        return
    say(f"{recipe.name}: {recipe.summary}")
    for step in recipe.steps():
        say(f"  {step.name}: {step.summary}")
    for address, schema in recipe.json_schema()["properties"].items():
        slot = recipe.slots[address]
        default = schema.get("default", f"from {schema['from']}" if "from" in schema else "needed")
        by = f", found by {slot.tapped_by}" if slot.tapped_by else ""
        say(f"  --set {address}=…  {slot.parameter.wanted}; {default}{by}")


def run(
    recipe: Annotated[str, typer.Argument(help="The recipe; `lightwell recipes` lists them.")],
    pid: Annotated[
        str, typer.Argument(help="The dataset to run it on, or a saved selection of its frames.")
    ],
    values: Values = None,
    frames: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH", help="Only these frames: a condition, a saved selection, or 0-99,150."
        ),
    ] = None,
    slices: Chosen = None,
    bin_: Bin = 1,
    sweep: Swept = None,
    keep: Kept = None,
    memory: Memory = None,
    workers: Workers = None,
    no_wait: NoWait = False,  # noqa: FBT002
    using: Using = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Run a recipe on a dataset; stopped or killed, the same command resumes it."""
    import lightwell
    from lightwell.session.asking import parse_sweep

    session = lightwell.open(settings)
    with Progress(quiet=as_json) as progress:
        plan = session.plan(
            recipe,
            pid,
            parse_values(values),
            frames=frames,
            slices=slices,
            memory=memory,
            workers=workers,
            using=parse_values(using),
            bin=bin_,
            sweep=parse_sweep(sweep) if sweep is not None else None,
            keep=keep or (),
            wait=not no_wait,
            text=True,
            on_event=progress.tell,
        )
        job = session.start(plan)
        with stopping(job):
            result = job.result()
    if as_json:
        show_json(result_facts(session, result))
    else:
        say_result(session, result)


@contextmanager
def stopping(job: "Job | LocalEngine") -> Iterator[None]:
    """Let TERM and an interrupt from the keyboard stop the job so that it can be resumed."""

    def stop(number: int, frame: object) -> None:
        complain("stopping; what is finished is kept")
        job.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def result_facts(session: "Session", result: "Dataset") -> dict[str, Any]:
    """A result in the words of the command line's JSON."""
    report = session.report(result)
    previews = report.pop("previews", [])
    return {
        "pid": result.pid,
        "path": result.path,
        "parameters": {n: facts["value"] for n, facts in result.job["parameters"].items()},
        "estimates": result.job["estimates"],
        "previews": previews,
        "report": report,
    }


def say_result(session: "Session", result: "Dataset") -> None:
    """A result in lines for people."""
    facts = result_facts(session, result)
    for name, estimate in facts["estimates"].items():
        sigma = f" ± {estimate['sigma']:.3f}" if estimate["sigma"] is not None else ""
        reason = f" ({estimate['reason']})" if estimate["reason"] else ""
        say(f"{name}: {estimate['value']:.3f}{sigma}, {estimate['verdict']}{reason}")
    for path in facts["previews"]:
        say(f"picture: {path}")
    for problem in facts["report"].get("undrawn", ()):
        say(f"no picture: {problem}")
    say_means(facts["report"])
    say(f"result: {result.pid}  {facts['path']}")


def replay(
    result: Annotated[str, typer.Argument(help="The pid or the NeXus file of a result.")],
    verify: Annotated[  # noqa: FBT002
        bool, typer.Option("--verify", help="Compare with what was recorded (always done).")
    ] = False,
    memory: Memory = None,
    workers: Workers = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Compute a result again from its record, compare bit by bit, put back what is gone."""
    import lightwell
    from lightwell.engines.local import LocalEngine

    session = lightwell.open(settings)
    engine = LocalEngine()
    with Progress(quiet=as_json) as progress, stopping(engine):
        found = session.replay(
            result, memory=memory, workers=workers, on_event=progress.tell, engine=engine
        )
    if as_json:
        show_json(
            {
                "pid": found.pid,
                "verdict": found.verdict,
                "rebuilt": found.rebuilt,
                "differences": list(found.differences),
                "digest": found.digest,
                "recorded": found.recorded,
            }
        )
    else:
        say(f"{found.pid}: {found.verdict}" + (", rebuilt" if found.rebuilt else ""))
        for difference in found.differences:
            say(f"  {difference}")
    if found.verdict == "different":
        raise typer.Exit(2)


def consolidate(
    result: Annotated[str, typer.Argument(help="The pid or the NeXus file of a result.")],
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Merge the many files of a result into one; its numbers, digest and pid stay."""
    import lightwell

    found = lightwell.open(settings).consolidate(result)
    if as_json:
        facts = {"pid": found.dataset.pid, "path": found.dataset.path}
        show_json({**facts, "before": found.before, "after": found.after})
    else:
        say(f"{found.dataset.pid}: {found.before} files of segments are now {found.after}")


def simulate(
    name: Annotated[str, typer.Argument(help="The simulator, for example tomography.")],
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    values: Values = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Write a simulated scan whose truth is known."""
    import lightwell

    simulated = lightwell.open(settings).simulate(name, path, text=True, **parse_values(values))
    if as_json:
        show_json({"path": str(simulated.path), "truth": dict(simulated.truth)})
        return
    say(f"wrote {simulated.path}")
    for key, value in simulated.truth.items():
        say(f"  {key}: {value}")


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(recipes)
    app.command()(run)
    app.command()(replay)
    app.command()(consolidate)
    app.command()(simulate)
