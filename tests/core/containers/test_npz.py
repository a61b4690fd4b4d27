"""NumPy's archives: every part of every array, whatever wraps it, and no Python objects."""

import bz2
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell.containers.npz import NpzArray, is_npz, npz_members
from lightwell.errors import UnreadableFile
from lightwell.files import File

VALUES = np.arange(2 * 7 * 3 * 5, dtype=np.float32).reshape(2, 7, 3, 5)


@pytest.fixture(scope="module", params=["stored", "deflated", "bzip2", "columns"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("npz") / "scan.npz"
    save = np.savez_compressed if request.param == "deflated" else np.savez
    values = np.asfortranarray(VALUES) if request.param == "columns" else VALUES
    save(path, data=values, one=np.float64(3.5), big=np.arange(4, dtype=">i4"))
    if request.param != "bzip2":
        return path
    packed = path.with_suffix(".npz.bz2")
    packed.write_bytes(bz2.compress(path.read_bytes()))
    return packed


def test_members_are_told_without_reading_them(archive: Path) -> None:
    assert is_npz(File(archive))
    found = npz_members(File(archive))
    assert found["data"].shape == (2, 7, 3, 5)
    assert found["one"].shape == ()
    assert NpzArray(File(archive), "one").read() == 3.5
    big = NpzArray(File(archive), "big")
    assert (big.dtype, big.read().tolist()) == (np.dtype("=i4"), [0, 1, 2, 3])


@settings(deadline=None, max_examples=25)
@given(
    start=st.integers(0, 7), length=st.integers(0, 7), step=st.integers(1, 3), whole=st.booleans()
)
def test_any_part_is_that_of_the_array(
    archive: Path, start: int, length: int, step: int, *, whole: bool
) -> None:
    path, expected = ("data", VALUES) if whole else ("data/1", VALUES[1])
    array = pickle.loads(pickle.dumps(NpzArray(File(archive), path)))  # noqa: S301
    cut = (slice(start, start + length, step), slice(1, None))
    np.testing.assert_array_equal(array.read(cut), expected[cut])
    picked = np.array([0, len(expected) - 1])
    np.testing.assert_array_equal(array.read((picked,)), expected[picked])
    assert array.shape == expected.shape


def test_what_is_none_is_said_so(tmp_path: Path) -> None:
    for name, content in (("a.npz", b"no zip"), ("b.bz2", bz2.compress(b"text")), ("c", b"BZh9?")):
        (tmp_path / name).write_bytes(content)
        assert not is_npz(File(tmp_path / name))
    assert not is_npz(File(tmp_path))
    np.savez(tmp_path / "d.npz", data=np.array([{}], dtype=object))
    with pytest.raises(UnreadableFile, match="Python objects"):
        npz_members(File(tmp_path / "d.npz"))
    np.savez(tmp_path / "e.npz", data=VALUES)
    with pytest.raises(UnreadableFile, match="no array scan"):
        NpzArray(File(tmp_path / "e.npz"), "scan")
    content = (tmp_path / "e.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match="cannot be read as an archive"):
        npz_members(File(tmp_path / "f.npz"))
    header = b"{('descr': '<f4'".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "g.npz", "w") as archive:
        archive.writestr("data.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(UnreadableFile, match="the header of an array cannot be parsed"):
        npz_members(File(tmp_path / "g.npz"))
