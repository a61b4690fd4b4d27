"""The doctor: what has to be here for lightwell to work, looked at one by one."""

import os
import shutil
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["Finding", "examine"]

_LOW_DISK = 1 << 30


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    ok: bool
    answer: str


def examine(installation: "Installation") -> list[Finding]:
    """Look at packages, plugins, home, catalog and a worker; a failing check never raises."""
    checks: list[tuple[str, Callable[[Installation], str]]] = [
        ("packages", _packages),
        ("plugins", _plugins),
        ("home", _home),
        ("catalog", _catalog),
        ("worker", _worker),
    ]
    found = []
    for what, check in checks:
        try:
            found.append(Finding(what, ok=True, answer=check(installation)))
        except Exception as error:
            found.append(Finding(what, ok=False, answer=f"{type(error).__name__}: {error}"))
    return found


def _packages(_: "Installation") -> str:
    names = ("lightwell", "jax", "jaxlib", "numpy", "h5py", "pydantic", "fsspec", "pluggy")
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def _plugins(installation: "Installation") -> str:
    plugins = installation.plugins
    recipes, importers = len(plugins.recipes), len(plugins.importers)
    broken = [f"{s.name} ({s.problem})" for s in plugins.status if s.problem]
    if broken:
        raise RuntimeError("did not load: " + "; ".join(broken))
    return f"{len(plugins.status)} loaded, {importers} importers, {recipes} recipes"


def _home(installation: "Installation") -> str:
    home = installation.folder()
    if not os.access(home, os.W_OK):
        raise PermissionError(f"{home} cannot be written to; set LIGHTWELL_HOME")
    free = shutil.disk_usage(home).free
    if free < _LOW_DISK:
        raise OSError(f"only {free / 1e9:.2f} GB are free at {home}")
    return f"{home}, {free / 1e9:.0f} GB free"


def _catalog(installation: "Installation") -> str:
    # Not how many datasets: this is said to everybody.
    installation.catalog.count(at_most=1)
    return f"{installation.catalog.location} answers"


def _worker(installation: "Installation") -> str:
    from threading import Event

    from lightwell.engines.environment import cpu_class
    from lightwell.engines.workers import Workers

    with Workers(lambda _: None, Event()) as workers:
        peak = workers.call("ready")["peak"]
    return f"answers, {peak / 1e6:.0f} MB, CPU class {cpu_class()}, {installation.workers} at once"
