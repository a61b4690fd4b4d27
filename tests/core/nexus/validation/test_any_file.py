"""Any file gives findings: never a crash, never a hang."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.errors import InputError
from lightwell.hdf5 import is_hdf5
from lightwell.nexus.validation import CODES, validate, validate_apart
from lightwell.nexus.validation.tree import printable, read_tree

REPOSITORY = Path(__file__).parents[4]
DATA = Path(os.environ.get("LIGHTWELL_DATA", REPOSITORY.parent / "shared" / "data"))
REAL = sorted(path for path in DATA.rglob("*") if is_hdf5(path)) if DATA.is_dir() else []
SECONDS = 2.0

Scan = Callable[..., Path]


@pytest.mark.skipif(not REAL, reason=f"no HDF5 files in {DATA}")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_file(path: Path) -> None:
    validate(path)
    began = time.process_time()
    report = validate(path)
    assert time.process_time() - began < SECONDS
    assert report.findings
    for finding in report.findings:
        assert finding.code in CODES
        assert finding.path.isprintable()


@pytest.mark.skipif(not REAL, reason=f"no HDF5 files in {DATA}")
def test_what_real_files_are_known_for() -> None:
    def found(name: str) -> dict[str, set[str]]:
        [path] = [path for path in REAL if path.name == name]
        kinds: dict[str, set[str]] = {}
        for finding in validate(path).findings:
            kinds.setdefault(finding.severity, set()).add(finding.code)
        return kinds

    assert found("k11-18014.nxs")["broken"] == {"link-broken"}
    assert "name-form" in found("k11-18014.nxs")["warning"]
    assert found("demoh5_dataset.h5")["broken"] == {"source-missing"}
    assert found("cxi_minimal.cxi") == {"error": {"entry-absent"}}
    assert "error" not in found("FK403_0006_Nika.hdf")
    assert "unit-missing" in found("Air_1.hdf")["error"]


@pytest.mark.skipif(not REAL, reason=f"no HDF5 files in {DATA}")
def test_one_file_in_two_worlds() -> None:
    [path] = [path for path in REAL if path.name == "generic.h5"]
    official, proposed = validate(path), validate(path, profile="nxxas-proposal")
    assert official.definitions == ("NXxas v2026.01",)
    assert proposed.definitions == ("NXxas proposal as pynxxas writes it",)
    assert len(official.of("error")) > 50
    assert {(f.path, f.code) for f in proposed.of("error")} == {
        ("/dataset08/edge", "field-missing"),
        ("/dataset08/element", "field-missing"),
    }
    assert {f.version for f in proposed.of("error")} == {"proposal as pynxxas writes it"}


@pytest.mark.parametrize(
    "kind", ["hard", "soft to itself", "soft in a ring", "soft to the root", "through another file"]
)
def test_cycles_end(kind: str, scan: Scan, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        if kind == "hard":
            file["entry/sample/again"] = file["entry"]
        elif kind == "soft to itself":
            file["entry/loop"] = h5py.SoftLink("/entry/loop")
        elif kind == "soft in a ring":
            file["entry/a"] = h5py.SoftLink("/entry/b")
            file["entry/b"] = h5py.SoftLink("/entry/a")
        elif kind == "soft to the root":
            file["entry/root"] = h5py.SoftLink("/")
        else:
            file["entry/other"] = h5py.ExternalLink("other.nxs", "/")

    with h5py.File(tmp_path / "other.nxs", "w") as other:
        other["back"] = h5py.ExternalLink("scan.nxs", "/entry")
    report = validate(scan(change))
    broken = {f.code for f in report.of("broken")}
    loops = kind in ("soft to itself", "soft in a ring")
    assert broken == ({"link-broken"} if loops else set())


def test_groups_nested_deeper_than_python_may(scan: Scan) -> None:
    def change(file: Any) -> None:
        inner = file["entry"]
        for _ in range(1500):
            inner = inner.create_group("g")
            inner.attrs["NX_class"] = "NXcollection"

    assert validate(scan(change)).is_valid


def test_odd_objects_are_looked_at(scan: Scan) -> None:
    def change(file: Any) -> None:
        odd = file["entry"].create_group("odd")
        odd.attrs["NX_class"] = 17
        odd["type"] = np.dtype("f4")
        odd["empty"] = h5py.Empty("f4")
        odd["compound"] = np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])
        odd["opaque"] = np.void(b"\x00\x01")
        odd["reference"] = file["entry"].ref
        odd["zero"] = np.zeros((0, 3))
        odd.create_dataset("latin", data=np.bytes_("20 °C".encode("latin-1")))
        odd["many"] = [b"a"] * 40
        odd["enum"] = np.array([True, False])
        odd.attrs["units"] = np.zeros((2, 2))
        odd["new\nline\t"] = 1
        odd["surrogate"] = 1
        odd[b"bad\xff"] = 1
        for name in ("definition", "start_time"):
            del file["entry"][name]
            file["entry"].create_group(name)
        file["entry"].attrs["default"] = np.zeros(3)
        file["entry/data"].attrs["axes"] = h5py.Empty("S10")

    for finding in validate(scan(change)).findings:
        assert finding.path.isprintable()


@pytest.mark.soak
def test_damaged_files(scan: Scan, tmp_path: Path, soak_share: float) -> None:
    """Each in a process of its own: at some of them HDF5 itself crashes."""
    whole = scan().read_bytes()
    random = np.random.default_rng(7)
    for number in range(max(5, int(500 * soak_share))):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), size=4):
            damaged[place] = int(random.integers(256))
        path = tmp_path / f"{number}.nxs"
        path.write_bytes(damaged)
        try:
            report = validate_apart(path, seconds=20)
        except InputError:
            continue
        assert "reader-stuck" not in {finding.code for finding in report.findings}
        path.unlink()


def test_what_is_no_hdf5_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.nxs").write_text("no")
    for name in ("a.nxs", "gone.nxs", "."):
        with pytest.raises(InputError):
            validate(tmp_path / name)


def test_an_object_is_met_once(scan: Scan) -> None:
    tree = read_tree(scan())
    data = tree.root.find("/entry/data/data")
    assert data is tree.root.find("/entry/instrument/detector/data")
    assert data is not None
    assert data.path == "/entry/instrument/detector/data"


def test_names_are_told_on_one_line() -> None:
    assert printable("a\nb\udcff") == "a\\nb\\udcff"
