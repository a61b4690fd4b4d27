"""Verbs about data that is taken away: export, convert."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json

if TYPE_CHECKING:
    from lightwell.exports import Exported

__all__ = ["add_to"]

Pid = Annotated[str, typer.Argument(help="The identifier that ingest, find or run printed.")]


def export(
    pid: Pid,
    out: Annotated[Path, typer.Argument(help="What to write: a file or a folder, by the format.")],
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="tiff, raw, png or ome-zarr.")
    ],
    slices: Annotated[
        str | None, typer.Option(metavar="A:B:C", help="Only these slices of the volume.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="uint8, uint16 or float32; as it is, where possible.")
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option("--range", metavar="LO:HI", help="The values that become black and white."),
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="PATH", help="Another array than the one to plot.")
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Write the volume of a result for Fiji, Avizo or a viewer, with its pixel size."""
    import lightwell
    from lightwell.exports import export as write
    from lightwell.exports import parse_range
    from lightwell.hdf5 import release
    from lightwell.session.asking import parse_slices

    dataset = lightwell.open(settings).get(pid)
    cut = parse_slices(slices) if slices is not None else None
    bounds = parse_range(limits) if limits is not None else None
    try:
        with _progress("slices", quiet=as_json) as tell:
            found = write(
                dataset,
                format,
                out,
                array=array,
                slices=cut,
                dtype=dtype,
                limits=bounds,
                tell=tell,
            )
    finally:
        release()
    if as_json:
        show_json({"path": str(found.path), "format": found.format, **found.facts})
    else:
        _say(found)


def _say(found: "Exported") -> None:
    facts = found.facts
    size = " x ".join(map(str, facts["shape"]))
    voxel = facts["voxel_size_m"]
    edges = [f"{voxel[axis] * 1e6:.6g}" if voxel[axis] else "?" for axis in "zyx"]
    say(f"wrote {found.path}: {size} {facts['dtype']}, voxel {' x '.join(edges)} µm (z, y, x)")
    if "black" in facts:
        unit = f" {facts['unit']}" if facts["unit"] else ""
        say(f"black {facts['black']:.6g}, white {facts['white']:.6g}{unit} ({facts['values']})")
    outside = {"darker than black": "clipped_below", "lighter than white": "clipped_above"}
    outside["no numbers"] = "not_finite"
    for words, name in outside.items():
        if facts[name]:
            say(f"{facts[name]} voxels were {words}")


def convert(
    pid: Pid,
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="nexus, dxchange, …")],
    compression: Annotated[
        str | None,
        typer.Option(help="bitshuffle-lz4, gzip or none; else what the format's readers know."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Write a dataset as one file that needs no other, with all that is known about it."""
    import lightwell
    from lightwell.conversion import convert as write

    session = lightwell.open(settings)
    with _progress("frames", quiet=as_json) as tell:
        found = write(
            session.get(pid),
            to,
            out,
            converters=session.installation.plugins.converters,
            compression=compression,
            tell=tell,
        )
    if as_json:
        show_json({"path": str(found.path), "format": found.format, **found.facts})
    else:
        say(f"wrote {found.path}: {found.facts['bytes'] / 1e6:.1f} MB as {found.format}")


@contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A bar per array while a person watches; silent otherwise."""
    if quiet or not sys.stderr.isatty():
        yield lambda event: None
        return
    from rich.console import Console
    from rich.progress import Progress

    tasks: dict[str, Any] = {}
    with Progress(console=Console(stderr=True)) as bar:

        def tell(event: Mapping[str, Any]) -> None:
            if "of" not in event:
                return
            name = str(event.get("array", what))
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=event["of"])
            bar.update(tasks[name], completed=event["done"])

        yield tell


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(export)
    app.command()(convert)
