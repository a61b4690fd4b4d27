"""What every format of export is given, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lightwell.exports.grey import Grey
from lightwell.exports.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["FACTS_FILE", "Export", "Exported", "Format", "Tell"]

Tell: TypeAlias = Callable[[Mapping[str, Any]], None]

FACTS_FILE = "lightwell-export.json"
"""Beside the slices of an export that is a folder: where they come from."""


@dataclass(frozen=True, eq=False)
class Export:
    """One export under way: which volume, in which greys, to which final place."""

    volume: Volume
    grey: Grey
    path: Path
    tell: Tell

    @cached_property
    def program(self) -> str:
        """Who writes it."""
        from importlib.metadata import version

        return f"lightwell {version('lightwell')}"

    def facts(self) -> dict[str, Any]:
        """Where it comes from and what the numbers mean; what was clipped as far as it is known."""
        volume = self.volume
        z, y, x = volume.voxel
        chosen = volume.chosen
        return {
            "program": self.program,
            "pid": volume.pid,
            "title": volume.title,
            "definition": volume.definition,
            "array": volume.name,
            "unit": volume.unit,
            "axes": ["z", "y", "x"],
            "shape": list(volume.shape),
            "slices": [chosen.start, chosen.stop, chosen.step],
            "voxel_size_m": {"z": z, "y": y, "x": x},
            "voxel_size_from": volume.pid,
            **self.grey.facts(),
        }

    def slabs(self, depth: int | None = None) -> "Iterator[tuple[int, NDArray[Any]]]":
        """The slabs of the volume in grey; how far it is, is told after each."""
        total = len(self.volume.chosen)
        for first, values in self.volume.slabs(depth):
            done, grey = first + len(values), self.grey(values)
            # Gone before the next slab is read, or there would be two of each in memory.
            del values
            yield first, grey
            del grey
            self.tell({"event": "slices-written", "done": done, "of": total})

    def pages(self) -> "Iterator[NDArray[Any]]":
        """The slices of the volume in grey, one after the other."""
        for _, slab in self.slabs():
            yield from slab
            del slab


@dataclass(frozen=True)
class Format:
    """A kind of file that volumes are taken away as.

    write : writes an export under its final name, whole or not at all; dtypes : what it can hold;
    default : what floats become if nobody says otherwise.
    """

    name: str
    summary: str
    write: Callable[[Export], None]
    dtypes: tuple[str, ...]
    default: str = "float32"


@dataclass(frozen=True)
class Exported:
    """What was written, and where it came from."""

    path: Path
    format: str
    facts: Mapping[str, Any]

    @property
    def clipped(self) -> int:
        """How many voxels were darker than black or lighter than white."""
        return int(self.facts["clipped_below"]) + int(self.facts["clipped_above"])
