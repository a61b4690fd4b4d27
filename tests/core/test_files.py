import pickle
from pathlib import Path

import fsspec
import pytest

from lightwell.errors import InputError, NotFound, UnreadableFile
from lightwell.files import File, complete_file


def test_a_local_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.H5"
    path.write_bytes(b"0123456789")
    file = File(path)
    assert (file.name, file.suffix, file.size) == ("scan.H5", ".h5", 10)
    assert file.mtime_ns == path.stat().st_mtime_ns
    assert file.read_bytes(2, 5) == b"234"
    assert file.read_bytes(8) == b"89"
    assert file.local_path() == path
    assert file == File(f"file://{path}")
    assert pickle.loads(pickle.dumps(file)) == file  # noqa: S301
    assert file.relative_to(File(tmp_path)) == "scan.H5"
    assert file.parent == File(tmp_path)


def test_members_in_natural_order(tmp_path: Path) -> None:
    for name in ("f10", "f9", "f1", "a"):
        (tmp_path / name).touch()
    assert [file.name for file in File(tmp_path).children()] == ["a", "f1", "f9", "f10"]
    assert [file.name for file in File(tmp_path / "f9").siblings()] == ["a", "f1", "f10"]
    with pytest.raises(UnreadableFile, match="a file, not a folder"):
        File(tmp_path / "a").children()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone.h5 does not exist.*Check the path"):
        File(tmp_path / "gone.h5").open()
    with pytest.raises(NotFound, match="does not exist"):
        _ = File(tmp_path / "gone.h5").size
    with pytest.raises(UnreadableFile, match="is a folder"):
        File(tmp_path).read_bytes()
    (tmp_path / "empty").touch()
    with pytest.raises(UnreadableFile, match=r"empty \(0 bytes\)"):
        File(tmp_path / "empty").require_content()
    with pytest.raises(InputError, match="does not lie in"):
        File("/a/bc").relative_to(File("/a/b"))


def test_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so modes prove nothing
    with pytest.raises(UnreadableFile, match="may not be read by this user"):
        File(tmp_path / "x").open()


def test_a_file_elsewhere() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/store/scan.h5", b"abc")
    file = File("memory://store/scan.h5")
    assert (file.size, file.read_bytes(1)) == (3, b"bc")
    assert file.mtime_ns > 0
    assert [each.name for each in file.parent.children()] == ["scan.h5"]
    assert pickle.loads(pickle.dumps(file)).read_bytes() == b"abc"  # noqa: S301
    with pytest.raises(UnreadableFile, match="Stage it"):
        file.local_path()


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "result"

    def stop_half_way() -> None:
        with complete_file(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_half_way()
    assert list(tmp_path.iterdir()) == []
    with complete_file(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["result"]
