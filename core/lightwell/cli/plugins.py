"""Verbs about the installation: plugins, doctor."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightwell.cli.answers import AsJson, Settings, say, show_json
from lightwell.errors import ParameterError, UnknownName
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.plugins import Plugins

__all__ = ["add_to"]


def plugins(
    action: Annotated[
        str | None, typer.Argument(metavar="[check]", help="Look whether a plugin conforms.")
    ] = None,
    package: Annotated[
        str | None, typer.Argument(metavar="[PACKAGE]", help="Its package, or the plugin's name.")
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the plugins, what each brings, and why one did not load; or check one of them."""
    import lightwell

    known = lightwell.open(settings).installation.plugins
    if action is not None:
        _check(action, package, known, as_json=as_json)
        return
    brought = {
        "importers": sorted(known.importers),
        "schemas": sorted(known.schemas),
        "recipes": sorted(known.recipes),
        "simulators": sorted(known.simulators),
    }
    if as_json:
        show_json({"plugins": [_facts(s) for s in known.status], **brought})
        return
    for status in known.status:
        origin = f"{status.distribution} {status.version}".strip() or status.module
        say(
            f"{status.name}  ({origin})  "
            + (f"BROKEN: {status.problem}" if status.problem else "ok")
        )
    for what, names in brought.items():
        say(f"{what}: {', '.join(names) or 'none'}")


def _check(action: str, package: str | None, known: "Plugins", *, as_json: bool) -> None:
    from lightwell.testing import conformance

    if action != "check" or package is None:
        raise ParameterError(
            f"lightwell plugins {action} is no command", remedy="write plugins check PACKAGE"
        )
    checks = []
    for check in conformance(_module_of(package, known)):
        checks.append(check)
        if not as_json:
            say(f"{'ok  ' if check.ok else 'FAIL'}  {check.what}: {check.answer}")
    if as_json:
        show_json({"checks": [check._asdict() for check in checks]})
    if not all(check.ok for check in checks):
        raise typer.Exit(2)


def _module_of(package: str, known: "Plugins") -> ModuleType:
    """The hook module of a plugin, by the plugin's name, its package or the module itself."""
    fitting = [
        status.module
        for status in known.status
        if package in (status.name, status.module, status.module.partition(".")[0])
    ]
    for name in (*fitting, package, f"{package}.plugin"):
        try:
            module = import_module(name)
        except ImportError:
            continue
        if hasattr(module, "lightwell_api"):
            return module
    raise UnknownName(
        f"there is no plugin {package}", remedy=nearest(package, (s.name for s in known.status))
    )


def _facts(status: Any) -> dict[str, Any]:
    return {
        "name": status.name,
        "module": status.module,
        "distribution": status.distribution,
        "version": status.version,
        "problem": status.problem,
    }


def doctor(
    settings: Settings = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Check that everything needed is here and works; exit status 2 if something does not."""
    import lightwell
    from lightwell.doctor import examine

    findings = examine(lightwell.open(settings).installation)
    if as_json:
        show_json({"checks": [f._asdict() for f in findings]})
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.answer}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(2)


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(plugins)
    app.command()(doctor)
