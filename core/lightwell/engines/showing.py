"""What a file of arrays shows: facts kept in it, so that its segments can be merged later."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from lightwell.engines.segments import Segment
from lightwell.errors import DamagedResult

__all__ = ["Shown", "segment_rows", "show"]

_SHOWN = "lightwell_segments"


@dataclasses.dataclass(frozen=True)
class Shown:
    """How a file of arrays shows segments, kept in it so that they can be merged without a plugin.

    cut : for each array the axis it is joined along, None for one that no tile cuts.
    """

    axis: str
    tile: int
    points: Sequence[int]
    folder: str
    cut: Mapping[str, int | None]

    @property
    def tiles(self) -> list[int]:
        """The tiles that hold the points."""
        return sorted({point // self.tile for point in self.points})

    def keep(self, file: Any) -> None:
        """Write the facts to an open file."""
        file.attrs[_SHOWN] = self._text()

    def _text(self) -> str:
        """The facts as JSON, a range by its ends."""
        points = self.points
        if isinstance(points, range):
            points = [points.start, points.stop, points.step]
        is_range = isinstance(self.points, range)
        content = {**dataclasses.asdict(self), "points": list(points), "is_range": is_range}
        return json.dumps(content)

    @classmethod
    def of(cls, file: Any, path: Path) -> Self:
        """Read the facts of an open file.

        Errors: DamagedResult where it has none.
        """
        try:
            content = json.loads(file.attrs[_SHOWN])
            points = content.pop("points")
            if content.pop("is_range"):
                points = range(*points)
            return cls(**content, points=points)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedResult(
                "the file does not say how its segments are joined",
                where=str(path),
                remedy="sweeps stay as they are; of other results, delete it and run `replay`",
            ) from error


def show(
    path: Path,
    shown: Shown,
    segments: Sequence[Segment],
    attributes: Mapping[str, Mapping[str, Any]],
    *,
    linked: bool = False,
) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Write the file of arrays over some segments; return shape and type of each.

    linked : an array that is all of the one segment is linked to, not shown by a virtual dataset.
    """
    from lightwell.hdf5 import Hdf5Array, external_link, write_virtual, writing

    found: dict[str, tuple[tuple[int, ...], Any]] = {}
    with writing(path, replace=True) as file:
        shown.keep(file)
        for name, along in shown.cut.items():
            first = Hdf5Array.find(segments[0].path, name)
            relative = os.path.relpath(segments[0].path, path.parent)
            shape = list(first.shape)
            if along is None:
                sources = [(relative, name, 0, first.shape[0] if first.shape else 1)]
            else:
                shape[along] = len(shown.points)
                sources = segment_rows(shown.points, shown.tile, segments, name, path.parent)
            found[name] = tuple(shape), first.dtype
            if linked and first.shape == tuple(shape) and len(sources) == 1:
                file[name] = external_link(relative, name)
                continue
            if 0 in shape:
                file.create_dataset(name, shape=tuple(shape), dtype=first.dtype)
            elif first.shape:
                write_virtual(file, name, shape, first.dtype, sources, axis=along or 0)
            else:
                file.create_dataset(name, data=first.read(()))
            file[name].attrs.update(attributes.get(name, {}))
    return found


def segment_rows(
    points: Sequence[int], tile: int, segments: Sequence[Segment], name: str, folder: Path
) -> list[tuple[str, str, int, int]]:
    """Which rows of which segment make up an array, in the order of the points."""
    found: list[Any] = []
    for point in points:
        segment = next(s for s in segments if s.first <= point // tile < s.last)
        row = point - segment.first * tile
        relative = os.path.relpath(segment.path, folder)
        if found and found[-1][0] == relative and found[-1][3] == row:
            found[-1] = (relative, name, found[-1][2], row + 1)
        else:
            found.append((relative, name, row, row + 1))
    return found
