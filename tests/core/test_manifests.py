import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from lightwell import manifests
from lightwell.errors import MissingSource, NotFound, UnknownName, UnreadableFile
from lightwell.files import File
from lightwell.manifests import Manifest, build_manifest, verify


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "flats").mkdir()
    (tmp_path / "scan.h5").write_bytes(b"scan")
    (tmp_path / "flats" / "f1.tif").write_bytes(b"flat one")
    (tmp_path / "flats" / "f2.tif").write_bytes(b"flat two")
    members = [("scan.h5", "master"), ("flats/f1.tif", "flat"), ("flats/f2.tif", "flat")]
    return build_manifest(File(tmp_path), members)


def test_files_by_name_and_role(manifest: Manifest, tmp_path: Path) -> None:
    assert [file.name for file in manifest.by_role("flat")] == ["flats/f1.tif", "flats/f2.tif"]
    assert manifest.path_of("flats/f1.tif") == str(tmp_path / "flats" / "f1.tif")
    assert manifest.size == 20
    assert pickle.loads(pickle.dumps(manifest)) == manifest  # noqa: S301
    with pytest.raises(UnknownName, match="no file 'x'"):
        manifest.named("x")


def test_the_digest_is_the_content(manifest: Manifest, tmp_path: Path) -> None:
    digest = manifest.digest()
    older = tuple(replace(file, mtime_ns=1) for file in reversed(manifest.files))
    assert Manifest("file:///elsewhere", older).digest() == digest
    (tmp_path / "scan.h5").write_bytes(b"scam")
    members = [(file.name, file.role) for file in manifest.files]
    assert build_manifest(File(tmp_path), members).digest() != digest


def test_differences_are_named(manifest: Manifest, tmp_path: Path) -> None:
    assert verify(manifest) == []
    (tmp_path / "flats" / "f1.tif").write_bytes(b"flat 0ne")
    (tmp_path / "flats" / "f2.tif").write_bytes(b"flat")
    (tmp_path / "scan.h5").unlink()
    found = verify(manifest)
    assert [(each.name, each.what) for each in found] == [
        ("scan.h5", "missing"),
        ("flats/f1.tif", "digest"),
        ("flats/f2.tif", "size"),
    ]
    assert found[1].recorded == manifest.named("flats/f1.tif").sha256
    assert len(found[1].found) == 64
    assert str(found[2]) == "flats/f2.tif: size was 8, is 4"
    assert [each.what for each in verify(manifest, content=False)] == ["missing", "size"]
    with pytest.raises(MissingSource, match=r"scan\.h5 is listed"):
        manifest.present_file("scan.h5")


def test_a_file_written_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing.h5"
    path.write_bytes(b"a")
    digest = manifests.file_digest

    def slow(file: File) -> str:
        found = digest(file)
        path.write_bytes(b"ab")
        return found

    monkeypatch.setattr(manifests, "file_digest", slow)
    with pytest.raises(UnreadableFile, match=r"growing.h5 changed while it was read.*ingest again"):
        build_manifest(File(tmp_path), [("growing.h5", "master")])


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "", "a/../../x"])
def test_names_stay_below_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownName, match="below the root"):
        build_manifest(File(tmp_path), [(name, "master")])


def test_names_stand_once_and_exist(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(UnknownName, match="listed twice"):
        build_manifest(File(tmp_path), [("a", "flat"), ("a", "dark")])
    with pytest.raises(NotFound, match="b does not exist"):
        build_manifest(File(tmp_path), [("b", "flat")])


def test_many_files(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / str(number)).write_bytes(os.urandom(8))
    members = [(str(number), "projection") for number in range(2000)]
    manifest = build_manifest(File(tmp_path), members)
    assert [file.name for file in manifest.files] == [name for name, _ in members]
    assert verify(manifest) == []
