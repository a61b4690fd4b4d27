"""What the command line says to input that cannot be right: a sentence, status 2, no traceback."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import lightwell
from lightwell.cli.main import run

SIZES = {"width": 32, "rows": 20, "angles": 24}
RECIPE = "tomography.gridrec"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one ingested scan, used by all tests here and changed by none."""
    place = tmp_path_factory.mktemp("refusals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        als = lightwell.open()
        scan = als.simulate("tomography", place / "scan.h5", **SIZES).path
        [raw] = als.ingest(scan)
    return place, raw.pid


@pytest.fixture
def place(kept: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LIGHTWELL_HOME", str(kept[0] / "home"))
    monkeypatch.chdir(tmp_path)
    scan = kept[0] / "scan.h5"
    Path("empty.h5").touch()
    Path("text.h5").write_text("no HDF5 at all\n")
    Path("cut.h5").write_bytes(scan.read_bytes()[: scan.stat().st_size // 2])
    Path("cut_early.h5").write_bytes(scan.read_bytes()[:100])
    with h5py.File("other.h5", "w") as file:
        file["temperature"] = np.arange(3.0)
    Path("hollow").mkdir()
    Path("letters").mkdir()
    Path("letters", "dear.txt").write_text("hello")
    Path("flatless").mkdir()
    shutil.copy(scan, "whole.h5")
    with h5py.File("whole.h5", "r+") as file:
        del file["entry/sample/rotation_angle"]
        del file["entry/data"]
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a verb that has to refuse, and give its sentence."""
    status = run([*arguments])
    out, err = capsys.readouterr()
    assert (status, out) == (2, ""), err
    assert "Traceback" not in err
    assert err.strip()
    return err


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere.h5", "nowhere.h5"),
        ("empty.h5", "no importer knows what empty.h5 is"),
        ("text.h5", "no importer knows what text.h5 is"),
        ("cut.h5", "truncated"),
        ("cut_early.h5", "cut_early.h5"),
        ("other.h5", "no importer knows what other.h5 is"),
        ("hollow", "no importer knows what hollow is"),
        ("letters", "no importer knows what letters is"),
        ("whole.h5", "no rotation angles"),
        ("", ""),
        ("ftp://nobody@nowhere.invalid/scan.h5", ""),
        ("nonsense://x", "nonsense"),
    ],
)
def test_ingest(place: Path, capsys: pytest.CaptureFixture[str], path: str, said: str) -> None:
    assert said in refusal(capsys, "ingest", path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["frist_angle=0"], "Did you mean 'first_angle'?"),
        (["first_angle"], "is not name=value"),
        (["=3"], "is not name=value"),
        (["first_angle=0", "first_angle=1"], "gives 'first_angle' twice"),
        (["first_angle=north"], "first_angle = 'north' does not fit"),
        (["first_angle=3 kg"], "first_angle"),
        (["first_angle=0"], "last_angle"),
        (["first_angle=nan", "last_angle=180"], "first_angle"),
    ],
)
def test_ingest_options(
    place: Path, capsys: pytest.CaptureFixture[str], values: list[str], said: str
) -> None:
    options = [word for value in values for word in ("--set", value)]
    assert said in refusal(capsys, "ingest", "whole.h5", *options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "rotaxis=3"], "Did you mean 'rotation_axis'?"),
        (["--set", "rotation_axis=left"], "rotation_axis = 'left' does not fit"),
        (["--set", "rotation_axis="], "rotation_axis = '' does not fit"),
        (["--set", "filter=hamming"], "'ramlak' or 'hann'"),
        (["--set", "mask=perhaps"], "mask = 'perhaps' does not fit"),
        (["--set", "window=2.5"], "window = '2.5' does not fit"),
        (["--slices", "a:b"], "is not start:stop:step"),
        (["--slices", "1:2:0"], "is not start:stop:step"),
        (["--slices", "1:2:3:4"], "is not start:stop:step"),
        (["--slices", ""], "is not start:stop:step"),
        (["--slices", "500:600"], "slices"),
        (["--slices", "7:3"], "slices"),
        (["--memory", "much"], "'much' is not a size"),
        (["--memory", "-2GB"], "holds nothing"),
        (["--memory", "1kB"], "memory"),
        (["--workers", "0"], "workers"),
        (["--using", "flats=lw-none"], "has no input 'flats'"),
        (["--nonsense"], "--nonsense"),
        (["--settings", "nowhere.toml"], "no settings file nowhere.toml"),
    ],
)
def test_run_options(
    kept: tuple[Path, str],
    place: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    assert said in refusal(capsys, "run", RECIPE, kept[1], *options)


def test_run_names(kept: tuple[Path, str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean 'tomography.gridrec'?" in refusal(capsys, "run", "gridrec", kept[1])
    assert "'tomography.sirt'" in refusal(capsys, "run", "tomography.sirt", kept[1])
    assert "no plugin 'laue' is installed" in refusal(capsys, "run", "laue.rings", kept[1])
    assert "lw-nobody" in refusal(capsys, "run", RECIPE, "lw-nobody")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["find", "--where", "energy >"], "energy"),
        (["find", "--where", "energy > 3 kg"], "kg"),
        (["find", "--where", "("], ""),
        (["find", "--cursor", "nonsense"], "nonsense"),
        (["find", "--limit", "0"], "limit"),
        (["show", "lw-nobody"], "lw-nobody"),
        (["show", "../../etc/passwd"], "passwd"),
        (["recipes", "tomography.sirt"], "tomography.sirt"),
        (["replay", "lw-nobody"], "knows no result"),
        (["replay", "scan.nxs"], "knows no result"),
        (["simulate", "tomograhpy", "x.h5"], "Did you mean 'tomography'?"),
        (["simulate", "tomography", "x.h5", "--set", "width=3"], "width of 16"),
        (["simulate", "tomography", "x.h5", "--set", "angels=3"], "Did you mean 'angles'?"),
        (["simulate", "tomography", "text.h5"], "exists already"),
        (["ingset", "x"], "ingset"),
        (["ingest"], "path"),
        (["run", RECIPE], "pid"),
    ],
)
def test_other_verbs(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refusal(capsys, *arguments)
