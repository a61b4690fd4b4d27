"""The catalog made anew from files and journal is the catalog that was."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import lightwell
from lightwell import Described, Entry, File, Importer, Part, Sample, Session, hookimpl
from lightwell.catalog import export_events, where
from lightwell.catalog.records import CatalogRow
from lightwell.datasets import Given
from lightwell.errors import Conflict, ParameterError, UnreadableFile
from lightwell.model import Process
from lightwell.session.descriptions import write_description
from lightwell.storage import Evidence
from lightwell.users import User


class Notes(Importer):
    """Text files of several entries."""

    name = "notes"

    def claims(self, file: File) -> bool:
        return file.suffix == ".dat"

    def describe(
        self, file: File, /, *, entries: int = 1, sample: str | None = None
    ) -> Iterator[Described]:
        for number in range(entries):
            # The order of these says something: the first names the program.
            process = {"zeta": Process(program="first"), "alpha": Process(program="second")}
            entry = Entry(
                title=f"µ {number}\n",
                sample=Sample(name=sample) if sample else None,
                process=process,
            )
            yield Described(entry, file.parent, [Part(file, "master")], f"e{number}")


@pytest.fixture
def als(tmp_path: Path) -> Session:
    module = ModuleType("private_plugin")
    vars(module)["lightwell_api"] = 1
    vars(module)["provide_importers"] = hookimpl(lambda: [Notes()])
    session = lightwell.open(plugins=[module])
    for name in ("a", "b b", "c"):
        (tmp_path / f"{name}.dat").write_text(name)
        session.ingest(tmp_path / f"{name}.dat", entries=2, sample="Hornby")
    return session


def rows(session: Session) -> dict[str, CatalogRow]:
    catalog = session.installation.catalog
    return {pid: catalog.row(pid) for pid in catalog.pids()}


def forget_catalog(session: Session) -> Path:
    """Take the catalog away, and all this process knows of it."""
    session.installation.catalog.close()
    path: Path = session.installation.home / "catalog.sqlite"
    for one in path.parent.glob("catalog.sqlite*"):
        one.rename(one.with_name(f"gone-{one.name}"))
    del session.installation.__dict__["catalog"]
    session.__dict__.pop("catalog", None)
    return path.with_name("gone-catalog.sqlite")


def edit(session: Session) -> tuple[str, str, str]:
    """A retired one, a superseded one and one that a person corrected."""
    first, second, third, *_ = sorted(rows(session))
    session.retire(first, why="norm norm")
    session.supersede(second, third, why="better")
    found = session.get(third)
    sample = Sample(name="Chilarchaea")
    changed = replace(found, entry=found.entry.model_copy(update={"sample": sample}), proposal="x")
    session.catalog.update(changed, by=session.user, why="the label was wrong")
    return first, second, third


def test_nothing_changes_where_nothing_did(als: Session) -> None:
    edit(als)
    before, events = rows(als), als.installation.catalog.journal()
    report = als.reindex()
    assert (report.datasets, report.added, report.changed, report.kept) == (6, [], {}, [])
    assert rows(als) == before
    assert als.installation.catalog.journal() == events
    assert als.get(min(before)).entry.canonical()["program"] == "first"


def test_a_lost_catalog_comes_back_from_files_alone(als: Session) -> None:
    before = rows(als)
    forget_catalog(als)
    assert als.reindex(dry_run=True).datasets == 6
    assert sorted(als.reindex().added) == sorted(before)
    assert rows(als) == before
    assert als.fsck(content=True).clean
    assert {d.pid for d in als.find(where("sample") == "Hornby")} == set(before)


def test_an_exported_journal_brings_back_what_people_said(als: Session, tmp_path: Path) -> None:
    first, second, third = edit(als)
    before = rows(als)
    export_events(als.installation.catalog.journal(), tmp_path / "journal.jsonl")
    forget_catalog(als)
    als.reindex(journal=tmp_path / "journal.jsonl")
    assert rows(als) == before
    assert als.get(first).retired
    assert als.get(second).superseded_by == third
    assert als.get(third).entry.lookup("sample.name") == "Chilarchaea"
    assert [event.what for event in als.catalog.events(pid=first)] == ["ingested", "retired"]
    with pytest.raises(Conflict, match="journal of its own"):
        als.reindex(journal=tmp_path / "journal.jsonl")
    forget_catalog(als)
    with pytest.raises(UnreadableFile, match="no exported journal"):
        als.reindex(journal=tmp_path / "a.dat")
    # Whoever looked first has made an empty catalog.
    assert {finding.code for finding in als.fsck().findings} == {"not-in-catalog"}
    als.reindex(journal=tmp_path / "journal.jsonl")
    assert rows(als) == before


def test_edits_outlive_the_next_ingest(als: Session, tmp_path: Path) -> None:
    first, _, third = edit(als)
    path = als.get(third).path
    rev = als.get(third).rev
    als.ingest(path, entries=2, sample="Hornby")
    again = als.get(third)
    assert (again.entry.lookup("sample.name"), again.proposal, again.rev) == (
        "Chilarchaea",
        "x",
        rev,
    )
    assert als.get(first).retired
    assert als.fsck().clean


def test_the_file_wins_over_a_catalog_that_differs(als: Session) -> None:
    pid = min(rows(als))
    before = rows(als)[pid]
    with als.installation.catalog._connections.writing() as connection:
        connection.execute(
            "UPDATE dataset SET document = replace(document, 'Hornby', 'Nobody') WHERE pid = ?",
            (pid,),
        )
    wrong = ["canonical.sample", "entry.sample.name", "options.sample.value"]
    assert als.reindex(dry_run=True).changed == {pid: wrong}
    assert rows(als)[pid].document["canonical"]["sample"] == "Nobody"
    als.reindex()
    after = rows(als)[pid]
    assert {**after.document, "rev": 1} == before.document
    assert after.document["rev"] == 2
    assert [change.what for change in als.catalog.changes()][-1] == "reindexed"


def test_what_has_no_description_is_kept_until_told_otherwise(als: Session) -> None:
    before = rows(als)
    pid = min(before)
    (als.installation.home / "entries" / f"{pid}.nxs").unlink()
    assert als.reindex().kept == [pid]
    assert rows(als) == before
    assert als.reindex(prune=True).removed == [pid]
    assert set(rows(als)) == set(before) - {pid}
    assert als.catalog.lineage(max(before)).edges == ()


def test_a_damaged_description_stops_no_other(als: Session) -> None:
    before = rows(als)
    pid = min(before)
    path = als.installation.home / "entries" / f"{pid}.nxs"
    path.write_bytes(path.read_bytes()[:700])
    report = als.reindex()
    assert list(report.unreadable) == [str(path)]
    assert rows(als) == before


def test_a_file_under_anothers_name_is_not_taken(als: Session) -> None:
    one, other = sorted(rows(als))[:2]
    entries = als.installation.home / "entries"
    shutil.copy(entries / f"{one}.nxs", entries / "lw-abc.nxs")
    assert "another one is named so" in als.reindex().unreadable[str(entries / "lw-abc.nxs")]
    assert other in rows(als)


def test_a_damaged_catalog_is_put_aside(als: Session) -> None:
    edit(als)
    before = rows(als)
    als.installation.catalog.close()
    path = als.installation.home / "catalog.sqlite"
    content = bytearray(path.read_bytes())
    # The page of a document, not of the journal.
    page = content.find(b'"sample":{"name":"Hornby"}') // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)
    [finding] = als.fsck().findings
    assert (finding.code, finding.remedy) == ("catalog-damaged", "lightwell reindex")
    report = als.reindex()
    assert report.damaged_catalog is not None
    assert Path(report.damaged_catalog).read_bytes() == bytes(content)
    assert {pid: row.document for pid, row in rows(als).items()} == {
        pid: row.document for pid, row in before.items()
    }
    assert als.fsck().clean


def test_a_damaged_row_is_made_anew(als: Session) -> None:
    before = rows(als)
    pid = min(before)
    with als.installation.catalog._connections.writing() as connection:
        connection.execute("UPDATE dataset SET document = '{' WHERE pid = ?", (pid,))
    [finding] = als.fsck().findings
    assert (finding.code, finding.pid) == ("catalog-damaged", pid)
    assert als.reindex().changed == {pid: ["all of it"]}
    assert rows(als) == before
    assert als.fsck().clean


def test_a_lost_journal_is_not_passed_over(als: Session) -> None:
    als.installation.catalog.close()
    path = als.installation.home / "catalog.sqlite"
    path.write_bytes(b"nothing" * 1000)
    del als.installation.__dict__["catalog"]
    with pytest.raises(UnreadableFile, match=r"journal in the damaged catalog.*--journal"):
        als.reindex()
    assert path.read_bytes() == b"nothing" * 1000


def test_who_writes_meanwhile_is_not_overwritten(
    als: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = min(rows(als))
    rebuild = type(als.installation.catalog).rebuild
    told: list[bool] = []

    def interrupted(self: object, made: object, **more: object) -> bool:
        listed = list(made)  # type: ignore[call-overload]
        if not told:
            als.retire(pid, why="meanwhile")
        told.append(rebuild(self, listed, **more))  # type: ignore[arg-type]
        return told[-1]

    monkeypatch.setattr(type(als.installation.catalog), "rebuild", interrupted)
    als.reindex()
    assert told == [False, True]
    assert als.get(pid).retired


def test_what_no_catalog_could_keep_is_not_described(als: Session, tmp_path: Path) -> None:
    found = als.get(min(rows(als)))
    strange = replace(found, options={"x": Given(float("nan"), by="mia")})
    with pytest.raises(ParameterError, match="nan"):
        write_description(tmp_path / "x.nxs", strange, Evidence("2026", "mia", "test"))
    assert not list(tmp_path.glob("*.nxs*"))


def test_only_the_keeper_may(als: Session) -> None:
    other = Session(als.installation, User("somebody-else"))
    for verb in (other.reindex, other.fsck):
        with pytest.raises(ParameterError, match="somebody-else may not"):
            verb()
