"""The local engine: walks a recipe over worker processes, within a memory budget, resumably."""

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any

from lightwell.engines.checkpoints import write_durably
from lightwell.engines.environment import environment
from lightwell.engines.lock import JobLock
from lightwell.engines.spec import Event, JobSpec, Outcome, Output
from lightwell.engines.walk import Walk
from lightwell.engines.workers import Workers

__all__ = ["LocalEngine"]


class LocalEngine:
    """Runs jobs on this machine, one worker process per core."""

    name = "local"

    def __init__(self) -> None:
        self._stop = ThreadEvent()

    def stop(self) -> None:
        """Make the running job give up its slabs; it raises Interrupted and can be resumed."""
        self._stop.set()

    def run(self, spec: JobSpec) -> Outcome:
        """Execute a job, going on from whatever an earlier try left in its folder.

        Errors: what a step or the data raise; Interrupted after `stop`; Conflict where another
        process runs the same job.
        """
        began = time.perf_counter()
        spec.folder.mkdir(parents=True, exist_ok=True)
        with JobLock(spec.folder / "lock") as lock:
            resumed = _prepare(spec.folder)
            diary = _Diary(spec)
            with Workers(diary.tell, self._stop, [lock.descriptor]) as workers, diary:
                walk = Walk(spec, workers, diary.tell)
                output = walk.run()
                glimpses = walk.glimpses()
            report = {
                "resumed": resumed,
                "wall_s": round(time.perf_counter() - began, 3),
                **walk.report(),
                "environment": dict(environment()),
            }
            return Outcome(output, walk.settings, walk.estimates, walk.metrics, report, glimpses)


class _Diary:
    """Events, told to whoever asked and kept in the job's folder."""

    def __init__(self, spec: JobSpec) -> None:
        self._path = spec.folder / "events.jsonl"
        self._on_event = spec.on_event
        self._file: Any = None

    def __enter__(self) -> "_Diary":
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def tell(self, event: Event) -> None:
        self._file.write(json.dumps({"t": round(time.time(), 3), **event}) + "\n")
        if self._on_event is not None:
            self._on_event(event)


def _prepare(folder: Path) -> bool:
    """Keep what an earlier try under the same environment left, remove anything else."""
    facts = folder / "environment.json"
    now = json.dumps(dict(environment()), sort_keys=True)
    if facts.exists() and facts.read_text() == now:
        return True
    for leftover in folder.iterdir():
        if leftover.name != "lock":
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    write_durably(facts, now.encode())
    return False
