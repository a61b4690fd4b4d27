"""A service reads only inside its roots, whatever the files of strangers link to."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import Session
from lightwell.errors import InputError


@pytest.fixture
def service(tmp_path: Path) -> Session:
    settings = tmp_path / "lightwell.toml"
    settings.write_text(f"roots = ['{tmp_path / 'data'}']\n", encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "secret").mkdir()
    with h5py.File(tmp_path / "secret" / "x.h5", "w") as file:
        file["frames"] = np.ones((4, 2, 3))
    return lightwell.open(settings)


def scan(path: Path, target: str) -> Path:
    """A NeXus file whose detector's frames are in another file."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = "a scan"
        entry["frames"] = h5py.ExternalLink(target, "/frames")
    return path


def targets(tmp_path: Path) -> dict[str, str]:
    link = tmp_path / "data" / "link.h5"
    link.symlink_to(tmp_path / "secret" / "x.h5")
    return {
        "absolute": str(tmp_path / "secret" / "x.h5"),
        "dotted": "../secret/x.h5",
        "symbolic": "link.h5",
    }


@pytest.mark.parametrize("kind", ["absolute", "dotted", "symbolic"])
def test_a_link_that_leads_outside_is_refused(service: Session, tmp_path: Path, kind: str) -> None:
    path = scan(tmp_path / "data" / "scan.h5", targets(tmp_path)[kind])
    with pytest.raises(InputError, match="/entry/frames leads outside"):
        service.ingest(path)
    assert len(service.find()) == 0


def test_links_of_linked_files_are_looked_at_and_cycles_end(
    service: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    scan(folder / "a.h5", "b.h5")
    scan(folder / "b.h5", "a.h5")
    assert service.ingest(folder / "a.h5")
    scan(folder / "b.h5", "../secret/x.h5")
    with pytest.raises(InputError, match="leads outside"):
        service.ingest(folder / "a.h5")


def test_a_file_outside_is_refused_and_one_inside_is_not(service: Session, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lies outside"):
        service.ingest(scan(tmp_path / "secret" / "scan.h5", "x.h5"))
    with h5py.File(tmp_path / "data" / "frames.h5", "w") as file:
        file["frames"] = np.ones((4, 2, 3))
    [dataset] = service.ingest(scan(tmp_path / "data" / "scan.h5", "frames.h5"))
    assert {part.name for part in dataset.manifest.files} == {"scan.h5", "frames.h5"}


def test_a_missing_target_inside_is_flagged_not_refused(service: Session, tmp_path: Path) -> None:
    [dataset] = service.ingest(scan(tmp_path / "data" / "scan.h5", "gone.h5"))
    assert any("gone.h5" in flag.message for flag in dataset.flags)
