"""`lightwell validate`: lines for people, JSON for programs, an exit status for scripts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from lightwell.cli.validate import SHOWN, add_to
from lightwell.errors import InputError, UnknownName
from lightwell.nexus.validation import CODES, PROFILES, SEVERITIES

Scan = Callable[..., Path]
ROOT = Path(__file__).parents[4]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    app = typer.Typer()
    add_to(app)
    # With a second verb, the first is called by its name, as in `lightwell`.
    app.command("other")(lambda: None)

    def call(*arguments: object) -> tuple[int, str]:
        status = app(["validate", *map(str, arguments)], standalone_mode=False)
        return status or 0, capsys.readouterr().out

    return call


def misspell(file: Any) -> None:
    file["entry/instrument/detector"].attrs["NX_class"] = "NXdetectr"


def test_a_good_file(run: Callable[..., tuple[int, str]], scan: Scan) -> None:
    status, out = run(scan())
    assert status == 0
    [line] = out.splitlines()
    assert "valid (0 errors, 0 broken, 0 warnings, 0 notes), by NXtomo v2026.01" in line


def test_a_bad_file(run: Callable[..., tuple[int, str]], scan: Scan) -> None:
    status, out = run(scan(misspell))
    assert status == 2
    assert "error  /entry/instrument/detector" in out
    assert "Write NX_class=NXdetector." in out
    assert "rule: NXtomo/NXentry/instrument/detector v2026.01 (class-wrong)" in out
    assert "not valid (1 error, 0 broken," in out


def test_warnings_do_not_change_the_status(run: Callable[..., tuple[int, str]], scan: Scan) -> None:
    def change(file: Any) -> None:
        for number in range(SHOWN + 5):
            file[f"entry/a name {number}"] = 1

    status, out = run(scan(change))
    assert status == 0
    assert "and 5 more of severity warning: --json has all" in out


def test_json(run: Callable[..., tuple[int, str]], scan: Scan) -> None:
    status, out = run(scan(misspell), "--json")
    answer = json.loads(out)
    assert status == 2
    assert answer["valid"] is False
    assert answer["profile"] == "nexus-v2026.01"
    assert list(answer["counts"]) == list(SEVERITIES)
    first = answer["findings"][0]
    assert (first["severity"], first["code"]) == ("error", "class-wrong")
    assert first["definition"] == "NXtomo"
    assert first["version"] == "v2026.01"
    assert first["found"] == "NXdetectr"


def test_another_set_of_definitions(
    run: Callable[..., tuple[int, str]], scan: Scan, shared_data: Path
) -> None:
    status, out = run(scan(), "--nxdl", shared_data / "nexus" / "nxdl", "--json")
    assert status == 0
    assert json.loads(out)["version"] == "nxdl"


def test_what_cannot_be_done_is_said(
    run: Callable[..., tuple[int, str]], scan: Scan, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match=r"nexus-v2026\.01, nxxas-proposal"):
        run(scan(), "--profile", "mine")
    with pytest.raises(InputError, match="no NXDL files"):
        run(scan(), "--nxdl", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "gone.nxs")


def test_the_page_names_every_code_profile_and_waiver() -> None:
    page = (ROOT / "docs" / "validate.md").read_text("utf-8")
    names = {*CODES, *PROFILES, *SEVERITIES}
    for profile in PROFILES.values():
        names |= {item.name for item in (*profile.waivers, *profile.orders)}
    assert not [name for name in sorted(names) if f"`{name}`" not in page]
    for code, meaning in CODES.items():
        assert f"| `{code}` | {meaning} |" in page
