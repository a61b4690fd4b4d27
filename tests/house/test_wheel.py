"""What users install: the wheel, alone in an empty environment."""

import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Environment

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = {
    Path(p).name for p in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
}


def test_holds_the_packages_and_nothing_else(built_wheel: Path) -> None:
    names = zipfile.ZipFile(built_wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_doctor_in_an_empty_environment(wheel_environment: "Environment") -> None:
    done = wheel_environment.lightwell("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_every_package_imports_from_the_wheel(wheel_environment: "Environment") -> None:
    program = f"import {', '.join(sorted(PACKAGES))}; print(lightwell.__file__)"
    done = wheel_environment.run(wheel_environment.python, "-c", program)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(wheel_environment.folder)
