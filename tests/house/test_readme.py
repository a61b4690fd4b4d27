"""The README's first commands are the ones that CI runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commands(name: str) -> set[str]:
    """Return the lines of all shell blocks, without prompts and comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|bash|shell|console)\n(.*?)```", text, flags=re.DOTALL)
    lines = (
        line.removeprefix("$ ").split(" #")[0].strip() for b in blocks for line in b.splitlines()
    )
    return {line for line in lines if line}


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {f"make {name}" for name in re.findall(r"^([a-z]+):", text, flags=re.MULTILINE)}


def test_readme_says_how_to_see_and_how_to_test() -> None:
    assert {"make demo", "make test"} <= commands("README.md")


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\nmake check\n" in script
    assert "\nmake test " in script


def test_every_make_command_in_the_documents_exists() -> None:
    for document in ("README.md", "CONTRIBUTING.md"):
        made = {" ".join(c.split()[:2]) for c in commands(document) if c.startswith("make ")}
        assert made <= targets()


def test_contributing_fits_one_screen() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 40
