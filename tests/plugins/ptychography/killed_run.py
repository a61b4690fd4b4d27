"""A reconstruction in a process of its own, to be killed: prints the digest of its result."""

import json
import signal
import sys
from pathlib import Path

from lightwell.errors import LightwellError


def main(scan: str, folder: str, memory: int, name: str, given: dict[str, int]) -> int:
    import scans

    from lightwell.engines.local import LocalEngine

    engine = LocalEngine()
    signal.signal(signal.SIGTERM, lambda *_: engine.stop())
    source = scans.simulated(Path(scan))
    spec = scans.job(source, Path(folder), name, memory=memory, **given)
    try:
        found = engine.run(spec)
    except LightwellError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_status
    print(json.dumps({"digest": found.output.digest, "metrics": dict(found.metrics)}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
