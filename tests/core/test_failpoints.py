"""A failpoint kills at the passage it was told, and is nothing otherwise."""

import random
import sys
from pathlib import Path

from lightwell.testing.failpoints import killed_after, killed_at, passages

WRITING = """
import sys, time
from pathlib import Path
from lightwell.files import complete_file
for number in range(2):
    with complete_file(Path(sys.argv[1])) as part:
        part.write_text(str(number))
time.sleep(float(sys.argv[2]))
"""
NAMES = ["file-written", "file-synchronised", "file-renamed", "file-name-synchronised"]


def command(path: Path, seconds: float = 0) -> list[str]:
    return [sys.executable, "-c", WRITING, str(path), str(seconds)]


def test_every_passage_is_noted_in_order(tmp_path: Path) -> None:
    found = passages(command(tmp_path / "a"))
    assert found == [f"{name}:{count}" for count in (1, 2) for name in NAMES]


def test_a_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for passage, content in {
        "file-written:1": None,
        "file-renamed:1": "0",
        "file-synchronised:2": "0",
        "file-renamed:2": "1",
    }.items():
        path.unlink(missing_ok=True)
        assert killed_at(passage, command(path))
        assert (path.read_text() if path.exists() else None) == content
    assert not killed_at("file-written:3", command(path)), "nobody passes there a third time"


def test_killed_at_a_random_moment(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert killed_after("file-renamed:2", command(path, 60), chance=random.Random(1))
    assert path.read_text() == "1"
