"""What is going on in an installation: jobs that run, wait or were stopped, and what was kept."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.engines.admission import Share, shares
from lightwell.engines.kept import KeptOutput, drop_kept, kept_outputs
from lightwell.engines.lock import is_locked
from lightwell.errors import UnknownName
from lightwell.session.results import result_file
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.installation import Installation

__all__ = ["EVERYTHING", "Dropped", "Stopped", "dropped", "kept", "running", "stopped"]

EVERYTHING = "all"
"""In place of a step's name: the outputs of all steps."""


@dataclass(frozen=True)
class Stopped:
    """A job without a result that nobody works on: the command that began it resumes it."""

    pid: str
    recipe: str
    folder: Path
    size: int


@dataclass(frozen=True)
class Dropped:
    """Kept outputs that are gone, and those that stay since a job uses them."""

    gone: Sequence[KeptOutput]
    used: Sequence[KeptOutput]


def running(installation: "Installation") -> list[Share]:
    """The jobs of this machine that have memory, or wait for it, the oldest first."""
    folder = installation.home / "running" / platform.node()
    return sorted(shares(folder), key=lambda share: share.since)


def stopped(installation: "Installation") -> list[Stopped]:
    """The jobs that were begun and neither ended nor are running."""
    found = []
    for facts in sorted((installation.home / "results").glob("*/job.json")):
        folder = facts.parent
        if result_file(folder, folder.name).exists() or is_locked(folder / "lock"):
            continue
        recipe = json.loads(facts.read_text(encoding="utf-8")).get("recipe", "")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found.append(Stopped(folder.name, recipe, folder, size))
    return found


def kept(installation: "Installation") -> list[KeptOutput]:
    """The outputs of steps that later jobs may begin from, the one used last first."""
    return kept_outputs(installation.home / "kept")


def dropped(installation: "Installation", step: str) -> Dropped:
    """Remove the kept outputs of a step, or all of them.

    Errors: UnknownName where nothing of that step is kept.
    """
    outputs = kept(installation)
    chosen = [output for output in outputs if step in (EVERYTHING, output.step)]
    if not chosen and step != EVERYTHING:
        steps = sorted({output.step for output in outputs})
        raise UnknownName(f"nothing of a step '{step}' is kept", remedy=nearest(step, steps))
    return Dropped(*drop_kept(chosen))
