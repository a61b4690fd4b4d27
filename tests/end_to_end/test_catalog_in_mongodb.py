"""Everything a session does, with the catalog in MongoDB by one line of lightwell.toml."""

import json
from pathlib import Path

import pytest
from mongod_server import Mongod

import lightwell
from lightwell import where
from lightwell.catalog import SqliteCatalog
from lightwell.cli.main import run
from lightwell.errors import Conflict, ParameterError


def settings(folder: Path, url: str) -> Path:
    file = folder / "lightwell.toml"
    file.write_text(f'catalog = "{url}"\n')
    return file


def test_a_scan_from_ingest_to_replay(
    mongod_set: Mongod, tmp_path: Path, lightwell_home: Path
) -> None:
    session = lightwell.open(settings(tmp_path, mongod_set.url("whole")))
    session.simulate("tomography", tmp_path / "scan.h5", width=32, rows=2, angles=24)
    [raw] = session.ingest(tmp_path / "scan.h5")
    result = session.run("tomography.gridrec", raw, rotation_axis=15.5, workers=1).result()
    assert not (lightwell_home / "catalog.sqlite").exists()
    assert [each.pid for each in session.find(where("kind") == "derived")] == [result.pid]
    assert session.catalog.lineage(raw.pid).descendants == (result.pid,)
    again = session.run("tomography.gridrec", raw, rotation_axis=15.5, workers=1).result()
    assert (again.pid, again.rev) == (result.pid, 1), "done before, and found to be"
    assert session.fsck().clean

    session.retire(result.pid, why="norm norm")
    before = {p: session.installation.catalog.row(p) for p in session.installation.catalog.pids()}
    journal = session.installation.catalog.journal()
    session.installation.catalog._server.client.drop_database("whole")  # type: ignore[attr-defined]
    session.installation.catalog.close()

    lost = lightwell.open(settings(tmp_path, mongod_set.url("whole")))
    assert lost.fsck().findings[0].code == "not-in-catalog"
    lost.installation.catalog.take_over_journal(journal)
    lost.reindex()
    after = {p: lost.installation.catalog.row(p) for p in lost.installation.catalog.pids()}
    assert {p: r.document["canonical"] for p, r in after.items()} == {
        p: r.document["canonical"] for p, r in before.items()
    }
    assert lost.get(result.pid).retired
    assert lost.fsck(content=True).clean


def test_moving_a_catalog_by_the_command_line(
    mongod: Mongod, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = lightwell.open()
    session.simulate("tomography", tmp_path / "scan.h5", width=32, rows=2, angles=24)
    [raw] = session.ingest(tmp_path / "scan.h5")
    session.retire(raw.pid, why="a test")
    target = mongod.url("moved")
    capsys.readouterr()

    def told(*words: str) -> dict[str, object]:
        assert run(["catalog", *words, "--json"]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    assert told("copy", target, "--dry-run")["same"] == 0
    first = told("copy", target)
    assert (first["datasets"], first["same"], first["events"], first["verified"]) == (1, 0, 2, 1)
    assert told("copy", target)["same"] == 1, "and again changes nothing"
    moved = lightwell.open(settings(tmp_path, target))
    assert moved.installation.catalog.journal() == session.installation.catalog.journal()
    assert moved.get(raw.pid).retired
    assert moved.fsck().clean

    options = ("--settings", str(tmp_path / "lightwell.toml"))
    assert "IXSCAN" in str(told("explain", "--where", "energy > 30 keV", *options))
    assert "added:" in str(told("index", "add", "sample.name", *options))
    assert "sample.name" in str(told("index", "list", *options))
    back = tmp_path / "back.sqlite"
    told("copy", f"sqlite://{back}", *options)
    rows = SqliteCatalog(back)
    assert rows.row(raw.pid) == session.installation.catalog.row(raw.pid)
    rows.close()
    moved.catalog.grant(raw.pid, "user:bo", by=session.user)
    with pytest.raises(Conflict, match="a journal of its own"):
        session.copy_catalog(target)


def test_addresses_that_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, said in (
        ("mongo://127.0.0.1/x", "no kind of catalog 'mongo'"),
        ("catalog.sqlite", "no kind of catalog"),
        ("mongodb://me:secret@127.0.0.1/x", "holds a name or a password"),
        ("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200", "does not answer"),
        ("mongodb://127.0.0.1:1/x?nonsense=1", "not understood"),
    ):
        assert run(["find", "--settings", str(settings(tmp_path, url))]) == 2, url
        printed = capsys.readouterr().err
        assert said in printed, printed
        assert "secret" not in printed
        assert "Traceback" not in printed
    monkeypatch.setenv("LIGHTWELL_MONGODB_USER", "me")
    with pytest.raises(ParameterError, match="set both"):
        lightwell.open(settings(tmp_path, "mongodb://127.0.0.1:1/x")).installation.catalog.count()
