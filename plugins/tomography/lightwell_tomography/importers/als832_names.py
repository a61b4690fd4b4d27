"""The frames of a classic 8.3.2 file, told by their names.

Layout: `read_als_832h5` in data-exchange/dxchange, dxchange/exchange.py. Projections are
``<scan>_<tile>_<angle>.tif``, flats ``<scan>bak_<number>_<angle>.tif``, darks
``<scan>drk_<number>_<angle>.tif``; the angle of a flat is that of the projection it was taken at.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from lightwell.model.arrays import SeriesPart
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

__all__ = ["Frame", "frame_of", "series"]

_KINDS = {"": PROJECTION, "bak": FLAT, "drk": DARK}
_NUMBERS = re.compile(r"(?P<kind>|bak|drk)_(?P<first>\d+)_(?P<second>\d+)\.tiff?")
_ANY = re.compile(r"(?P<base>.*?)" + _NUMBERS.pattern)


class Frame(NamedTuple):
    """One HDF5 dataset: `number` within its series, `group` the tile, or the flat's angle."""

    kind: int
    group: int
    number: int
    head: str
    digits: str
    tail: str

    @property
    def name(self) -> str:
        """The name of the HDF5 dataset."""
        return f"{self.head}{self.digits}{self.tail}"


def frame_of(name: str, scan: str) -> Frame | None:
    """What a name in the group of a scan stands for, None where it is no frame.

    >>> frame = frame_of("20130713_bak_0002_1024.tif", "20130713_")
    >>> frame.kind == FLAT, frame.number, frame.group
    (True, 2, 1024)
    """
    # The scan's own name may end like a flat's; only what follows it counts.
    found = _NUMBERS.fullmatch(name, len(scan)) if name.startswith(scan) else _ANY.fullmatch(name)
    if found is None:
        return None
    kind = _KINDS[found["kind"]]
    # A series runs over the angles of projections, but over the numbers of flats and darks.
    varies, fixed = ("second", "first") if kind == PROJECTION else ("first", "second")
    head, tail = name[: found.start(varies)], name[found.end(varies) :]
    return Frame(kind, int(found[fixed]), int(found[varies]), head, found[varies], tail)


def series(frames: Iterable[Frame], file: str, group: str, *, new_axis: bool) -> list[SeriesPart]:
    """The frames in their order as few parts: each a series with consecutive numbers.

    group : path of the group in the file, which ends with a slash.
    """
    return [
        SeriesPart(
            file=file,
            path=_template(group, row[0]),
            first=row[0].number,
            count=len(row),
            new_axis=new_axis,
        )
        for row in _rows(frames)
    ]


def _rows(frames: Iterable[Frame]) -> Iterator[Sequence[Frame]]:
    def alike(one: tuple[int, Frame]) -> tuple[object, ...]:
        index, frame = one
        # "9999" and "10000" are one series of numbers with four digits at least.
        width = len(frame.digits) if frame.digits.startswith("0") else min(len(frame.digits), 4)
        return frame.head, frame.tail, width, frame.number - index

    for _, members in groupby(enumerate(frames), key=alike):
        yield [frame for _, frame in members]


def _template(group: str, frame: Frame) -> str:
    width = len(frame.digits) if frame.digits.startswith("0") else min(len(frame.digits), 4)
    before, after = (
        text.replace("{", "{{").replace("}", "}}") for text in (group + frame.head, frame.tail)
    )
    return f"{before}{{:0{width}d}}{after}"
