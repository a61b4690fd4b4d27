"""Consolidation of a result: one file in place of many, and a catalog that knows it."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.datasets import Dataset, ManifestSummary, ReplicaSummary
from lightwell.engines.consolidation import consolidate_arrays
from lightwell.engines.lock import JobLock
from lightwell.errors import DamagedResult, ParameterError
from lightwell.failpoints import failpoint
from lightwell.manifests import Manifest, verify
from lightwell.session.replay import find_result
from lightwell.session.results import ARRAYS, describe_result, result_manifest

if TYPE_CHECKING:
    from lightwell.session.session import Session

__all__ = ["Consolidated", "consolidate"]


@dataclasses.dataclass(frozen=True)
class Consolidated:
    """What became of a result: how many files of segments it had, and has."""

    dataset: Dataset
    before: int
    after: int


def consolidate(session: "Session", result: str) -> Consolidated:
    """Merge the segments of a result, remember the new files, remove the old ones.

    It may die at any moment: the result stays readable, and the same call goes on.
    Errors: ParameterError for a sweep; NotAllowed for a result of others.
    """
    dataset = find_result(session, result)
    if dataset.job.get("sweep"):
        raise ParameterError(
            f"{dataset.pid} is a sweep, the values of which stay in files of their own",
            remedy="`lightwell convert PID --to nexus FILE` writes all of it as one file",
        )
    session.catalog.check_changeable(dataset.pid)
    folder = Path(dataset.path).parent
    with JobLock(folder / "lock"):
        before = len(dataset.manifest.by_role("segment"))
        _refuse_damaged(dataset)
        left = consolidate_arrays(folder / ARRAYS)
        kept = [path for path in _present(folder, dataset.manifest) if path not in left]
        dataset = _with_files(session, dataset, result_manifest(folder, kept))
        dataset = describe_result(
            session.installation, session.catalog, dataset, session.user, "consolidate"
        )
        failpoint("consolidate-described")
        for path in left:
            path.unlink()
            failpoint("consolidate-removed")
    return Consolidated(dataset, before, len(kept))


def _present(folder: Path, manifest: Manifest) -> list[Path]:
    """The segments that stand in the folders where those of the manifest do."""
    homes = {(folder / file.name).parent for file in manifest.by_role("segment")}
    return sorted(path for home in homes for path in home.glob("seg_*.h5"))


def _refuse_damaged(dataset: Dataset) -> None:
    """Damage would be taken for the result once it is copied.

    Errors: DamagedResult naming the segment.
    """
    recorded = dataset.manifest
    differences = verify(Manifest(recorded.root, recorded.by_role("segment")))
    if differences:
        raise DamagedResult(
            f"{dataset.pid} is not as it was recorded: {differences[0]}",
            where=dataset.path,
            remedy="run `lightwell replay` on it to compute it again",
        )


def _with_files(session: "Session", dataset: Dataset, manifest: Manifest) -> Dataset:
    """The dataset with other files, described anew."""
    store = session.installation.stores.holding(dataset.path)
    here = ReplicaSummary(store.name, store.tier, "online", len(manifest.files), manifest.size)
    return dataclasses.replace(
        dataset, summary=ManifestSummary.of(manifest), file_list=manifest, replicas=(here,)
    )
