"""The words of the command line that stay: verbs, shapes of JSON, exit status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lightwell
from lightwell.cli import datasets
from lightwell.cli.main import app, run

VERBS = [
    "ingest",
    "find",
    "show",
    "recipes",
    "run",
    "replay",
    "simulate",
    "plugins",
    "doctor",
    "demo",
    "validate",
    "convert",
    "export",
    "reindex",
    "fsck",
    "diff",
    "retire",
    "supersede",
]
Captured = pytest.CaptureFixture[str]


def answer(capsys: Captured, *arguments: str) -> dict[str, Any]:
    status = run([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    content: dict[str, Any] = json.loads(out)
    return content


@pytest.fixture
def scan(tmp_path: Path, capsys: Captured) -> str:
    path = tmp_path / "scan.h5"
    sizes = ["width=32", "rows=2", "angles=24"]
    options = [word for size in sizes for word in ("--set", size)]
    simulated = answer(capsys, "simulate", "tomography", str(path), *options)
    assert set(simulated) == {"path", "truth"}
    assert simulated["truth"]["rotation_axis"] == 15.5
    return str(path)


def test_every_verb_is_known() -> None:
    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    assert known >= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys: Captured, verb: str) -> None:
    assert run([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert f"{verb} " in text


def test_shapes(scan: str, capsys: Captured) -> None:
    [raw] = answer(capsys, "ingest", scan)["datasets"]
    assert set(raw) >= {"pid", "definition", "importer", "path", "flags"}
    assert raw["pid"].startswith("lw-")

    found = answer(capsys, "find", "--limit", "1")
    assert set(found) == {"datasets", "cursor"}
    assert found["datasets"] == [raw]
    assert found["cursor"] is None

    shown = answer(capsys, "show", raw["pid"])
    assert set(raw) | {"document", "results"} == set(shown)

    listed = answer(capsys, "recipes")["recipes"]
    assert "tomography.gridrec" in {recipe["title"] for recipe in listed}
    schema = answer(capsys, "recipes", "tomography.gridrec")
    assert schema["properties"]["rotation_axis"]["estimated_by"] == "find_axis"

    known = answer(capsys, "plugins")
    assert {"plugins", "importers", "schemas", "recipes", "simulators"} == set(known)
    assert all(plugin["problem"] is None for plugin in known["plugins"])


def test_people_get_lines(scan: str, capsys: Captured) -> None:
    for verb in (["ingest", scan], ["find", "logan"], ["find", "nothing-of-that"], ["recipes"]):
        assert run(verb) == 0
    assert run(["recipes", "tomography.gridrec"]) == 0
    assert run(["plugins"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "simulated Shepp-Logan head" in out
    assert "nothing found" in out
    assert "--set rotation_axis=…  number in pixel; auto, found by find_axis" in out
    [pid] = [dataset.pid for dataset in lightwell.open().find()]
    assert run(["show", pid]) == 0
    out, _ = capsys.readouterr()
    assert "sample: Shepp-Logan head" in out
    assert " projections, " in out
    assert " darks), with image_key" in out
    assert "pixel_size: 1e-06 m\n" in out
    assert run(["validate", pid]) == 0
    assert f"{pid}.nxs: valid (0 errors" in capsys.readouterr().out
    # A scan whose file is gone is shown all the same, without what only the file tells.
    Path(scan).rename(f"{scan}.away")
    assert run(["show", pid]) == 0
    assert "projections" not in capsys.readouterr().out


def test_pages(scan: str, tmp_path: Path, capsys: Captured) -> None:
    for seed in range(3):
        path = tmp_path / f"{seed}.h5"
        sizes = {"width": 16, "rows": 1, "angles": 8, "seed": seed}
        lightwell.open().simulate("tomography", path, **sizes)
        answer(capsys, "ingest", str(path))
    first = answer(capsys, "find", "--limit", "2")
    rest = answer(capsys, "find", "--limit", "2", "--cursor", first["cursor"])
    pids = [dataset["pid"] for page in (first, rest) for dataset in page["datasets"]]
    assert len(set(pids)) == 3
    assert rest["cursor"] is None


def test_doctor(capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checks = answer(capsys, "doctor")["checks"]
    assert [check["what"] for check in checks] == [
        "packages", "plugins", "home", "catalog", "worker",
    ]  # fmt: skip
    assert all(check["ok"] for check in checks)
    Path(tmp_path / "lightwell.toml").write_text('plugins = ["nobody.wrote.this"]\n')
    monkeypatch.chdir(tmp_path)
    assert run(["doctor"]) == 2
    out = capsys.readouterr().out
    assert "FAIL  plugins: " in out
    assert "nobody.wrote.this" in out


def test_a_home_that_cannot_be_used(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTWELL_HOME", "/dev/null/home")
    assert run(["find"]) == 2
    assert "/dev/null" in capsys.readouterr().err
    assert run(["doctor"]) == 2
    assert "FAIL  home" in capsys.readouterr().out


def test_our_fault_is_status_1_with_a_report(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(lightwell.Session, "find", broken)
    assert run(["find"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "this is a fault of lightwell, not of your data: ZeroDivisionError" in err
    report = Path(err.split()[-1].rstrip("."))
    assert "nobody thought of this" in report.read_text()
    report.unlink()


def test_a_plugin_s_fault_names_it(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hasty_plugin.py").write_text(
        "from lightwell import Importer, hookimpl\n"
        "lightwell_api = 1\n"
        "class Hasty(Importer):\n"
        "    name = 'hasty'\n"
        "    def claims(self, file): return file.name == 'a.dat'\n"
        "    def describe(self, file, /): raise KeyError('frames')\n"
        "@hookimpl\n"
        "def provide_importers(): return [Hasty()]\n"
    )
    (tmp_path / "lightwell.toml").write_text('plugins = ["hasty_plugin"]\n')
    (tmp_path / "a.dat").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run(["ingest", "a.dat"]) == 1
    err = capsys.readouterr().err
    assert "importer hasty failed on a.dat (KeyError: 'frames')" in err
    assert "hasty_plugin" in err


def test_a_key_press_is_status_75(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "parse_values", interrupted)
    assert run(["ingest", "x"]) == 75
    assert "run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-u", "-B"], ids=["at once", "at the end"])
def test_a_reader_that_has_seen_enough(option: str) -> None:
    program = "from lightwell.cli import main; main(['plugins'])"
    shell = f'"{sys.executable}" {option} -c "{program}" | head -c 1'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
