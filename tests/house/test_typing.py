"""Both type checkers refuse, in tests/typing/must_fail.py, every line marked `# E` and no other."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "typing" / "must_fail.py"


def marked() -> set[int]:
    lines = CASES.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# E")}


def run(module: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_mypy(require: Callable[[str], ModuleType]) -> None:
    require("mypy")
    output = run("mypy", "--no-pretty", str(CASES))
    found = re.findall(r"^(.+?):(\d+)(?::\d+)?: error:", output, flags=re.MULTILINE)
    assert {int(line) for path, line in found if Path(path).name == CASES.name} == marked(), output


@pytest.mark.slow
def test_pyright(require: Callable[[str], ModuleType]) -> None:
    require("basedpyright")
    output = run("basedpyright", "--pythonpath", sys.executable, "--outputjson", str(CASES))
    found = json.loads(output)["generalDiagnostics"]
    lines = {d["range"]["start"]["line"] + 1 for d in found if d["severity"] == "error"}
    assert lines == marked(), output
