"""The verbs of `lightwell catalog`: explain, index, copy."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

if TYPE_CHECKING:
    from lightwell.catalog.records import Index

__all__ = ["add_to"]

places = typer.Typer(no_args_is_help=True, help="Look into the catalog: explain, index, copy.")
index = typer.Typer(no_args_is_help=True, help="What makes questions quick: list, add.")
places.add_typer(index, name="index")

Where = Annotated[str | None, typer.Option("--where", help="As in find: energy > 30 keV …")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[WORD]…", help="As in find.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be copied.")]


@places.command()
def explain(
    words: Words = None,
    where: Where = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say which index answers a question, and the steps of the store that lead there."""
    import lightwell
    from lightwell.catalog import And, Query, Text, parse_query

    clauses: list[Query] = [Text(" ".join(words))] if words else []
    clauses += [parse_query(where)] if where else []
    steps = lightwell.open(settings).catalog.explain(And(tuple(clauses)))
    if as_json:
        show_json({"steps": steps})
        return
    for step in steps:
        say(step)


@index.command("list")
def list_indexes(
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List what makes questions quick: the catalog's own indexes, then the added ones."""
    import lightwell

    found = lightwell.open(settings).catalog.indexes()
    if as_json:
        show_json({"indexes": [asdict(each) for each in found]})
        return
    for each in found:
        _say_index(each)


@index.command("add")
def add_index(
    field: Annotated[str, typer.Argument(help="As in --where, e.g. sample.name, original.KEY.")],
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make questions about a field quick that are asked often."""
    import lightwell

    added = lightwell.open(settings).add_index(field)
    if as_json:
        show_json(asdict(added))
    else:
        _say_index(added)


def _say_index(found: "Index") -> None:
    say(f"{found.name}  ({', '.join(found.fields) or 'words'})  {found.answers}"
        + ("  [added]" if found.added else ""))  # fmt: skip


@places.command()
def copy(
    target: Annotated[str, typer.Argument(metavar="TO", help="sqlite:///file or mongodb://…")],
    dry_run: DryRun = False,  # noqa: FBT002
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Copy the catalog, journal and all, to another place; interrupted, the same goes on."""
    import lightwell

    report = lightwell.open(settings).copy_catalog(target, dry_run=dry_run)
    if as_json:
        show_json(asdict(report))
        return
    if report.dry_run:
        missing = report.datasets - report.same
        say(f"{missing} of {report.datasets} datasets and {report.events} events to copy; "
            "nothing was written")  # fmt: skip
        return
    say(f"{report.datasets} datasets and {report.events} events are in {target}, "
        f"{report.same} were there before; {report.verified} compared, all the same")  # fmt: skip
    say(f'to use it, write catalog = "{target}" into lightwell.toml')


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(places, name="catalog")
