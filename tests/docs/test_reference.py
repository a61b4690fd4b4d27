"""What there is, is in the documentation: hooks, settings, commands, errors."""

import re
from pathlib import Path

import pytest
import typer.main

from lightwell import errors
from lightwell.cli import app
from lightwell.hooks import Hooks
from lightwell.settings import Settings, StoreSettings

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in vars(Hooks) if not name.startswith("_")]
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
ERRORS = [n for n in errors.__all__ if isinstance(getattr(errors, n), type)]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook(hook: str) -> None:
    assert f"`{hook}" in page("hooks.md")


@pytest.mark.parametrize("setting", [*Settings.model_fields, *StoreSettings.model_fields])
def test_a_setting(setting: str) -> None:
    assert f"`{setting}`" in page("settings.md")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str) -> None:
    assert re.search(rf"`{command}[ `]", page("commandline.md"))


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_with_its_exit_status(error: str) -> None:
    assert f"| `{error}` | {getattr(errors, error).exit_status} |" in page("errors.md")
