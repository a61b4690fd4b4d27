"""Asking for help, or for the name of a plugin, loads no array library and no database driver."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = (
    "dask",
    "fsspec",
    "h5py",
    "hdf5plugin",
    "jax",
    "numpy",
    "pint",
    "PIL",
    "pymongo",
    "tifffile",
)
PLUGINS = PROJECT["entry-points"]["lightwell.plugins"].values()

COMMAND = """
import sys
sys.argv = ["lightwell", *{arguments!r}]
from lightwell.cli import main
try:
    status = main()
except SystemExit as leave:
    status = leave.code
assert not status, status
"""


def heavy_after(program: str) -> set[str]:
    """Run a program in a fresh interpreter and say which heavy packages it has loaded."""
    report = f"\nimport sys; print('loaded', *({set(HEAVY)!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_the_measure_works() -> None:
    assert heavy_after("import numpy") == {"numpy"}


def test_import_lightwell() -> None:
    assert heavy_after("import lightwell") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["ingest", "--help"]])
def test_help(arguments: list[str]) -> None:
    assert heavy_after(COMMAND.format(arguments=arguments)) == set()


@pytest.mark.parametrize("module", PLUGINS)
def test_a_plugin_module(module: str) -> None:
    assert heavy_after(f"import {module}") == set()
