"""A disk that fills up, a real one and small: one sentence, nothing half, and on with more room."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import lightwell
from lightwell.cli.main import run
from lightwell.testing.forked import Forked

SIZE = 24_000_000
SCAN = {"width": 64, "rows": 16, "angles": 24}
ROOM = [0, 4_000, 30_000, 60_000, 100_000, 200_000]
FORMATS = ["tiff", "raw", "png", "ome-zarr"]


class Disk:
    """A file system of its own in memory, and how much room is left on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def leave(self, room: int) -> None:
        """Fill it up to so many bytes."""
        self._filler.unlink(missing_ok=True)
        free = shutil.disk_usage(self.path).free - room
        with self._filler.open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, free)

    def make_room(self) -> None:
        self._filler.unlink()

    def listing(self) -> set[str]:
        """All that stands on it, without what fills it and the logs of SQLite."""
        own = (self._filler.name, "-wal", "-shm")
        return {str(p) for p in self.path.rglob("*") if not p.name.endswith(own)}


@pytest.fixture(scope="module")
def disk(
    tmp_path_factory: pytest.TempPathFactory, leave: Callable[[str], NoReturn]
) -> Iterator[Disk]:
    if sys.platform != "linux":
        leave("small disks in memory are Linux's")
    path = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        leave("this user may not mount a small disk")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture(scope="module")
def process() -> Iterator[Forked]:
    with Forked() as forked:
        yield forked


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A home with a scan and a volume, and their names."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        session = lightwell.open()
        [raw] = session.ingest(session.simulate("tomography", place / "scan.h5", **SCAN).path)
        volume = session.run("tomography.gridrec", raw, workers=1).result()
        session.installation.catalog.close()
    return place, raw.pid, volume.pid


@pytest.mark.parametrize("room", ROOM)
def test_ingest(disk: Disk, process: Forked, result: tuple[Path, str, str], room: int) -> None:
    home, scan = disk.path / "home", result[0] / "scan.h5"
    disk.leave(room)
    done = process.run("ingest", scan, home=home)
    assert done.status in (0, 2), done.said
    assert done.status == 0 or done.said.count("disk is full") == 1, done.said
    assert not [name for name in disk.listing() if ".part" in name or name.endswith(".nxs")] or (
        done.status == 0
    )
    disk.make_room()
    assert process.run("ingest", scan, home=home).status == 0
    checked = process.run("fsck", home=home)
    assert checked.status == 0, checked.said
    shutil.rmtree(home)


@pytest.mark.parametrize("room", ROOM[::2])
@pytest.mark.parametrize("to", ["nexus", "dxchange"])
def test_convert(
    disk: Disk, process: Forked, result: tuple[Path, str, str], to: str, room: int
) -> None:
    place, raw, _ = result
    out = disk.path / "scan.nxs"
    words = ("convert", raw, "--to", to, str(out))
    disk.leave(room)
    before = disk.listing()
    done = process.run(*words, home=place / "home")
    assert done.status == 2, done.said
    assert "disk" in done.said
    assert done.said.count("\n") == 1
    assert disk.listing() == before
    disk.make_room()
    assert process.run(*words, home=place / "home").status == 0
    out.unlink()


@pytest.mark.parametrize("room", ROOM[::2])
@pytest.mark.parametrize("format", FORMATS)
def test_export(
    disk: Disk, process: Forked, result: tuple[Path, str, str], format: str, room: int
) -> None:
    place, _, volume = result
    out = disk.path / {"tiff": "v.tif", "raw": "v.raw"}.get(format, "v")
    words = ("export", volume, "--format", format, str(out), "--dtype", "uint8")
    disk.leave(room)
    before = disk.listing()
    done = process.run(*words, home=place / "home")
    assert done.status == (2 if disk.listing() == before else 0), done.said
    assert done.status == 0 or (done.said.count("\n") == 1 and "disk" in done.said), done.said
    disk.make_room()
    if done.status == 2:
        assert process.run(*words, home=place / "home").status == 0
    for path in disk.path.glob("v*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.slow
def test_run_stops_and_resumes(
    disk: Disk,
    result: tuple[Path, str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    home = disk.path / "home"
    monkeypatch.setenv("LIGHTWELL_HOME", str(home))
    session = lightwell.open()
    [raw] = session.ingest(result[0] / "scan.h5")
    words = ["run", "tomography.gridrec", raw.pid, "--workers", "1", "--set", "rotation_axis=31.5"]
    disk.leave(150_000)
    status = run(words)
    said = capfd.readouterr().err
    assert status == 75, said
    assert "disk is full" in said
    assert "Traceback" not in said
    assert not [name for name in disk.listing() if name.endswith(".part")]
    disk.make_room()
    assert run(words) == 0
    assert session.fsck().clean
    session.installation.catalog.close()
    shutil.rmtree(home)
