"""Every folder on the path holds one typed package, and the lists of packages agree."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOL = PYPROJECT["tool"]
PACKAGES = [Path(p) for p in TOOL["hatch"]["build"]["targets"]["wheel"]["packages"]]
FOLDERS = sorted({package.parent for package in PACKAGES})
# The core's folder holds two, side by side: the framework and the numerics it never imports.
TOGETHER = {"core": {"lightwell", "lightwell_numerics"}}


def on_disk() -> set[Path]:
    found = {
        p.parent
        for d in ("core", "plugins", "backends", "portal")
        for p in (ROOT / d).rglob("*.py")
    }
    tops = {
        p for p in found if (p / "__init__.py").exists() and not (p.parent / "__init__.py").exists()
    }
    return {p.relative_to(ROOT) for p in tops}


def test_every_package_on_disk_is_shipped() -> None:
    assert on_disk() == set(PACKAGES)


def test_checkers_and_layers_know_every_package() -> None:
    names = {package.name for package in PACKAGES}
    folders = {folder.as_posix() for folder in FOLDERS}
    assert set(TOOL["importlinter"]["root_packages"]) == names
    assert set(TOOL["mypy"]["packages"]) == names
    assert set(TOOL["ruff"]["lint"]["isort"]["known-first-party"]) == names
    mypy = {p.removeprefix("$MYPY_CONFIG_FILE_DIR/") for p in TOOL["mypy"]["mypy_path"]}
    pyright = set(TOOL["basedpyright"]["extraPaths"])
    assert mypy == pyright
    assert {path for path in mypy if not path.startswith("tests/")} == folders


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_a_folder_on_the_path_holds_its_package_and_nothing_else(folder: Path) -> None:
    held = {path.name for path in (ROOT / folder).iterdir() if path.name != "__pycache__"}
    expected = TOGETHER.get(folder.as_posix(), {p.name for p in PACKAGES if p.parent == folder})
    assert held == expected
    assert folder.as_posix() in TOGETHER or len(expected) == 1


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_is_typed(package: Path) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_every_plugin_states_the_api_it_speaks() -> None:
    for module in PYPROJECT["project"]["entry-points"]["lightwell.plugins"].values():
        package, name = module.split(".")
        [folder] = [p for p in PACKAGES if p.name == package]
        assert "lightwell_api = 1" in (ROOT / folder / f"{name}.py").read_text(encoding="utf-8")
