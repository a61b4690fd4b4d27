"""NeXus files that no plugin knows: an entry is a dataset, and others come first."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import Described, Entry, File, Importer, Part, hookimpl
from lightwell.errors import MissingSource, NoImporter, UnreadableFile
from lightwell.hdf5 import linked_files
from lightwell.nexus import write_entry
from lightwell.plain_nexus import PlainNexus
from lightwell.testing import check_importer


def write(folder: Path, scans: int = 2, name: str = "master.h5") -> Path:
    """A master with scans whose frames lie in files of their own, as BLISS writes them."""
    path = folder / name
    with h5py.File(path, "w") as file:
        for number in range(1, scans + 1):
            inner = f"scan{number:04d}.h5"
            with h5py.File(folder / inner, "w") as frames:
                frames["/entry/data"] = np.full((3, 4, 5), number, "u2")
            group = file.create_group(f"{number}.1")
            group.attrs["NX_class"] = "NXentry"
            group["title"] = f"loopscan {number}"
            for place, kind in (("instrument", "NXinstrument"), ("instrument/eiger", "NXdetector")):
                group.create_group(place).attrs["NX_class"] = kind
            layout = h5py.VirtualLayout((3, 4, 5), "u2")
            layout[:] = h5py.VirtualSource(inner, "/entry/data", (3, 4, 5))
            group["instrument/eiger"].create_virtual_dataset("data", layout)
            group["measurement/eiger"] = h5py.SoftLink(f"/{number}.1/instrument/eiger/data")
    return path


class Mine(Importer):
    """Knows masters better than anybody."""

    name = "mine"
    problem: Exception | None = None

    def claims(self, file: File) -> bool:
        if self.problem:
            raise self.problem
        return file.suffix == ".h5"

    def describe(self, file: File, /) -> Iterator[Described]:
        yield Described(Entry(title="mine"), file.parent, [Part(file, "master")])


def session(*importers: Importer) -> lightwell.Session:
    module = ModuleType("private_plugin")
    vars(module)["lightwell_api"] = 1
    vars(module)["provide_importers"] = hookimpl(lambda: list(importers))
    return lightwell.open(plugins=[module])


def test_every_entry_is_a_dataset_of_its_own_files(tmp_path: Path) -> None:
    path = write(tmp_path)
    check_importer(PlainNexus(), path)
    first, second = PlainNexus().describe(File(path))
    assert (first.name, second.name) == ("1.1", "2.1")
    assert [p.file.name for p in first.parts] == ["master.h5", "scan0001.h5"]
    assert [p.file.name for p in second.parts] == ["master.h5", "scan0002.h5"]


def test_entries_behind_links(tmp_path: Path) -> None:
    write(tmp_path)
    with h5py.File(tmp_path / "proposal.h5", "w") as file:
        file["set_1.1"] = h5py.ExternalLink("master.h5", "/1.1")
    found = linked_files(tmp_path / "proposal.h5", "/set_1.1")
    assert [Path(p).name for p in found] == ["proposal.h5", "master.h5", "scan0001.h5"]
    check_importer(PlainNexus(), tmp_path / "proposal.h5")


def test_circles_of_links_end(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with h5py.File(path, "r+") as file:
        file["1.1/again"] = h5py.SoftLink("/1.1")
        file["1.1/self"] = h5py.SoftLink("/1.1/self")
    with h5py.File(tmp_path / "scan0001.h5", "r+") as file:
        file["back"] = h5py.ExternalLink("master.h5", "/1.1")
    assert len(linked_files(path)) == 2


def test_a_source_that_is_missing_is_flagged_and_never_zeros(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "scan0002.h5").unlink()
    als = session()
    first, second = als.ingest(path)
    assert first.entry.flags == ()
    [flag] = second.entry.flags
    assert (flag.code, "scan0002.h5 does not exist" in flag.message) == ("missing-source", True)
    assert als.array(first, "instrument.detector.data").read().mean() == 1
    with pytest.raises(MissingSource, match=r"scan0002\.h5"):
        als.array(second, "instrument.detector.data").read()


def test_it_stands_back_for_who_knows_better(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert [d.importer for d in session(Mine()).ingest(path)] == ["mine"]
    assert [d.importer for d in session().ingest(path)] == ["nexus", "nexus"]
    broken = Mine()
    broken.problem = UnreadableFile("the detector file is truncated", where=str(path))
    with pytest.raises(UnreadableFile, match="truncated"):
        session(broken).ingest(path)


def test_what_lightwell_wrote_itself_is_not_ingested(tmp_path: Path) -> None:
    path = write_entry(tmp_path / "entry.nxs", Entry(title="ours"))
    assert not PlainNexus().claims(File(path))
    with pytest.raises(NoImporter):
        session().ingest(path)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["data"] = np.zeros(3)
    assert not PlainNexus().claims(File(tmp_path / "plain.h5"))
    with pytest.raises(NoImporter, match="f a master file links to it, give the master"):
        session().ingest(tmp_path / "plain.h5")


def test_a_definition_that_nobody_knows_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with h5py.File(path, "r+") as file:
        file["1.1/definition"] = "NXstxm"
    [raw] = session().ingest(path)
    assert raw.entry.definition_name == "NXstxm"
    assert type(raw.entry) is Entry


def test_the_real_set_of_bliss(shared_data: Any) -> None:
    folder = shared_data / "saxs_waxs" / "esrf_bliss"
    first, second = PlainNexus().describe(File(folder / "ma4500_demoh5.h5"))
    assert [p.file.name for p in first.parts] == [
        "ma4500_demoh5.h5",
        "demoh5_dataset.h5",
        "marana_0000.h5",
    ]
    assert first.entry.definition_name is None
    assert first.entry.flags == ()
    assert [flag.code for flag in second.entry.flags] == ["missing-source"]
    check_importer(PlainNexus(), folder / "demoh5_dataset" / "demoh5_dataset.h5")
