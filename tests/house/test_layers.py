"""Who may import whom is a failing test, not an intention."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("core", "plugins", "backends")
COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")


def lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages below a folder instead of over the installed ones."""
    typed = (path for source in SOURCES for path in (folder / source).rglob("py.typed"))
    paths = sorted({str(path.parents[1]) for path in typed})
    program = (
        f"import sys; sys.path[:0] = {paths!r}; "
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_the_house(folder: Path) -> Path:
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / source, ignore=COPIED)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_is_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("house", "plugins/saxs/lightwell_saxs/plugin.py", "import lightwell_xas.plugin"),
        ("core", "core/lightwell/units.py", "import lightwell.session"),
        ("core", "core/lightwell/a_room_nobody_planned.py", ""),
        ("hdf5", "core/lightwell/files.py", "import h5py"),
        ("places", "core/lightwell/files.py", "def lazily():\n    import pymongo"),
        ("jax", "core/lightwell/files.py", "def lazily():\n    import jax"),
        ("public", "plugins/saxs/lightwell_saxs/plugin.py", "import lightwell.installation"),
        ("backends", "backends/lightwell_backends/plugin.py", "import lightwell.session"),
        ("kernels", "core/lightwell_numerics/__init__.py", "import logging"),
    ],
)
def test_a_breach_is_seen(tmp_path: Path, contract: str, module: str, line: str) -> None:
    house = copy_of_the_house(tmp_path)
    with (house / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(house, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 1 broken" in done.stdout
