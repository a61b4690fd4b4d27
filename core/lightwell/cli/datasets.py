"""Verbs about datasets: ingest, find, show."""

from collections import Counter
from typing import Annotated, Any

import typer

from lightwell.cli.answers import (
    AsJson,
    Settings,
    Values,
    dataset_facts,
    parse_values,
    say,
    show_json,
)

__all__ = ["add_to"]

_SHOWN_FLAGS = 5


def ingest(
    path: Annotated[str, typer.Argument(help="The file or folder an instrument wrote.")],
    values: Values = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002  (an option of the command line)
) -> None:
    """Describe and remember a scan; doing it twice is the same as once."""
    import lightwell

    session = lightwell.open(settings)
    found = session.ingest(path, text=True, **parse_values(values))
    if as_json:
        show_json({"datasets": [dataset_facts(dataset) for dataset in found]})
        return
    for dataset in found:
        say(f"{dataset.pid}  {dataset.definition or 'NXentry'}  {dataset.entry.title or path}")
        for flag in dataset.flags[:_SHOWN_FLAGS]:
            say(f"  {flag.code}: {flag.message}")
        if len(dataset.flags) > _SHOWN_FLAGS:
            say(f"  … and {len(dataset.flags) - _SHOWN_FLAGS} more: lightwell show {dataset.pid}")


def find(
    words: Annotated[
        list[str] | None, typer.Argument(help="Words, or beginnings of words.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="A condition, for example: energy > 30 keV and sample = Hornby"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on after an earlier page.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the newest datasets that hold the words and fulfil the condition."""
    import lightwell
    from lightwell.catalog import EVERY, Text, parse_query

    query = parse_query(where) if where else EVERY
    if words:
        query = query & Text(" ".join(words))
    page = lightwell.open(settings).find(query, limit=limit, cursor=cursor)
    if as_json:
        show_json({"datasets": [dataset_facts(d) for d in page], "cursor": page.cursor})
        return
    for dataset in page:
        kind = "result" if dataset.kind == "derived" else "scan  "
        say(f"{dataset.pid}  {kind}  {dataset.created[:16]}  {dataset.entry.title or dataset.path}")
    if not page.datasets:
        say("nothing found")
    if page.cursor:
        say(f"more: --cursor {page.cursor}")


def show(
    pid: Annotated[str, typer.Argument(help="The identifier that ingest, find or run printed.")],
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show what is known of a dataset: search fields, files, flags, where it came from."""
    import lightwell

    session = lightwell.open(settings)
    dataset = session.get(pid)
    lineage = session.catalog.lineage(pid)
    if as_json:
        facts = dataset_facts(dataset)
        document = dataset.to_document()
        show_json({**facts, "document": document, "results": list(lineage.descendants)})
        return
    _show_lines(session, dataset, lineage)


def _kinds(session: Any, dataset: Any) -> dict[str, int]:
    """How many frames there are of which kind; nothing where the file cannot be read now."""
    from lightwell.errors import LightwellError

    found = dataset.entry.kinds_of_frames()
    if found is None:
        return {}
    path, words = found
    try:
        values = session.array(dataset, path).read().tolist()
    except LightwellError:
        return {}
    counted = Counter(words.get(value, f"of kind {value}") for value in values)
    return {word: counted[word] for word in (*words.values(), *counted) if word in counted}


def _show_lines(session: Any, dataset: Any, lineage: Any) -> None:
    from lightwell.model import CANONICAL_FIELDS

    say(f"{dataset.pid}  {dataset.definition or 'NXentry'}  by importer {dataset.importer}")
    if dataset.retired:
        say("retired: left out of searches")
    if dataset.superseded_by:
        say(f"superseded by {dataset.superseded_by}")
    say(f"path: {dataset.path}")
    say(f"files: {dataset.summary.files}, {dataset.summary.bytes / 1e6:.1f} MB")
    if channels := dataset.frames.get("channels"):
        kinds = ", ".join(f"{count} {word}" for word, count in _kinds(session, dataset).items())
        shown = f" ({kinds})" if kinds else ""
        say(f"frames: {dataset.frames['count']}{shown}, with {', '.join(channels)}")
    for name, value in dataset.entry.canonical().items():
        say(f"{name}: {value} {CANONICAL_FIELDS[name].unit or ''}".rstrip())
    for name, given in dataset.options.items():
        say(f"{name}: {given.value} (given by {given.by})")
    for name, facts in dataset.job.get("parameters", {}).items():
        origin = f"{facts['origin']} {facts['detail']}".strip()
        say(f"parameter {name}: {facts['value']} {facts['unit'] or ''} ({origin})")
    for word, pids in (("made from", dataset.derived_from), ("results", lineage.descendants)):
        if pids:
            say(f"{word}: {', '.join(pids)}")
    for flag in dataset.flags:
        say(f"{flag.code}: {flag.message}")


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(ingest)
    app.command()(find)
    app.command()(show)
