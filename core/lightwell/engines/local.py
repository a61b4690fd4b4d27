"""The local engine: walks a recipe over worker processes, within a memory budget, resumably."""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any, Self

from lightwell.engines.admission import admitted
from lightwell.engines.checkpoints import write_durably
from lightwell.engines.drawing import Drawing
from lightwell.engines.environment import environment
from lightwell.engines.lock import JobLock
from lightwell.engines.spec import Event, JobSpec, Outcome, identity
from lightwell.engines.sweeps import SHARED, VALUES, run_sweep
from lightwell.engines.walk import RESULT, Walk
from lightwell.engines.workers import Workers
from lightwell.errors import Conflict

__all__ = ["LocalEngine"]

_FACTS = "job.json"
_OWN = (
    "section_*",
    "whole_*",
    RESULT,
    "scratch_*",
    SHARED,
    VALUES,
    "checkpoint_*.npz",
    "estimates.json",
    "events.jsonl",
)
"""All that an engine puts into a job's folder. Nothing else in there is ever removed."""


class LocalEngine:
    """Runs jobs on this machine, one worker process per core."""

    name = "local"

    def __init__(self) -> None:
        self._stop = ThreadEvent()

    def stop(self) -> None:
        """Make this engine's job give up its slabs, now or as soon as it starts.

        The job raises Interrupted and can be resumed, by another engine.
        """
        self._stop.set()

    def run(self, spec: JobSpec) -> Outcome:
        """Execute a job, going on from whatever an earlier try left in its folder.

        Errors: what a step or the data raise; Interrupted after `stop`; Conflict where another
        process runs the same job, or the folder holds another one.
        """
        began = time.perf_counter()
        spec.folder.mkdir(parents=True, exist_ok=True)
        with JobLock(spec.folder / "lock") as lock:
            resumed = _prepare(spec)
            try:
                with (
                    _Diary(spec) as diary,
                    Drawing(spec.draw, diary.tell) as drawing,
                    self._admitted(spec, diary.tell) as (memory, share),
                    Workers(
                        drawing.tell, self._stop, [lock.descriptor, *share], spec.cache
                    ) as workers,
                ):
                    spec = dataclasses.replace(spec, memory=memory)
                    if spec.sweep is not None:
                        outcome = run_sweep(spec, spec.sweep, workers, diary.tell)
                    else:
                        walk = Walk(spec, workers, diary.tell)
                        outcome = walk.outcome(walk.run())
            finally:
                _sweep(spec.folder)
            report = {
                "resumed": resumed,
                "wall_s": round(time.perf_counter() - began, 3),
                **outcome.report,
                "environment": dict(environment()),
            }
            return dataclasses.replace(outcome, report=report)

    @contextmanager
    def _admitted(
        self, spec: JobSpec, tell: Callable[[Event], None]
    ) -> Iterator[tuple[int, list[int]]]:
        """The memory the job may have, and what workers keep open so that it stays theirs."""
        if spec.admission is None:
            yield spec.memory, []
            return
        job = spec.folder.name
        with admitted(spec.admission, job, spec.memory, stopped=self._stop.is_set, tell=tell) as (
            memory,
            descriptor,
        ):
            yield memory, [descriptor]


class _Diary:
    """Events, told to whoever asked and kept in the job's folder. Nothing is read back from it."""

    def __init__(self, spec: JobSpec) -> None:
        self._path = spec.folder / "events.jsonl"
        self._on_event = spec.on_event
        self._file: Any = None

    def __enter__(self) -> Self:
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def tell(self, event: Event) -> None:
        self._file.write(json.dumps({"t": round(time.time(), 3), **event}) + "\n")
        if self._on_event is not None:
            self._on_event(event)


def _prepare(spec: JobSpec) -> bool:
    """Keep what an earlier try of this job left, unless the environment has changed since.

    Errors: Conflict where the folder belongs to another job.
    """
    path = spec.folder / _FACTS
    now = {"environment": dict(environment()), "job": _job_digest(spec)}
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if before is not None and {**before, **now} == before:
        _sweep(spec.folder)
        return True
    if before is not None and before["job"] != now["job"]:
        raise Conflict(
            "the folder holds another job",
            where=str(spec.folder),
            remedy="give this one a folder of its own",
        )
    for pattern in _OWN:
        for leftover in spec.folder.glob(pattern):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    _sweep(spec.folder)
    facts = {**now, "recipe": spec.recipe.name}
    write_durably(path, json.dumps(facts, sort_keys=True).encode())
    return False


def _job_digest(spec: JobSpec) -> str:
    """What tells jobs apart that were given one folder; slices are not among it.

    A tile is the same whoever asked for it, so one folder may serve several selections.
    """
    inputs = {
        role: {name: [list(a.shape), str(a.dtype)] for name, a in source.arrays.items()}
        for role, source in spec.sources.items()
    }
    values = {address: setting.value for address, setting in spec.settings.items()}
    sweep = {"sweep": dataclasses.asdict(spec.sweep)} if spec.sweep is not None else {}
    return identity(spec.recipe, values, inputs=inputs, **sweep)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half written, here and in the folders of segments."""
    for pattern in ("*.part", *(f"{own}/**/*.part" for own in _OWN)):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
