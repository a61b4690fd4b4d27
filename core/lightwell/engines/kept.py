"""Outputs of steps that were kept, so that later jobs begin from them: found by their content.

A kept output is a folder of segments below the installation's home. Its name is the digest of all
that its numbers depend on, so a job finds what fits it and nothing else, and any number of jobs
may add tiles to it in turn. It decides what is computed when, never a bit of any result.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lightwell.engines.checkpoints import write_durably
from lightwell.engines.spec import Keeping
from lightwell.engines.tiles import Section
from lightwell.recipes import Recipe, Setting

__all__ = ["KeptOutput", "Shelf", "drop_kept", "kept_outputs"]

_FACTS = "kept.json"
_LOCK = "lock"
_PATIENCE_S = 30.0


class Shelf:
    """The kept outputs one job uses; what it took is locked against removal until it closes."""

    def __init__(self, keeping: Keeping, recipe: Recipe[Any, Any]) -> None:
        self.keeping = keeping
        self.recipe = recipe
        self._held: dict[Path, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def key(self, section: Section, depth: int, settings: Mapping[str, Setting]) -> str:
        """The digest of what the output of the first `depth` works of a section depends on."""
        position = section.works[depth - 1].position
        slots = self.recipe.slots
        content = {
            "inputs": self.keeping.inputs,
            "chain": self.recipe.beginning(position),
            "values": {a: s.value for a, s in settings.items() if slots[a].step <= position},
            "cut": [section.axis, section.tile, section.length],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def take(self, key: str, step: str, *, make: bool) -> Path | None:
        """The folder of a kept output, locked for reading; None where there is none.

        make : begin one if need be.
        """
        path = self.keeping.folder / key[:32]
        if path in self._held:
            return path
        if make and not (path / _FACTS).exists():
            path.mkdir(parents=True, exist_ok=True)
            facts = {"step": step, "recipe": self.recipe.name, "key": key}
            write_durably(path / _FACTS, json.dumps(facts).encode())
        if not (path / _FACTS).exists():
            return None
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(descriptor, fcntl.LOCK_SH) or not _is_still(path / _LOCK, descriptor):
            os.close(descriptor)
            return None
        os.utime(path)
        self._held[path] = descriptor
        return path

    @contextmanager
    def adding(self, path: Path) -> Iterator[bool]:
        """Have the folder alone while tiles are added; False where another job uses it all along.

        The job then computes for itself what it would have kept.
        """
        descriptor = self._held[path]
        mine = _locked(descriptor, fcntl.LOCK_EX)
        try:
            yield mine
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_SH)


@dataclass(frozen=True)
class KeptOutput:
    """One kept output: of which step of which recipe, how large, when it was used last."""

    path: Path
    step: str
    recipe: str
    size: int
    used: float


def kept_outputs(folder: Path) -> list[KeptOutput]:
    """All that is kept, the one used last first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        facts_file = path / _FACTS
        if facts_file.exists():
            facts = json.loads(facts_file.read_text(encoding="utf-8"))
            size = sum(file.stat().st_size for file in path.iterdir())
            found.append(
                KeptOutput(path, facts["step"], facts["recipe"], size, path.stat().st_mtime)
            )
    return sorted(found, key=lambda one: -one.used)


def drop_kept(outputs: Sequence[KeptOutput]) -> tuple[list[KeptOutput], list[KeptOutput]]:
    """Remove kept outputs; gives those that are gone and those that a job is using."""
    gone, used = [], []
    for output in outputs:
        descriptor = os.open(output.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Without its facts nobody takes it, should the rest not come off.
            (output.path / _FACTS).unlink(missing_ok=True)
            shutil.rmtree(output.path, ignore_errors=True)
            gone.append(output)
        except BlockingIOError:
            used.append(output)
        finally:
            os.close(descriptor)
    return gone, used


def _locked(descriptor: int, kind: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        else:
            return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file that was locked is the one that stands there; it may have been dropped."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
