"""Text files of numbers in columns, with whatever stands before and after them."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lightwell.errors import UnreadableFile
from lightwell.files import File

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Columns", "read_columns"]

_SPLIT: Final = re.compile(r"[\s,;]+")
_LARGEST: Final = 64 * 2**20
_FEWEST_ROWS: Final = 3


@dataclass(frozen=True, eq=False)
class Columns:
    """The largest block of lines with equally many numbers, and the lines around it.

    values : (row, column) float64
    """

    values: "NDArray[Any]"
    before: tuple[str, ...]
    after: tuple[str, ...]


def read_columns(file: File) -> Columns | None:
    """Read a text file of numbers; None for one that has no block of them, or is no text.

    Columns are apart by blanks, tabs, commas or semicolons. Errors: NotFound, UnreadableFile.
    """
    import numpy as np

    if file.size > _LARGEST:
        return None
    content = file.read_bytes()
    if b"\0" in content[:4096]:
        return None
    lines = content.decode("utf-8", errors="replace").splitlines()
    rows = [_numbers(line) for line in lines]
    start, stop = _largest_block([0 if row is None else len(row) for row in rows])
    if stop - start < _FEWEST_ROWS:
        return None
    values = np.array([row for row in rows[start:stop] if row is not None], np.float64)
    return Columns(values, tuple(lines[:start]), tuple(lines[stop:]))


class ColumnArray:
    """One column of a text file, by its number from 0."""

    def __init__(self, file: File, column: int) -> None:
        found = read_columns(file)
        if found is None or column >= found.values.shape[1]:
            raise UnreadableFile(
                f"{file.name} has no column {column} of numbers",
                where=str(file),
                remedy="The file changed since it was ingested; ingest it again",
            )
        self._values = found.values[:, column]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._values.shape)

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    def read(self, selection: Any = ()) -> "NDArray[Any]":
        """Return the selected rows."""
        found: NDArray[Any] = self._values[selection]
        return found


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line that holds nothing else."""
    words = [word for word in _SPLIT.split(line.strip()) if word]
    try:
        return [float(word) for word in words] or None
    except ValueError:
        return None


def _largest_block(counts: list[int]) -> tuple[int, int]:
    """First and stop of the longest run of equal counts of at least two."""
    best, first = (0, 0), 0
    for place in range(1, len(counts) + 1):
        if place == len(counts) or counts[place] != counts[first]:
            if counts[first] >= 2 and place - first > best[1] - best[0]:
                best = (first, place)
            first = place
    return best
