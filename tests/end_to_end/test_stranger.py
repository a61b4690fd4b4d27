"""A stranger's plugin, from its wheel: it adds a technique, and leaves without its data."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Environment

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
NAME = "als-microdiffraction"
RECIPE = "microdiffraction.rings"
COPIED = shutil.ignore_patterns("__pycache__", ".*_cache", "tests")

pytestmark = pytest.mark.slow

OPENED = """
import sys, lightwell
for pid in sys.argv[1:]:
    dataset = lightwell.open().get(pid)
    print(type(dataset.entry).__name__, dataset.definition, dataset.entry.lookup("sample.name"))
"""


@pytest.fixture
def stranger(wheel_environment: "Environment", tmp_path: Path) -> Iterator["Environment"]:
    """Build the tutorial as somebody else would, elsewhere, and install it beside lightwell."""
    copy = tmp_path / "elsewhere" / "als-microdiffraction"
    shutil.copytree(TUTORIAL, copy, ignore=COPIED)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = (copy / "dist").glob("*.whl")
    wheel_environment.pip("install", "--quiet", "--no-index", wheel)
    yield wheel_environment
    wheel_environment.pip("uninstall", "--quiet", "--yes", NAME)


def answer(environment: "Environment", *arguments: str | Path) -> dict[str, Any]:
    done = environment.lightwell(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def refusal(environment: "Environment", *arguments: str) -> str:
    done = environment.lightwell(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_comes_works_and_leaves(stranger: "Environment", tmp_path: Path) -> None:
    scan = tmp_path / "map.h5"
    done = stranger.run(stranger.python, TUTORIAL / "example.py", scan)
    assert done.returncode == 0, done.stderr

    [raw] = answer(stranger, "ingest", scan)["datasets"]
    assert (raw["definition"], raw["importer"]) == ("ALSmicrodiffraction", "als-12.3.2")
    assert raw["flags"] == []
    assert found_by(stranger, "whisker") == {raw["pid"]}
    assert found_by(stranger, "--where", "energy > 12 keV") == {raw["pid"]}

    result = answer(stranger, "run", RECIPE, raw["pid"])
    assert result["estimates"]["background"]["value"] == pytest.approx(5.0, abs=1.0)
    assert result["parameters"]["centre_x"] == 19.5
    replayed = answer(stranger, "replay", result["pid"], "--verify")
    assert (replayed["verdict"], replayed["rebuilt"]) == ("equal", False)
    record = answer(stranger, "show", result["pid"])["document"]["job"]
    assert record["environment"][NAME] == "0.1.0"

    stranger.pip("uninstall", "--quiet", "--yes", NAME)
    check_what_stays(stranger, raw["pid"], result["pid"])


def found_by(environment: "Environment", *words: str) -> set[str]:
    return {dataset["pid"] for dataset in answer(environment, "find", *words)["datasets"]}


def check_what_stays(environment: "Environment", raw: str, result: str) -> None:
    """Without the plugin its datasets open and are found, and running says what is missing."""
    assert found_by(environment, "whisker") == {raw, result}
    assert found_by(environment, "--where", "definition = ALSmicrodiffraction") == {raw}
    assert answer(environment, "show", raw)["definition"] == "ALSmicrodiffraction"
    done = environment.run(environment.python, "-c", OPENED, raw, result)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Entry ALSmicrodiffraction tin whisker",
        "Entry None tin whisker",
    ]
    missing = refusal(environment, "run", RECIPE, raw)
    assert "no plugin 'microdiffraction' is installed here" in missing
    assert f"{NAME} 0.1.0" in refusal(environment, "replay", result)
    # What another plugin can do with it says so too.
    assert "no plugin here knows" in refusal(environment, "run", "tomography.gridrec", raw)
