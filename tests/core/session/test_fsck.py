"""Every way files, catalog and journal can differ has a finding with a way to mend it."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import lightwell
from lightwell import Session
from lightwell.session.fsck import Checked

NewHome = Callable[[Path], AbstractContextManager[Session]]
Follow = Callable[[str], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_home: NewHome) -> Path:
    """A home with a scan and a result, beside its scan; tests work on a copy."""
    folder = tmp_path_factory.mktemp("made")
    with new_home(folder) as session:
        session.simulate("tomography", folder / "a scan.h5", width=32, rows=2, angles=24)
        [raw] = session.ingest(folder / "a scan.h5")
        session.run("tomography.gridrec", raw, rotation_axis=15.5, workers=1).result()
    return folder


@pytest.fixture
def als(als: Session) -> Session:
    # The results lie elsewhere now, and their descriptions say so by where they are.
    als.reindex()
    return als


def pids(session: Session) -> tuple[str, str]:
    by_kind = {dataset.kind: dataset.pid for dataset in session.find()}
    return by_kind["raw"], by_kind["derived"]


def codes(report: Checked) -> list[str]:
    return [finding.code for finding in report.findings]


def test_a_moved_home_is_clean_after_a_reindex(als: Session) -> None:
    report = als.fsck(content=True)
    assert (report.datasets, report.descriptions, report.findings) == (2, 2, [])
    result = als.get(pids(als)[1])
    assert Path(result.path).is_relative_to(als.installation.home)
    assert als.array(result).read().shape == (2, 32, 32)


def test_what_is_not_in_the_catalog(als: Session, follow: Follow) -> None:
    raw, _ = pids(als)
    with als.installation.catalog._connections.writing() as connection:
        connection.execute("DELETE FROM dataset WHERE pid = ?", (raw,))
    assert codes(als.fsck()) == ["not-in-catalog", "source-unknown"]
    follow(als.fsck().findings[0].remedy)
    assert als.fsck().clean


def test_what_is_not_described(als: Session, follow: Follow) -> None:
    raw, derived = pids(als)
    (als.installation.home / "entries" / f"{raw}.nxs").unlink()
    [finding] = als.fsck().findings
    assert (finding.code, finding.pid) == ("no-description", raw)
    assert finding.remedy.startswith("lightwell ingest '")
    follow(finding.remedy)
    assert als.fsck().clean

    (als.installation.home / "results" / derived / f"{derived}.nxs").unlink()
    found = als.fsck().findings
    assert [f.code for f in found] == ["no-description", "file-missing"]
    follow(found[0].remedy)
    assert als.fsck(content=True).clean


def test_a_damaged_description(als: Session, follow: Follow) -> None:
    raw, _ = pids(als)
    path = als.installation.home / "entries" / f"{raw}.nxs"
    path.write_bytes(b"nothing")
    [finding] = als.fsck().findings
    assert finding.code == "description-unreadable"
    follow(finding.remedy)
    assert als.fsck().clean


def test_a_missing_array(als: Session, follow: Follow) -> None:
    _, derived = pids(als)
    next((als.installation.home / "results" / derived).rglob("seg_*.h5")).unlink()
    [finding] = als.fsck().findings
    assert finding.code == "file-missing"
    assert "seg_" in finding.where
    follow(finding.remedy)
    assert als.fsck(content=True).clean


def test_a_changed_byte_is_seen_by_its_digest(als: Session) -> None:
    _, derived = pids(als)
    path = next((als.installation.home / "results" / derived).rglob("seg_*.h5"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert als.fsck().clean
    assert codes(als.fsck(content=True)) == ["file-changed"]


def test_leftovers_are_removed_when_they_are_nobodys(als: Session) -> None:
    entries = als.installation.home / "entries"
    old, young = entries / "lw-a.nxs.part", entries / ".lw-b.7.part"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (time.time() - 3600,) * 2)
    assert codes(als.fsck()) == ["leftover", "leftover"]
    report = als.fsck(mend=True)
    assert report.mended == [str(old)]
    assert [finding.where for finding in report.findings] == [str(young)]
    assert young.exists()


def test_an_index_that_says_something_else(als: Session, follow: Follow) -> None:
    raw, _ = pids(als)
    with als.installation.catalog._connections.writing() as connection:
        connection.execute("DELETE FROM attr WHERE path = 'canonical.title'")
    found = als.fsck().findings
    assert {f.code for f in found} == {"index-differs"}
    assert raw in {f.pid for f in found}
    follow(found[0].remedy)
    assert als.fsck().clean


def test_a_result_comes_back_from_its_file_alone(
    als: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, derived = pids(als)
    before = als.get(derived)
    replicas = als.catalog.replicas(derived)
    lineage = als.catalog.lineage(raw)
    canonical = als.installation.catalog.row(derived).document["canonical"]
    als.installation.catalog.close()
    for path in als.installation.home.glob("catalog.sqlite*"):
        path.unlink()
    again = lightwell.open()
    # Nor is the plugin needed that knows where the search fields are.
    monkeypatch.setitem(vars(again.installation.plugins), "schemas", {})
    again.reindex()
    after = again.get(derived)
    assert list(after.job) == list(before.job)
    assert {**after.to_document(), "rev": 0, "canonical": 0} == {
        **before.to_document(),
        "rev": 0,
        "canonical": 0,
    }
    assert again.installation.catalog.row(derived).document["canonical"] == canonical
    assert (after.manifest, again.catalog.replicas(derived)) == (before.manifest, replicas)
    assert again.catalog.lineage(raw) == lineage


def test_an_event_taken_out_of_the_journal_is_missed(als: Session) -> None:
    raw, derived = pids(als)
    als.retire(derived, why="a test")
    als.supersede(raw, derived, why="a test")
    with als.installation.catalog._connections.writing() as connection:
        connection.execute("DROP TRIGGER journal_is_not_shortened")
        connection.execute("DELETE FROM journal WHERE what = 'retired'")
    assert codes(als.fsck()) == ["journal-gap", "catalog-differs"]
