"""A reconstruction whose pictures are drawn as often as can be, and which may die of one of them.

Prints the digest of its result, the pictures beside it and the events that told of some.
"""

import itertools
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def main(pid: str, *, watched: bool, dies_at: int = 0) -> None:
    import lightwell
    from lightwell import previews
    from lightwell.engines import walk
    from lightwell.files import complete_file
    from lightwell.session.records import JobRecord

    walk.EVERY_S = 0.0 if watched else math.inf
    walk.REST = 0.0
    numbers = itertools.count(1)

    @contextmanager
    def dying(path: Path) -> Iterator[Path]:
        """Half a picture is written when the process goes."""
        with complete_file(path) as part:
            if next(numbers) == dies_at:
                part.write_bytes(b"\x89PNG")
                os.kill(os.getpid(), signal.SIGKILL)
            yield part

    previews.complete_file = dying
    session = lightwell.open()
    told = []
    job = session.run(
        "ptychography.rpie",
        pid,
        on_event=lambda event: told.append(event) if event["event"] == "pictures" else None,
        iterations=12,
        frames_per_tile=10,
    )
    result = job.result()
    record = JobRecord.from_json(result.job, where=result.pid)
    pictures = [path.name for path in job.pictures]
    print(json.dumps({"digest": record.digest, "pictures": pictures, "told": told}))  # noqa: T201


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
