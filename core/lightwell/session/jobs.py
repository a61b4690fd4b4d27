"""Jobs: a recipe on a dataset, started at once, waited for when its result is wanted."""

import dataclasses
import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.disks import needing_room
from lightwell.engines import JobSpec, Outcome, Source
from lightwell.engines.local import LocalEngine
from lightwell.engines.sweeps import SHARED
from lightwell.errors import DiskFull, InputError, Interrupted, NotFound
from lightwell.files import complete_file
from lightwell.manifests import verify
from lightwell.products import Product
from lightwell.session.live_pictures import LivePictures
from lightwell.session.pictures import PICTURES, draw_pictures
from lightwell.session.records import InputRecord, JobRecord, software
from lightwell.session.results import store_result
from lightwell.stacks import open_array
from lightwell.users import User

if TYPE_CHECKING:
    from lightwell.catalog.protocol import Catalog
    from lightwell.installation import Installation
    from lightwell.recipes import Recipe

_SHOWN = 3

REPORT = "report.json"
"""Timings and facts about the host, beside the result and not part of it."""

__all__ = [
    "REPORT",
    "Job",
    "JobPlan",
    "draw_and_report",
    "refuse_changed",
]


class Job:
    """One execution under way: `result` waits for it, `stop` ends it so that it can be resumed."""

    def __init__(self, work: Callable[["LocalEngine"], Dataset], folder: Path) -> None:
        self._engine = LocalEngine()
        self._folder = folder
        self._dataset: Dataset | None = None
        self._error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="lightwell-job", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._dataset = self._work(self._engine)
        except BaseException as error:
            self._error = error

    @property
    def done(self) -> bool:
        """True once the job has ended, well or not."""
        return not self._thread.is_alive()

    @property
    def pictures(self) -> list[Path]:
        """The pictures in its folder: while it iterates of what it would give now, then of it all.

        Each file is replaced in one step, so it may be read, or shown by a viewer, at any time.
        """
        return sorted(self._folder.glob(PICTURES))

    def stop(self) -> None:
        """End the job at the next opportunity; the same call later resumes it."""
        self._engine.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it has not come within `timeout` seconds."""
        self._thread.join(timeout)
        return self.done

    def result(self) -> Dataset:
        """The derived dataset.

        Errors: what the job raised; Interrupted after `stop`.
        """
        while not self.wait(0.2):
            pass
        if self._error is not None:
            raise self._error
        if self._dataset is None:
            raise Interrupted("the job ended without a result")
        return self._dataset


class JobPlan:
    """Everything a job needs, worked out before it starts."""

    def __init__(
        self,
        installation: "Installation",
        recipe: "Recipe[Any, Any]",
        inputs: Mapping[str, Dataset],
        seen: Mapping[str, Dataset],
        records: Mapping[str, InputRecord],
        spec: JobSpec,
        identity: str,
        pid: str,
        *,
        bin: int = 1,
    ) -> None:
        self.installation = installation
        self.recipe = recipe
        self.inputs = inputs
        self.seen = seen
        """The inputs as the steps see them, binned where that was asked for."""
        self.records = records
        self.spec = spec
        self.identity = identity
        self.pid = pid
        self.bin = bin

    @property
    def main(self) -> Dataset:
        """The dataset of the main input, as the steps see it."""
        return next(iter(self.seen.values()))

    def finished(self) -> Dataset | None:
        """The result of an earlier job that was the same, if its files are still whole."""
        try:
            found = self.installation.catalog.get(self.pid)
        except NotFound:
            return None
        present = all(
            self._is_whole(found.manifest.file(f.name), f.size) for f in found.manifest.files
        )
        return found if present and not found.retired else None

    def _is_whole(self, file: Any, size: int) -> bool:
        return bool(file.exists) and file.size == size

    def execute(self, engine: "LocalEngine", catalog: "Catalog", owner: User) -> Dataset:
        """Run, write the NeXus file and the pictures, catalogue the result.

        catalog : what the owner sees and changes.
        Errors: Interrupted where the disk is full, since what is finished is kept; NotAllowed,
        Conflict for a result that is here already and not theirs to change.
        """
        catalog.check_changeable(self.pid)
        try:
            with needing_room(self.spec.folder):
                return self._execute(engine, catalog, owner)
        except DiskFull as error:
            raise Interrupted(
                error.what,
                where=error.where,
                remedy="Make room and run the same command again; what is finished is kept",
            ) from error

    def _execute(self, engine: "LocalEngine", catalog: "Catalog", owner: User) -> Dataset:
        refuse_changed(self.inputs)
        for source in self.spec.sources.values():
            source.product.examine(source.arrays)
        folder = self.spec.folder
        draw = LivePictures(self.installation.plugins.previews, folder)
        outcome = engine.run(dataclasses.replace(self.spec, draw=draw))
        programs = software(self.recipe, self.installation.plugins)
        record = JobRecord.of(
            self.spec, outcome, self.records, self.identity, programs, bin=self.bin
        )
        catalog.check_changeable(self.pid)
        # Before the catalog knows the result: a job that ends here is run again, and draws again.
        draw_and_report(self.installation, self.spec, outcome, folder)
        # Only the values of a sweep needed it, to be computed.
        shutil.rmtree(folder / SHARED, ignore_errors=True)
        return store_result(
            self.installation,
            catalog,
            self.recipe,
            self.main,
            outcome.output,
            record,
            self.pid,
            folder,
            owner,
        )


def draw_and_report(
    installation: "Installation", spec: JobSpec, outcome: Outcome, folder: Path
) -> None:
    """Put pictures, timings and facts about the host beside the result."""
    pictures, undrawn = draw_pictures(installation, spec, outcome, folder)
    report = {**outcome.report, "previews": [str(path) for path in pictures]}
    if undrawn:
        report["undrawn"] = undrawn
    with complete_file(folder / REPORT) as part:
        part.write_text(json.dumps(report, indent=1), encoding="utf-8")


def load_whole(product: type[Product], dataset: Dataset) -> Product:
    """A product of a dataset with all its arrays read.

    Errors: InputError where the files are not what was ingested, or hold no such product.
    """
    refuse_changed({"data": dataset})
    arrays = product.load(dataset.entry, lambda ref: open_array(ref, dataset.manifest))
    return Source(product, arrays).read()


def refuse_changed(datasets: Mapping[str, Dataset]) -> None:
    """Refuse to work on files that are not what was ingested; looks closely only at touched ones.

    Errors: InputError naming each file.
    """
    for role, dataset in datasets.items():
        found = verify(dataset.manifest, touched_only=True)
        if found:
            shown = "; ".join(map(str, found[:_SHOWN]))
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise InputError(
                f"the files of '{role}' are not what was ingested: {shown}{more}",
                where=dataset.path,
                remedy="put them back, or ingest them again as a new dataset",
            )
