"""Sessions of several people over one installation: what they see, share, correct and take back."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lightwell
from lightwell import Session, hookimpl, where
from lightwell.catalog import SqliteCatalog
from lightwell.cli.main import run
from lightwell.errors import Conflict, NotAllowed, NotFound, ParameterError, PluginError
from lightwell.users import User

SETTINGS = """
[access]
keepers = ["ops"]
[access.staff]
"8.3.2" = ["dula"]
[access.proposals]
als-1 = ["mia", "bo"]
"""

Open = Callable[[str], Session]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "lightwell.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def as_user(settings: Path) -> Open:
    return lambda name: lightwell.open(settings, user=name)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    lightwell.open().simulate("tomography", path, width=16, rows=2, angles=8)
    return path


def test_everybody_has_a_session_of_their_own(as_user: Open, scan: Path) -> None:
    mia, bo, ops = as_user("mia"), as_user("bo"), as_user("ops")
    [raw] = mia.ingest(scan)
    assert [each.pid for each in mia.find()] == [each.pid for each in ops.find()] == [raw.pid]
    for strange in (
        lambda: bo.get(raw.pid),
        lambda: bo.run("tomography.gridrec", raw),
        lambda: bo.array(raw),
        lambda: bo.export(raw, "tiff", "x.tif"),
        lambda: bo.retire(raw.pid, why=""),
        lambda: bo.grant(raw.pid, "bo"),
        lambda: bo.who_can(raw.pid),
        lambda: bo.diff(raw.pid, raw.pid),
    ):
        with pytest.raises(NotFound):
            strange()
    assert bo.stats().datasets == bo.catalog.count().number == 0
    assert bo.stats().catalog is None
    assert ops.stats().catalog
    mia.grant(raw.pid, "bo")
    assert bo.get(raw.pid) == mia.get(raw.pid)
    assert mia.run("tomography.gridrec", raw, rotation_axis=7.5, workers=1).result().pid in [
        each.pid for each in bo.find()
    ]
    mia.revoke(raw.pid, "bo")
    assert list(bo.find()) == []


def test_who_sees_does_not_change_and_who_does_not_see_does_not_describe(
    as_user: Open, scan: Path, lightwell_home: Path
) -> None:
    mia, bo = as_user("mia"), as_user("bo")
    [raw] = mia.ingest(scan)
    written = (lightwell_home / "entries" / f"{raw.pid}.nxs").read_bytes()
    with pytest.raises(Conflict, match="you may not see it"):
        bo.ingest(scan)
    mia.grant(raw.pid, "bo")
    assert [each.rev for each in bo.ingest(scan)] == [1]
    for act in (
        lambda: bo.retire(raw.pid, why="mine now"),
        lambda: bo.grant(raw.pid, "eve"),
        lambda: bo.revoke(raw.pid, "bo"),
        lambda: bo.who_can(raw.pid, "mia"),
    ):
        with pytest.raises(NotAllowed, match=r"Ask its owner"):
            act()
    found = bo.edit(where("pid") == raw.pid, {"sample": "gold"}, why="test")
    assert (found.found, found.changed, list(found.refused)) == (1, 0, [raw.pid])
    assert (lightwell_home / "entries" / f"{raw.pid}.nxs").read_bytes() == written
    assert [each.rev for each in mia.find()] == [1]


def test_reindex_and_fsck_agree_with_the_journal(as_user: Open, scan: Path) -> None:
    mia, ops = as_user("mia"), as_user("ops")
    [raw] = mia.ingest(scan)
    mia.grant(raw.pid, "eve", until="2999-12-31")
    mia.grant(raw.pid, "bo")
    mia.revoke(raw.pid, "bo")
    mia.grant(raw.pid, "proposal:als-1")
    before = ops.installation.catalog.row(raw.pid)
    assert ops.fsck().clean
    assert ops.reindex().changed == {}
    assert ops.installation.catalog.row(raw.pid) == before
    assert set(ops.catalog.grants(raw.pid)) == {"user:eve", "proposal:als-1"}

    # Somebody writes into the database what nobody granted.
    file = ops.installation.home / "catalog.sqlite"
    ops.installation.catalog.close()
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE dataset SET document = replace(document, 'user:eve', 'user:x')")
    connection.close()
    assert "access-differs" in [finding.code for finding in ops.fsck().findings]
    ops.reindex()
    assert ops.installation.catalog.row(raw.pid) == before
    with pytest.raises(ParameterError, match="mia may not"):
        mia.reindex()


def test_an_older_catalog_gets_rules_and_totals(as_user: Open, scan: Path) -> None:
    mia = as_user("mia")
    [raw] = mia.ingest(scan)
    catalog = mia.installation.catalog
    before, totals = catalog.row(raw.pid), as_user("ops").stats()
    file = mia.installation.home / "catalog.sqlite"
    catalog.close()
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE dataset SET document = json_remove(document, '$.access')")
        connection.execute("DELETE FROM attr WHERE path LIKE 'access.%'")
        connection.execute("DELETE FROM share")
        connection.execute("DELETE FROM total")
    connection.close()
    again = SqliteCatalog(file)
    assert again.row(raw.pid) == before
    assert again.is_indexed(raw.pid)
    assert again.stats() == totals
    again.close()


def test_rights_are_not_searched_by_who_sees_a_part(as_user: Open, scan: Path) -> None:
    mia = as_user("mia")
    mia.ingest(scan)
    for ask in (
        lambda: mia.find(where("access.rule1.readers") == "user:bo"),
        lambda: mia.catalog.count(~where("access.rule2").exists()),
        lambda: mia.catalog.facet("access.rule1.readers"),
    ):
        with pytest.raises(ParameterError, match=r"not a field to search by.*who-can"):
            ask()
    with pytest.raises(ParameterError, match="does not show everything"):
        mia.catalog.explain()


def test_dates_that_cannot_be_meant(as_user: Open, scan: Path) -> None:
    mia = as_user("mia")
    [raw] = mia.ingest(scan)
    for wrong, said in (
        ({"until": "2020-01-01"}, "is over"),
        ({"until": "soon"}, "is no date"),
        ({"public_from": "2030-01-01"}, "begins at once"),
    ):
        with pytest.raises(ParameterError, match=said):
            mia.grant(raw.pid, "bo", **wrong)
    with pytest.raises(ParameterError, match="stays so"):
        mia.grant(raw.pid, "public", until="2030-01-01")
    with pytest.raises(NotFound, match="was not granted to user:bo"):
        mia.revoke(raw.pid, "bo")


def test_edits_find_convert_and_refuse(as_user: Open, scan: Path) -> None:
    mia = as_user("mia")
    [raw] = mia.ingest(scan)
    every = where("kind") == "raw"
    planned = mia.edit(every, {"temperature": "20 degC"}, why="sensor", dry_run=True)
    assert (planned.changed, planned.before) == (1, {raw.pid: {"temperature": None}})
    assert mia.get(raw.pid) == raw
    values = {"temperature": "20 degC", "sample": "gold", "sample.description": "second mounting"}
    assert mia.edit(every, values, why="sensor").changed == 1
    again = mia.edit(every, values, why="sensor")
    assert (again.found, again.changed) == (1, 0)
    assert [each.pid for each in mia.find(where("temperature") == "293.15 K")] == [raw.pid]
    assert mia.find(where("sample") == "gold").datasets[0].rev == 2
    *_, event = mia.catalog.events(pid=raw.pid)
    assert (event.who, event.what, event.detail["why"]) == ("mia", "updated", "sensor")
    for wrong, said in (
        ({"smple": "x"}, "Did you mean 'sample'"),
        ({"temperature": "3 eV"}, "cannot be converted"),
        ({"instrument.detector": "x"}, "is a group"),
        ({"owner": "bo"}, "no field owner"),
        ({"access.rule1": "x"}, "no field access"),
        ({}, "nothing is to be changed"),
    ):
        with pytest.raises(lightwell.LightwellError, match=said):
            mia.edit(every, wrong, why="")
    assert mia.find(every).datasets[0].rev == 2
    ops = as_user("ops")
    ops.reindex()
    assert [each.pid for each in ops.find(where("sample") == "gold")] == [raw.pid]


def plugin(**hooks: Any) -> ModuleType:
    module = ModuleType("useroffice")
    vars(module)["lightwell_api"] = 1
    for name, function in hooks.items():
        vars(module)[name] = hookimpl(function)
    return module


def test_the_user_office_says_who_somebody_is(settings: Path, scan: Path) -> None:
    def resolve_user(name: str) -> User | None:
        return User(name, staff_of=frozenset({"simulated beamline"})) if name == "stan" else None

    lightwell.open(settings, user="mia").ingest(scan)
    office = plugin(resolve_user=resolve_user)
    assert len(lightwell.open(settings, user="stan", plugins=[office]).find()) == 1
    assert len(lightwell.open(settings, user="stan").find()) == 0
    mia = lightwell.open(settings, user="mia", plugins=[office])
    assert mia.user.proposals == {"als-1"}, "whom it does not know, the settings may"

    odd = plugin(resolve_user=lambda name: User("ops"))
    with pytest.raises(PluginError, match="says that the user 'mia' is"):
        lightwell.open(settings, user="mia", plugins=[odd])
    with pytest.raises(ParameterError, match="no name of a user"):
        lightwell.open(settings, user=" ")


def test_a_filter_only_takes_away_and_its_failure_shows_nothing(settings: Path, scan: Path) -> None:
    class Nothing:
        def restriction(self, user: User) -> dict[str, Any]:
            return {"kind": "derived"}

    class Everything:
        def restriction(self, user: User) -> dict[str, Any]:
            return {}

    [raw] = lightwell.open(settings, user="mia").ingest(scan)
    hiding = plugin(provide_access_filters=lambda: [Everything(), Nothing()])
    mia = lightwell.open(settings, user="mia", plugins=[hiding])
    assert list(mia.find()) == []
    ops = lightwell.open(settings, user="ops", plugins=[hiding])
    answer = ops.who_can(raw.pid, "mia").user
    assert answer is not None
    assert (answer.sees, answer.why) == (False, ("a filter of the installation hides it",))
    widening = plugin(provide_access_filters=lambda: [Everything()])
    assert list(lightwell.open(settings, user="eve", plugins=[widening]).find()) == []

    for broken in (lambda: 1 / 0, lambda: ["no filter"], lambda: None):
        module = plugin(provide_access_filters=broken)
        with pytest.raises(PluginError, match="nobody is let in"):
            lightwell.open(settings, user="mia", plugins=[module]).find()
        assert len(lightwell.open(settings, user="ops", plugins=[module]).find()) == 1


def test_a_plugin_that_access_needs(tmp_path: Path, scan: Path) -> None:
    file = tmp_path / "needy.toml"
    file.write_text('[access]\nneeds = ["useroffice"]\nkeepers = ["ops"]\n')
    with pytest.raises(PluginError, match="needs the plugin useroffice"):
        lightwell.open(file, user="mia").find()
    assert list(lightwell.open(file, user="ops").find()) == []
    assert list(lightwell.open(file, user="mia", plugins=[plugin()]).find()) == []


def test_a_name_alone_makes_no_keeper(settings: Path, scan: Path) -> None:
    """A remote user may be called as the account that runs the service."""
    lightwell.open(settings, user="mia").ingest(scan)
    account = lightwell.open(settings).user.name
    assert len(lightwell.open(settings).find()) == 1, "the folder is this account's"
    assert list(lightwell.open(settings, user=account).find()) == []


def test_on_the_command_line(
    as_user: Open,
    scan: Path,
    settings: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(settings.parent)
    [raw] = as_user("mia").ingest(scan)

    def said(*words: str, status: int = 0) -> str:
        assert run(list(words)) == status
        captured = capsys.readouterr()
        return captured.out + captured.err

    assert "granted to bo until 2999-01-01 00:00 UTC" in said(
        "grant", raw.pid, "--to", "bo", "--until", "2998-12-31"
    )
    told = said("who-can", raw.pid)
    account = lightwell.open().user.name
    assert f"granted by {account} until 2999-01-01 00:00 UTC" in told
    assert "and by who keeps the installation: ops" in told
    assert "bo sees" in said("who-can", raw.pid, "--user", "bo")
    refused = said("who-can", raw.pid, "--user", "eve")
    assert "eve does not see" in refused
    assert "is none of staff:simulated beamline, user:bo, user:mia" in refused
    assert "no longer granted to bo" in said("revoke", raw.pid, "--to", "bo")
    assert "was not granted" in said("revoke", raw.pid, "--to", "bo", status=2)
    assert "no kind of reader 'crowd'" in said("grant", raw.pid, "--to", "crowd:x", status=2)
    assert "would change" in said(
        "edit", "--where", "kind = raw", "--set", "sample=gold", "--dry-run"
    )
    assert "which datasets are meant" in said("edit", "--set", "sample=gold", status=2)
    assert "1 of 1 datasets changed" in said("edit", "--pid", raw.pid, "--set", "sample=gold")
    totals = said("stats")
    for word in ("datasets  1", "total", "raw", "on tape   0 B", "on disk", "users     1"):
        assert word in totals


def test_the_seven_numbers_of_a_facility(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statistics page of a facility, from datasets built to its numbers."""
    from lightwell.datasets import Dataset, ReplicaSummary
    from lightwell.manifests import Manifest, ManifestFile
    from lightwell.model import Entry

    monkeypatch.chdir(tmp_path)
    sizes = {"raw": (60, 82_000_000_000_000), "derived": (54, 395_900_000_000_000)}
    on_disk, session, number = 152_300_000_000_000, lightwell.open(), 0
    for kind, (count, total) in sizes.items():
        for nth in range(count):
            size = total // count + (total % count if nth == 0 else 0)
            files = (ManifestFile("a", "master", size, 1, f"{number:064x}"),)
            disk, on_disk = min(size, on_disk), max(0, on_disk - size)
            copies = [ReplicaSummary("hpss", "tape", "nearline", 1, size)]
            copies += [ReplicaSummary("d", "disk", "online", 1, disk)] if disk else []
            made = Dataset.of(
                Entry(), Manifest("file:///d", files), kind=kind, importer="test",  # type: ignore[arg-type]
                path="/d", owner=f"user{number}", replicas=tuple(copies),
            )  # fmt: skip
            session.catalog.put(made, by=session.user)
            number += 1
    assert run(["stats"]) == 0
    assert capsys.readouterr().out.splitlines()[:6] == [
        "datasets  114",
        "total     477.9 TB",
        "raw       82.0 TB",
        "on tape   477.9 TB",
        "on disk   152.3 TB",
        "users     114",
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders have owners on POSIX")
def test_who_does_not_own_the_folder_is_no_keeper(
    settings: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightwell.open(settings, user="mia").ingest(scan)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    monkeypatch.setattr("lightwell.session.session.local_user", lambda: User("eve"))
    assert list(lightwell.open(settings).find()) == []


def test_who_sees_a_result_does_not_write_over_it(as_user: Open, scan: Path) -> None:
    mia, bo = as_user("mia"), as_user("bo")
    [raw] = mia.ingest(scan)
    result = mia.run("tomography.gridrec", raw, rotation_axis=7.5, workers=1).result()
    mia.grant(raw.pid, "bo")
    row = mia.installation.catalog.row(result.pid)
    with pytest.raises(NotAllowed, match=f"you may see {result.pid}, and not change it"):
        bo.consolidate(result.pid)
    array = Path(result.path).parent / result.manifest.files[0].name
    array.unlink()
    for again in (
        lambda: bo.run("tomography.gridrec", raw, rotation_axis=7.5, workers=1).result(),
        lambda: bo.replay(result.pid),
    ):
        with pytest.raises(NotAllowed, match="not change it"):
            again()
        assert not array.exists()
    assert mia.installation.catalog.row(result.pid) == row
    # Nor one that was taken from view, whose pid anybody may work out.
    mia.revoke(raw.pid, "bo")
    with pytest.raises(Conflict, match="may not see it"):
        bo.catalog.check_changeable(result.pid)
    assert (
        mia.run("tomography.gridrec", raw, rotation_axis=7.5, workers=1).result().pid == result.pid
    )
    assert array.exists()
