"""Jobs: a recipe on a dataset, started at once, waited for when its result is wanted."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datasets import Dataset
from lightwell.engines import JobSpec, Outcome, Source
from lightwell.engines.local import LocalEngine
from lightwell.errors import InputError, Interrupted, NotFound, ParameterError
from lightwell.files import complete_file
from lightwell.manifests import verify
from lightwell.model.arrays import ArrayRef
from lightwell.previews import write_picture
from lightwell.session.records import InputRecord, JobRecord, Slices, software
from lightwell.session.results import store_result
from lightwell.stacks import LazyArray, open_array
from lightwell.users import User

if TYPE_CHECKING:
    from lightwell.installation import Installation
    from lightwell.recipes import Recipe

_SHOWN = 3

REPORT = "report.json"
"""Timings and facts about the host, beside the result and not part of it."""

__all__ = [
    "REPORT",
    "Job",
    "JobPlan",
    "draw_previews",
    "input_sources",
    "parse_slices",
    "refuse_changed",
    "write_report",
]


class Job:
    """One execution under way: `result` waits for it, `stop` ends it so that it can be resumed."""

    def __init__(self, work: Callable[["LocalEngine"], Dataset]) -> None:
        self._engine = LocalEngine()
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
        records: Mapping[str, InputRecord],
        spec: JobSpec,
        identity: str,
        pid: str,
    ) -> None:
        self.installation = installation
        self.recipe = recipe
        self.inputs = inputs
        self.records = records
        self.spec = spec
        self.identity = identity
        self.pid = pid

    @property
    def main(self) -> Dataset:
        """The dataset of the main input."""
        return next(iter(self.inputs.values()))

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

    def execute(self, engine: "LocalEngine", owner: User) -> Dataset:
        """Run, write the NeXus file and the pictures, catalogue the result."""
        refuse_changed(self.inputs)
        outcome = engine.run(self.spec)
        programs = software(self.recipe, self.installation.plugins)
        record = JobRecord.of(self.spec, outcome, self.records, self.identity, programs)
        folder = self.spec.folder
        dataset = store_result(
            self.installation,
            self.recipe,
            self.main,
            outcome.output,
            record,
            self.pid,
            folder,
            owner,
        )
        write_report(outcome, draw_previews(self.installation, outcome, folder), folder)
        return dataset


def draw_previews(installation: "Installation", outcome: Outcome, folder: Path) -> list[Path]:
    """Write a picture of every product a plugin knows how to draw."""
    found = []
    for preview in installation.plugins.previews:
        product = outcome.glimpses.get((preview.of, preview.along))
        if product is not None:
            path = folder / f"preview_{preview.name}.png"
            found.append(write_picture(path, preview.draw(product)))
    return found


def write_report(outcome: Outcome, pictures: Sequence[Path], folder: Path) -> None:
    """Keep timings and facts about the host beside the result."""
    report = {**outcome.report, "previews": [str(path) for path in pictures]}
    with complete_file(folder / REPORT) as part:
        part.write_text(json.dumps(report, indent=1), encoding="utf-8")


def input_sources(recipe: "Recipe[Any, Any]", datasets: Mapping[str, Dataset]) -> dict[str, Source]:
    """The arrays of every input of a recipe, unread.

    Errors: ParameterError for an input without a dataset; MissingSource, MissingMetadata where a
    dataset lacks what the input's product needs.
    """
    found = {}
    for role, product in recipe.inputs().items():
        if role not in datasets:
            raise ParameterError(
                f"{recipe.name} needs a dataset as '{role}'",
                remedy=f"give it: --using {role}=PID",
            )
        dataset = datasets[role]

        def opener(ref: ArrayRef, dataset: Dataset = dataset) -> LazyArray:
            return open_array(ref, dataset.manifest)

        found[role] = Source(product, product.load(dataset.entry, opener))
    return found


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


def parse_slices(text: str) -> Slices:
    """Start, stop and step from ``a:b:c``; a single number is one point.

    Errors: ParameterError for anything else.

    >>> parse_slices("0:100:10"), parse_slices("7"), parse_slices(":50")
    ((0, 100, 10), (7, 8, 1), (None, 50, None))
    """
    words = text.split(":")
    try:
        numbers = [int(w) if w.strip() else None for w in words]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        only = numbers[0]
        # The stop after -1 is the end.
        return (only, only + 1 or None, 1)
    start, stop, step = (*numbers, *(None,) * 3)[:3]
    if len(numbers) not in (2, 3) or (step is not None and step < 1):
        raise ParameterError(
            f"--slices {text!r} is not start:stop:step", remedy="write 512, 0:100 or 0:1596:100"
        )
    return (start, stop, step)
