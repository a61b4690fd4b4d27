"""A job in a process of its own, to be disturbed: ``python killed.py '{"folder": …}'``.

Prints the digest of the result as JSON. Slabs are cut finer or coarser than the engine would, so
that tries of one job differ in them although the tiles are small.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

JOBS: Mapping[str, Mapping[str, Any]] = {
    # Map steps with halos along frames, a fold into a parameter between them.
    "ground": {},
    # An estimate, and map steps along rows with a plan.
    "volume": {},
    # A fold that gives a product, and the product as a side input.
    "cleaned": {},
    # An iteration over the whole data.
    "relaxed": {"given": {"iterations": 30}},
    # An iteration tile by tile.
    "clustered": {"given": {"iterations": 30}},
    # A sweep, the first part of which is shared.
    "swept": {"recipe": "volume", "sweep": ("weight", (0.1, 0.2, 0.3))},
    # One that begins from what it, or an earlier one, kept.
    "kept": {"recipe": "volume", "keep": ("normalise", "soften")},
}
"""One job for each kind of step, and for each kind of job."""


def options(name: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """The recipe of a job, and what `runs.job` needs beside its folder and means."""
    import runs

    from lightwell.engines import Keeping, Sweep

    facts = JOBS[name]
    made: dict[str, Callable[[], Any]] = {
        "data": lambda: runs.scan(rows=256, angles=24, width=128),
        "dark": lambda: runs.dark(rows=256, angles=8, width=128),
    }
    recipe = str(facts.get("recipe", name))
    roles = runs.recipe_of(recipe).inputs()
    sources = {role: made[role]() for role in roles}
    if recipe == "ground":
        sources = {"data": runs.frames(96, 256)}
    if recipe == "clustered":
        sources = {"data": runs.slices(256, 128)}
    found: dict[str, Any] = {"sources": sources, "given": facts.get("given")}
    if "sweep" in facts:
        found["sweep"] = Sweep(*facts["sweep"])
    if "keep" in facts:
        found["keeping"] = Keeping(folder.parent / "shelf", "tests", facts["keep"])
    return recipe, found


def main(
    job: str, folder: str, memory: int, workers: int, slabs: int, cores: int | None = None
) -> int:
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import runs

    from lightwell.engines import budget
    from lightwell.engines.local import LocalEngine
    from lightwell.errors import LightwellError

    budget.SLABS_PER_WORKER = slabs
    engine = LocalEngine()
    signal.signal(signal.SIGTERM, lambda *_: engine.stop())
    recipe, facts = options(job, Path(folder))
    try:
        found = engine.run(runs.job(recipe, Path(folder), memory=memory, workers=workers, **facts))
    except LightwellError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_status
    told = {
        "digest": found.output.digest,
        "resumed": found.report["resumed"],
        "estimates": {name: e.value for name, e in found.estimates.items()},
        "slabs": [section["slabs"] for section in found.report["sections"]],
    }
    print(json.dumps(told))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
