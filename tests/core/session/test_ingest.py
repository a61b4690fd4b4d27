"""Who describes a file: one importer, named plainly when there are several, none, or a bad one."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import pytest

import lightwell
from lightwell import Described, Entry, File, Importer, Part, Session, hookimpl
from lightwell.errors import (
    AmbiguousImporter,
    InputError,
    NoImporter,
    ParameterError,
    PluginError,
    UnreadableFile,
)


class Notes(Importer):
    """Claims text files; how it ends is up to the test."""

    name = "notes"
    problem: Exception | None = None

    def claims(self, file: File) -> bool:
        if self.problem is not None:
            raise self.problem
        return file.suffix == ".dat"

    def describe(self, file: File, /, *, entries: int = 1) -> Iterator[Described]:
        for number in range(entries):
            parts = [Part(file, "master")]
            yield Described(Entry(title=f"{file.name} {number}"), file.parent, parts, f"e{number}")


class Papers(Notes):
    """Claims the same."""

    name = "papers"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "a.dat"
    path.write_text("1 2 3")
    return path


def session(*importers: Importer, **hooks: Any) -> Session:
    module = ModuleType("private_plugin")
    vars(module)["lightwell_api"] = 1
    vars(module)["provide_importers"] = hookimpl(lambda: list(importers))
    for name, function in hooks.items():
        vars(module)[name] = hookimpl(function)
    return lightwell.open(plugins=[module])


def failing(importer: Notes, problem: Exception) -> Notes:
    importer.problem = problem
    return importer


def test_twice_is_the_same_as_once(scan: Path) -> None:
    als = session(Notes())
    [first] = als.ingest(scan)
    [again] = als.ingest(str(scan))
    assert again.pid == first.pid
    assert [dataset.pid for dataset in als.find()] == [first.pid]
    assert len(list(als.installation.folder("entries").iterdir())) == 1


def test_another_content_is_another_dataset(scan: Path) -> None:
    als = session(Notes())
    [first] = als.ingest(scan)
    scan.write_text("1 2 4")
    assert als.ingest(scan)[0].pid != first.pid


def test_a_file_may_hold_several(scan: Path) -> None:
    als = session(Notes())
    found = als.ingest(scan, entries=3)
    assert len({dataset.pid for dataset in found}) == 3
    assert found[0].options["entries"].value == 3
    with pytest.raises(NoImporter, match="found no entry"):
        als.ingest(scan, entries=0)


def test_two_that_claim_it_are_named(scan: Path) -> None:
    with pytest.raises(AmbiguousImporter, match="notes, papers"):
        session(Notes(), Papers()).ingest(scan)


def test_a_plugin_may_decide(scan: Path) -> None:
    def resolve_importer(candidates: list[Importer]) -> Importer:
        return next(c for c in candidates if c.name == "papers")

    als = session(Notes(), Papers(), resolve_importer=resolve_importer)
    assert als.ingest(scan)[0].importer == "papers"


def test_one_that_fails_to_look_stops_nobody_else(scan: Path) -> None:
    bad = failing(Notes(), KeyError("frames"))
    assert session(bad, Papers()).ingest(scan)[0].importer == "papers"
    with pytest.raises(PluginError, match=r"importer notes failed on a\.dat \(KeyError"):
        session(bad).ingest(scan)


def test_what_was_unreadable_is_said_when_nobody_claims_it(scan: Path) -> None:
    bad = failing(Notes(), UnreadableFile("the file is truncated", where=str(scan)))
    with pytest.raises(UnreadableFile, match="truncated"):
        session(bad).ingest(scan)


def test_listeners_hear_of_it(scan: Path) -> None:
    told: list[str] = []
    als = session(Notes(), on_ingested=lambda dataset: told.append(dataset.pid))
    assert told == []
    [raw] = als.ingest(scan)
    assert told == [raw.pid]


def test_a_link_keeps_its_name_and_dots_go(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = scan.with_name("link.dat")
    link.symlink_to(scan)
    (scan.parent / "deep").mkdir()
    monkeypatch.chdir(scan.parent / "deep")
    assert session(Notes()).ingest("../link.dat")[0].path == str(link)


def test_a_run_refuses_files_that_are_not_what_was_ingested(tmp_path: Path) -> None:
    session = lightwell.open()
    scan = tmp_path / "scan.h5"
    session.simulate("tomography", scan, width=32, rows=2, angles=24)
    [raw] = session.ingest(scan)
    content = bytearray(scan.read_bytes())
    content[-40] ^= 1
    scan.write_bytes(content)
    with pytest.raises(InputError, match=r"not what was ingested: scan\.h5: digest was"):
        session.run("tomography.gridrec", raw).result()
    content[-40] ^= 1
    scan.write_bytes(content)
    result = session.run("tomography.gridrec", raw, rotation_axis=15.5).result()
    with pytest.raises(ParameterError, match="not a finite number"):
        session.run("tomography.gridrec", raw, rotation_axis=float("nan"))
    with pytest.raises(InputError, match="refuses its input"):
        session.run("tomography.gridrec", raw, rotation_axis=-500.0).result()
    with h5py.File(result.path) as file:
        assert file["entry/data/data"].shape == (2, 32, 32)
    assert session.array(result).read().shape == (2, 32, 32)
    with h5py.File(result.path) as file:
        assert file["entry/data/data"].attrs["units"] == "1/pixel"
