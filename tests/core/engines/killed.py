"""A job in a process of its own, to be killed: ``python killed.py '{"folder": …}'``.

Prints the digest of the result as JSON. Slabs are cut finer or coarser than the engine would, so
that tries of one job differ in them although the tiles are small.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

COUNT, WIDTH = 96, 256
RECIPE = "ground"


def main(folder: str, memory: int, workers: int, slabs: int, cores: int | None = None) -> None:
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import runs

    from lightwell.engines import budget

    budget.SLABS_PER_WORKER = slabs
    sources = {"data": runs.frames(COUNT, WIDTH)}
    found = runs.run(RECIPE, Path(folder), sources=sources, memory=memory, workers=workers)
    facts: dict[str, Any] = {
        "digest": found.output.digest,
        "resumed": found.report["resumed"],
        "estimates": {name: e.value for name, e in found.estimates.items()},
        "slabs": [section["slabs"] for section in found.report["sections"]],
    }
    print(json.dumps(facts))  # noqa: T201


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
