import io
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lightwell.errors import Conflict, LightwellError, MissingSource, NotFound, UnreadableFile
from lightwell.hdf5 import (
    decode,
    links,
    locate,
    missing_sources,
    open_file,
    read_scalars,
    read_values,
    resolve_alias,
    writing,
)


def test_what_can_be_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        open_file(tmp_path / "none.h5")
    text = tmp_path / "a.txt"
    text.write_text("no HDF5")
    with pytest.raises(UnreadableFile, match="not an HDF5 file"):
        open_file(text)
    with pytest.raises(UnreadableFile, match="folder"):
        open_file(tmp_path)
    (tmp_path / "empty.h5").touch()
    with pytest.raises(UnreadableFile):
        open_file(tmp_path / "empty.h5")


def test_a_file_cut_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    with writing(tmp_path / "a.h5") as file:
        file["group/data"] = np.arange(5000.0)
        file["group/name"] = "x"
    whole = (tmp_path / "a.h5").read_bytes()
    for size in range(0, len(whole), 997):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(UnreadableFile):
            open_file(tmp_path / "cut.h5")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="root may read everything",
)
def test_a_forbidden_file(tmp_path: Path) -> None:
    with writing(tmp_path / "a.h5"):
        pass
    (tmp_path / "a.h5").chmod(0)
    with pytest.raises(UnreadableFile, match="may not be read"):
        open_file(tmp_path / "a.h5")


def test_a_file_object_will_do(tmp_path: Path) -> None:
    with writing(tmp_path / "a.h5") as file:
        file["x"] = 1
    with open_file(io.BytesIO((tmp_path / "a.h5").read_bytes())) as again:
        assert read_scalars(again) == {"/x": (1, None)}
    with pytest.raises(UnreadableFile):
        open_file(io.BytesIO(b"nothing"))


def write_and_stop(path: Path, *, replace: bool = False) -> None:
    with writing(path, replace=replace) as file:
        file["x"] = 2
        raise RuntimeError("stop")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.h5"
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(path)
    assert list(path.parent.iterdir()) == []
    with writing(path) as file:
        file["x"] = 1
        assert not path.exists()
    with pytest.raises(Conflict), writing(path):
        pass
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(path, replace=True)
    with open_file(path) as file:
        assert file["x"][()] == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(Conflict), writing(path):
        path.write_text("another's")
    assert path.read_text() == "another's"
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    with writing(tmp_path / "other.h5") as file:
        file["there/data"] = np.arange(4)
        file["there/back"] = h5py.ExternalLink("a.h5", "/group")
    with writing(tmp_path / "a.h5") as file:
        file["group/value"] = 1.5
        file["group/value"].attrs["units"] = np.bytes_("μm".encode())
        file["group/itself"] = file["group"]
        file["hard"] = file["group/value"]
        file["soft"] = h5py.SoftLink("/group")
        file["relative/up"] = h5py.SoftLink("../group/value")
        file["circle"] = h5py.SoftLink("/circle")
        file["broken"] = h5py.SoftLink("/nothing")
        file["there"] = h5py.ExternalLink("other.h5", "/there")
        file["gone"] = h5py.ExternalLink("gone.h5", "/x")
        file["hole"] = h5py.ExternalLink("other.h5", "/no/such")
    return tmp_path / "a.h5"


def test_every_link_is_reported_once(linked: Path) -> None:
    with open_file(linked) as file:
        found = {link.path: link for link in links(file)}
    assert {path for path, link in found.items() if link.exists} == {"/soft", "/there"}
    missing = {item[0]: item for item in missing_sources(linked)}
    assert set(missing) == {"/broken", "/circle", "/gone", "/hole", "/relative/up"}
    assert missing["/gone"][1:3] == ("gone.h5", "/x")
    assert "does not exist" in missing["/gone"][3]


def test_locate_follows_by_hand(linked: Path) -> None:
    other = str(linked.parent / "other.h5")
    assert locate(linked, "/there/data").file == other
    back = locate(linked, "/there/back/value")
    assert (Path(back.file).name, back.path) == ("a.h5", "/group/value")
    with pytest.raises(MissingSource, match="circle"):
        locate(linked, "/circle")
    with pytest.raises(MissingSource, match=r"gone\.h5"):
        locate(linked, "/gone/deeper")


def test_values_are_read_under_all_their_names(linked: Path) -> None:
    with open_file(linked) as file:
        found = read_values(file)
    assert found.values == {"/group/value": (1.5, "μm")}
    for name in ("/group/value", "/hard", "/soft/value", "/group/itself/value"):
        assert resolve_alias(name, found.aliases) == "/group/value"
    assert resolve_alias("/circle/x", found.aliases)


def test_values_of_all_kinds(tmp_path: Path) -> None:
    with writing(tmp_path / "a.h5") as file:
        file["bytes"] = np.bytes_(b"0.000645\r")
        file["latin"] = np.bytes_("20 °C".encode("latin-1"))
        file["one"] = np.array([3])
        file["few"] = np.arange(16)
        file["many"] = np.arange(17)
        file["truth"] = np.True_
        file["texts"] = ["a", "b"]
        file["empty"] = h5py.Empty("f8")
        file["table"] = np.zeros(2, dtype=[("a", "i4")])
        file.attrs["dxelements"] = "2560\r"
        file.attrs["NX_class"] = "NXroot"
    with open_file(tmp_path / "a.h5") as file:
        found = {path: value for path, (value, _) in read_scalars(file).items()}
    assert found == {
        "/@dxelements": "2560",
        "/bytes": "0.000645",
        "/latin": "20 °C",
        "/one": 3,
        "/few": tuple(range(16)),
        "/truth": True,
        "/texts": ("a", "b"),
    }


def test_decode_gives_python_types() -> None:
    assert type(decode(np.float32(0.5))) is float
    assert type(decode(np.bool_(True))) is bool
    assert decode(np.array([b"a\x00"])) == "a"
    assert decode({"a": 1}) is None


def test_errors_are_ours() -> None:
    assert issubclass(UnreadableFile, LightwellError)
