"""On a terminal a job says where its pictures are, once; elsewhere it says nothing of them."""

import sys

import pytest

from lightwell.cli.progress import Progress

FOLDER = "/data/[home]/results/lw-some-long-name/" + "deep/" * 30
EVENTS = [
    {"event": "pictures", "iteration": 7, "names": ["preview_phase.png"], "folder": FOLDER},
    {"event": "pictures", "iteration": 9, "names": [], "undrawn": ["drawing a failed: why"]},
    {"event": "pictures", "iteration": 11, "names": ["preview_phase.png"], "folder": FOLDER},
]


@pytest.mark.parametrize(("tty", "quiet"), [(True, False), (True, True), (False, False)])
def test_where_pictures_are_is_said_once_to_who_watches(
    tty: bool, quiet: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty)
    with Progress(quiet=quiet) as progress:
        for event in EVENTS:
            progress.tell(event)
    out, said = capsys.readouterr()
    assert out == ""
    if quiet or not tty:
        assert said == ""
        return
    assert said.count("pictures while it runs") == 1
    assert f"pictures while it runs: {FOLDER}" in said
    assert said.count("no picture while it runs: drawing a failed: why") == 1
