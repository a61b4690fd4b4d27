"""Nothing names the machine it was written on, or where that machine gets its packages."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Written so that this file does not find itself.
ABSOLUTE = re.compile(r"(?<![\w.\-/{}$])/(?:work|root|opt|home|Users)/")
SOURCES_OF_PACKAGES = re.compile(r"(?:extra-)?index[-_]url|find-links|pypi[.]org|python" + "hosted")


def repository_files() -> list[Path]:
    """List what git tracks or would track; outside a clone there is nothing to hold."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone: no list of files")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_machine_paths_and_no_registries() -> None:
    found = []
    for path in repository_files():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if ABSOLUTE.search(line) or SOURCES_OF_PACKAGES.search(line)
        ]
    assert not found, "\n".join(found)
