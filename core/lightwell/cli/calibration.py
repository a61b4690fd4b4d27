"""The verb calibrate: constants of an instrument from a measurement of a known sample."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, Values, parse_values, say, show_json
from lightwell.errors import ParameterError

if TYPE_CHECKING:
    from lightwell.calibration import Calibrated, Calibration, Constant

__all__ = ["add_to"]


def calibrate(
    name: Annotated[
        str | None, typer.Argument(help="The calibration; all are listed if not given.")
    ] = None,
    pid: Annotated[str | None, typer.Argument(help="The dataset of the known sample.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ] = None,
    values: Values = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Find the constants of an instrument, with errors, in a measurement of a known sample."""
    import lightwell

    session = lightwell.open(settings)
    known = session.installation.plugins.calibrations
    if name is None:
        _list(known, as_json=as_json)
        return
    if pid is None:
        raise ParameterError("calibrate needs a dataset", remedy=f"lightwell calibrate {name} PID")
    found = session.calibrate(name, pid, text=True, **parse_values(values))
    path = output or Path(f"{pid}{known[name].suffix}")
    found.write(path)
    if as_json:
        show_json(_facts(found, path))
        return
    _say(found)
    say(f"wrote {path}")


def _list(known: "Mapping[str, Calibration]", *, as_json: bool) -> None:
    if as_json:
        listed = {
            name: {n: p.json_schema() for n, p in one.parameters.items()}
            for name, one in known.items()
        }
        show_json({"calibrations": listed})
        return
    for name, one in known.items():
        say(f"{name}: {one.summary}")
        for parameter in one.parameters.values():
            say(f"  --set {parameter.name}=…  {parameter.wanted}")


def _facts(found: "Calibrated", path: Path) -> dict[str, Any]:
    return {
        "constants": {c.name: _fact(c) for c in found.constants},
        "derived": {c.name: _fact(c) for c in found.derived},
        "verdict": found.verdict,
        "reason": found.reason,
        "path": str(path),
    }


def _fact(constant: "Constant") -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(constant).items() if k != "name"}


def _say(found: "Calibrated") -> None:
    for constant in (*found.constants, *found.derived):
        held = "held" if constant in found.constants else ""
        spread = held if constant.sigma is None else f"± {constant.sigma:.2g}"
        say(f"{constant.name}: {constant.value:.9g} {constant.unit or ''} {spread}")
    say(f"{found.verdict}: {found.reason}")


def add_to(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(calibrate)
