"""Bad input from the command line: one sentence with cause and remedy, status 2, nothing half.

Each sort that visiting scientists bring is here once; the tests of the parts know many more. Full
disks have a file of their own, and so have damaged files of every kind.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.cli.main import run

RECIPE = ("run", "tomography.gridrec")
QUICK = ("--workers", "1", "--set", "rotation_axis=7.5")
SHAPE = (12, 2, 16)


def write(path: Path, **changes: Any) -> Path:
    """A scan in the layout of Data Exchange with some of its arrays replaced, or None for gone."""
    arrays: Mapping[str, Any] = {
        "data": np.random.default_rng(1).uniform(500, 1500, SHAPE).astype("f4"),
        "data_white": np.full((2, *SHAPE[1:]), 2000, "f4"),
        "data_dark": np.full((2, *SHAPE[1:]), 10, "f4"),
        "theta": np.linspace(0, 180, SHAPE[0]),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[f"exchange/{name}"] = values
    return path


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str], lightwell_home: Path) -> Callable[..., str]:
    """Run a verb that has to refuse; give its sentence, once nothing was left behind."""

    def refused(*words: str | Path) -> str:
        capsys.readouterr()
        before = entries(lightwell_home)
        status = run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert entries(lightwell_home) == before
        assert not list(lightwell_home.rglob("*.part"))
        return err

    return refused


def entries(home: Path) -> list[Path]:
    return sorted(home.glob("entries/*"))


def ingested(path: str | Path) -> str:
    """The pid of a file that can be described, with whatever flags."""
    assert run(["ingest", str(path)]) == 0
    session = lightwell.open()
    pid = next(d.pid for d in session.find() if d.path == str(Path(path).absolute()))
    session.installation.catalog.close()
    return pid


def truncated(path: Path) -> Path:
    whole = write(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def other(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["temperature"] = np.arange(3.0)
    return path


def linking(path: Path, target: Any) -> Path:
    write(path, data=None)
    with h5py.File(path, "r+") as file:
        file["exchange/data"] = target
    return path


@pytest.mark.parametrize(
    ("make", "cause", "remedy"),
    [
        (truncated, "the file is truncated", "Copy it again"),
        (empty, "no importer knows what a.h5 is", "Known formats are"),
        (other, "no importer knows what a.h5 is", "NXentry"),
        (lambda p: write(p, data_white=None), "no flat fields", "data_white"),
        (lambda p: write(p, theta=np.linspace(0, 180, 11)), "there are 12", "--set first_angle"),
        (lambda p: linking(p, h5py.ExternalLink("gone.h5", "/d")), "gone.h5", "Put the linked"),
        (lambda p: linking(p, h5py.SoftLink("/exchange/data")), "in a circle", "link"),
        (lambda p: linking(p, h5py.ExternalLink("/nowhere/x.h5", "/d")), "/nowhere/x.h5", "Put"),
        (lambda p: linking(p, h5py.ExternalLink("../x.h5", "/d")), "../x.h5", "Put"),
    ],
    ids=["truncated", "empty", "no scan", "no flats", "angles", "dangling", "cycle", "absolute",
         "dots"],
)  # fmt: skip
def test_ingest(
    refusal: Callable[..., str], make: Callable[[Path], Path], cause: str, remedy: str
) -> None:
    said = refusal("ingest", make(Path("a.h5")))
    assert cause in said
    assert remedy in said


@pytest.mark.slow
def test_nan_frames(refusal: Callable[..., str]) -> None:
    values = np.ones(SHAPE, "f4")
    values[3, 1, 5] = np.nan
    said = refusal(*RECIPE, ingested(write(Path("a.h5"), data=values)), *QUICK)
    assert "NaN or infinite numbers in 'frames' at angle 3, row 1, x 5" in said
    assert "Put in a good copy of that frame" in said


def test_flats_without_light(refusal: Callable[..., str]) -> None:
    dark = np.zeros((2, *SHAPE[1:]), "f4")
    pid = ingested(write(Path("a.h5"), data_white=dark, data_dark=dark))
    said = refusal(*RECIPE, pid, *QUICK)
    assert "the flat fields hold no light: their mean is 0" in said
    assert "whether the shutter was open" in said


def test_a_virtual_dataset_without_its_source(refusal: Callable[..., str]) -> None:
    path = write(Path("a.h5"), data=None)
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource("gone.h5", "/d", shape=SHAPE)
    with h5py.File(path, "r+") as file:
        file["exchange"].create_virtual_dataset("data", layout)
    pid = ingested(path)
    for words in (("convert", pid, "--to", "nexus", "a.nxs"), ("export", pid, "a.tif", "--format",
                  "tiff", "--array", "instrument.detector.data")):  # fmt: skip
        said = refusal(*words)
        assert "gone.h5" in said
        assert "Put the file back" in said
    assert sorted(p.name for p in Path().glob("a.*")) == ["a.h5"]


@pytest.mark.parametrize(
    "name", ["a scan.h5", "Schädel 試料.h5", "two\nlines\t\x1b[1m.h5", "-a.h5"]
)
def test_names_with_anything_in_them(
    name: str, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    write(place / name)
    pid = ingested(place / name)
    out = capsys.readouterr().out
    # Each line is the dataset's, or a flag below it.
    assert [line[:2] for line in out.splitlines()] == ["lw", *["  "] * (out.count("\n") - 1)]
    assert run(["convert", pid, "--to", "nexus", str(place / f"{name}.nxs")]) == 0
    assert run(["show", pid]) == 0
    assert run(["find", "--json"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@contextmanager
def read_only(folder: Path, leave: Callable[[str], NoReturn]) -> Iterator[None]:
    """A folder nobody may write into, root included."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    bound = ["mount", "--bind", str(folder), str(folder)]
    if sys.platform != "linux" or subprocess.run(bound, capture_output=True).returncode != 0:
        leave("root may write everywhere, and cannot mount a folder here")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    yield
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_read_only_directory(
    refusal: Callable[..., str], leave: Callable[[str], NoReturn], monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = Path("shut").absolute()
    shut.mkdir()
    write(shut / "a.h5")
    with read_only(shut, leave):
        pid = ingested(shut / "a.h5")
        for words in (("convert", pid, "--to", "nexus"), ("export", pid, "--format", "raw",
                      "--array", "instrument.detector.data")):  # fmt: skip
            said = refusal(*words, shut / "b.nxs" if words[0] == "convert" else shut / "b.raw")
            assert "may not be written there" in said or "cannot be written" in said
            assert str(shut) in said
        monkeypatch.setenv("LIGHTWELL_HOME", str(shut / "home"))
        assert "home" in refusal("ingest", shut / "a.h5")


def test_a_file_that_changes_while_it_is_read(refusal: Callable[..., str]) -> None:
    path = write(Path("a.h5"), filler=np.ones((120, 128, 256), "f4"))
    stop = threading.Event()

    def go_on_writing() -> None:
        with path.open("ab") as stream:
            while not stop.wait(0.001):
                stream.write(b"more")
                stream.flush()

    writer = threading.Thread(target=go_on_writing)
    writer.start()
    try:
        said = refusal("ingest", path)
    finally:
        stop.set()
        writer.join()
    assert "changed while it was read" in said
    assert "finished writing" in said


CLAIMING_TOO = """
from lightwell import Importer, hookimpl

lightwell_api = 1

class Mine(Importer):
    name = "mine"

    def claims(self, file):
        return file.suffix == ".h5"

    def describe(self, file, /):
        return ()

@hookimpl
def provide_importers():
    return [Mine()]
"""


def test_two_importers_that_claim_one_path(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("claiming_too.py").write_text(CLAIMING_TOO)
    Path("lightwell.toml").write_text('plugins = ["claiming_too"]\n')
    monkeypatch.syspath_prepend(Path.cwd())
    said = refusal("ingest", write(Path("a.h5")))
    assert "several importers claim a.h5: dxchange, mine" in said
    assert "resolve_importer" in said


@pytest.mark.slow
def test_ten_thousand_files(refusal: Callable[..., str], place: Path, shared_data: Path) -> None:
    image = shared_data / "gisaxs" / "unwarp" / "GISAXS_12.tif"
    folder = place / "many"
    folder.mkdir()
    for index in range(10_000):
        (folder / f"frame_{index:05d}.tif").symlink_to(image)
    said = refusal("ingest", folder)
    assert "no importer knows what many is" in said
    assert "dark and flat images" in said
    shutil.rmtree(folder)
