"""What computing took before: a small record, to foretell how long a job takes."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightwell.engines.checkpoints import write_durably
from lightwell.engines.environment import cpu_class

__all__ = ["CostRecord", "cost_key"]

_MOST = 500


def cost_key(steps: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> str:
    """What has the same cost: the steps, the shapes of a tile they begin from, the kind of CPU."""
    content = [[step.reference for step in steps], [list(s) for s in shapes], cpu_class()]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class CostRecord:
    """Seconds by key, in a file that may be deleted at any time.

    A later measurement replaces an earlier one: the machine may have been busy then.
    """

    folder: Path | None

    @property
    def _path(self) -> Path | None:
        return self.folder and self.folder / "costs.json"

    def find(self, key: str) -> float | None:
        """The seconds last measured, None where nothing was."""
        found = self._read().get(key)
        return float(found) if isinstance(found, int | float) else None

    def note(self, key: str, seconds: float) -> None:
        """Remember a measurement; where that cannot be written, it is forgotten."""
        if self._path is None:
            return
        known = self._read()
        known.pop(key, None)
        known[key] = round(seconds, 6)
        latest = dict(list(known.items())[-_MOST:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._path, json.dumps(latest).encode())
        except OSError:
            return

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
