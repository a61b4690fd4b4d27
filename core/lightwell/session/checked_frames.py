"""Fsck of the frame index: its records against the catalog, its tables against the records."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightwell.catalog.records import CatalogRow
from lightwell.errors import LightwellError
from lightwell.frame_index.tables import Table
from lightwell.session.findings import Finding

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["frame_tables", "frames_of", "undescribed_frames"]


def frames_of(row: CatalogRow, installation: "Installation") -> Iterator[Finding]:
    """Hold the records of a dataset's frames against what the catalog says of them."""
    pid, said = str(row.document["pid"]), row.document.get("frames", {})
    if not said.get("channels"):
        return
    index = installation.frame_index
    remedy = f"lightwell frames index {pid}"
    try:
        records = index.get(pid)
    except LightwellError as error:
        yield Finding(
            "frames-unreadable", error.where or str(index.folder), error.what, remedy, pid
        )
        return
    where = str(index.folder / "new" / f"{pid}.h5")
    if records is None:
        what = "the catalog tells of frames, and the index has none of them"
        yield Finding("frames-missing", where, what, remedy, pid)
    elif len(records) != said["count"] or not said["channels"].keys() <= {
        schema.name for schema in records.values
    }:
        what = "the index does not hold the frames and channels that the catalog tells of"
        yield Finding("frames-differ", where, what, remedy, pid)


def frame_tables(installation: "Installation", known: Collection[str]) -> Iterator[Finding]:
    """Hold the tables, which questions are answered from, against the records of datasets."""
    index = installation.frame_index
    standing = index.tables()
    for path, why in index.problems.items():
        if path.startswith("tables/"):
            where, remedy = str(index.folder / path), "lightwell reindex"
            yield Finding("frames-unreadable", where, why, remedy)
    found = {each.table.pids[place] for each in standing for place in np.flatnonzero(each.alive)}
    lost = sorted((index.pids() & set(known)) - found - _unreadable(index.folder, index.problems))
    for pid in lost:
        what = "questions about frames do not look into this dataset"
        yield Finding("frames-not-found", str(index.folder), what, "lightwell reindex", pid)


def _unreadable(folder: Path, problems: Collection[str]) -> set[str]:
    """Return the datasets whose own records are damaged, which are told of one by one."""
    loose = {Path(path).stem for path in problems if path.startswith("new/")}
    return loose | {path.stem for path in folder.glob("kept/*.h5") if not _opens(path)}


def _opens(path: Path) -> bool:
    try:
        return bool(Table.open(path).pids)
    except LightwellError:
        return False


def undescribed_frames(installation: "Installation", known: Collection[str]) -> list[Path]:
    """Return records and tiles of datasets that nobody knows or describes: an ingest died early."""
    folder = installation.frame_index.folder
    described = {path.stem for path in (installation.home / "entries").glob("*.nxs")}
    return sorted(
        path
        for name in ("new", "kept", "tiles")
        for path in (folder / name).glob("*.h5")
        if path.stem not in described and path.stem not in known
    )
