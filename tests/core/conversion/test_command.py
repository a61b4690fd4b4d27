"""The verbs export and convert, as they will stand on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tifffile
import typer

from lightwell.cli import export
from lightwell.errors import LightwellError


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    export.add_to(app)

    def run(*words: str | Path) -> str:
        capsys.readouterr()
        app([str(word) for word in words], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_result_becomes_a_stack_for_fiji(
    command: Any, session: Any, scan: Any, tmp_path: Path
) -> None:
    result = session.run("tomography.gridrec", scan, rotation_axis=15.5).result()
    path = tmp_path / "v.tif"
    words = ("--format", "tiff", "--dtype", "uint16", "--slices", "0:3:2")
    said = command("export", result.pid, path, *words)
    assert f"wrote {path}: 2 x 32 x 32 uint16, voxel 2 x 1 x 1 µm" in said
    assert "percentiles 0.1 and 99.9" in said
    assert "voxels were darker than black" in said
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 2
    words = ("--format", "raw", "--dtype", "uint8", "--range", "-0.01:0.05", "--json")
    told = json.loads(command("export", result.pid, tmp_path / "v.raw", *words))
    assert (told["black"], told["white"], told["pid"]) == (-0.01, 0.05, result.pid)


def test_a_scan_becomes_one_file(command: Any, scan: Any, tmp_path: Path) -> None:
    said = command("convert", scan.pid, tmp_path / "a.nxs", "--to", "nexus")
    assert said == f"wrote {tmp_path / 'a.nxs'}: 0.1 MB as nexus\n"
    told = json.loads(command("convert", scan.pid, tmp_path / "a.h5", "--to", "dxchange", "--json"))
    assert told["format"] == "dxchange"
    with pytest.raises(LightwellError, match="already"):
        command("convert", scan.pid, tmp_path / "a.h5", "--to", "dxchange")


def test_the_verbs_load_nothing_heavy_until_they_work() -> None:
    program = (
        "import sys, lightwell.cli.export, lightwell.exports; "
        "print({'numpy', 'h5py', 'zarr', 'tifffile', 'PIL', 'numcodecs'} & set(sys.modules))"
    )
    heavy = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert heavy.stdout == "set()\n", heavy.stdout + heavy.stderr
