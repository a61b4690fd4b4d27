import pickle
from pathlib import Path

import pytest

from lightwell.errors import Conflict, ParameterError, UnknownName
from lightwell.files import File
from lightwell.manifests import build_manifest
from lightwell.storage import Evidence, Replica, Store, Stores, replicas_of, summaries_of


def test_the_innermost_store_holds_a_path(tmp_path: Path) -> None:
    outer, inner = Store("data", str(tmp_path)), Store("scratch", f"file://{tmp_path}/scratch")
    remote = Store("memory", "memory://data", "object")
    stores = Stores([outer, inner, remote])
    assert stores.holding(tmp_path / "a.h5") == outer
    assert stores.holding(tmp_path / "scratch" / "x" / "a.h5") == inner
    assert stores.holding(tmp_path / "scratchy") == outer
    assert stores.holding("memory://data/a") == remote
    assert inner.relative(tmp_path / "scratch" / "x" / "a.h5") == "x/a.h5"
    assert outer.file("x/a.h5") == File(tmp_path / "x" / "a.h5")
    assert [store.name for store in stores] == ["data", "scratch", "memory"]
    assert pickle.loads(pickle.dumps(stores))["scratch"] == inner  # noqa: S301
    with pytest.raises(UnknownName, match=r"no known store.*Known stores are data \("):
        stores.holding("/elsewhere/a.h5")
    with pytest.raises(UnknownName, match="no store 'tape'"):
        stores["tape"]
    with pytest.raises(UnknownName, match="No store is configured"):
        Stores().holding("/a")


def test_what_a_store_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"'flash' is no tier.*disk, object, tape, remote"):
        Store("x", str(tmp_path), "flash")  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="two stores are named 'x'"):
        Stores([Store("x", "/a"), Store("x", "/b")])
    for path in ("../x", "/etc/passwd", "a/../../b"):
        with pytest.raises(ParameterError, match="leads out of the store"):
            Store("x", str(tmp_path)).file(path)


def test_a_manifest_just_read_is_proof_of_its_copies(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "a.h5").write_bytes(b"abc")
    manifest = build_manifest(File(tmp_path / "scan"), [("a.h5", "master")])
    [copy] = replicas_of(manifest, Store("data", str(tmp_path)), when="now", by="mia")
    assert (copy.path, copy.state, copy.size) == ("scan/a.h5", "online", 3)
    assert copy.proven
    [summary] = summaries_of([copy], Stores([Store("data", str(tmp_path))]))
    assert (summary.tier, summary.state, summary.files, summary.bytes) == ("disk", "online", 1, 3)
    assert Replica.from_document(copy.to_document()) == copy
    listed = Replica("tape", "a.h5", "a.h5", 3, copy.digest, "nearline", Evidence("t", "m", "ls"))
    assert not listed.proven
    with pytest.raises(ParameterError, match="describes no replica"):
        Replica.from_document({"store": "x"})
