"""Stacks of projections, flats and darks, joined into one in the order they were taken."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from lightwell import ArrayRef
from lightwell.model.arrays import Part
from lightwell_tomography.importers.angles import cut
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

__all__ = ["Run", "flat_moments", "image_key", "in_order", "joined", "keys"]

_RANK = {DARK: 0, FLAT: 1}


class Run(NamedTuple):
    """Frames of one kind taken one after the other: `length` of their stack, from `start` on."""

    kind: int
    start: int
    length: int


def in_order(projections: int, before: Mapping[int, Sequence[int]]) -> list[Run]:
    """Runs of frames as they were taken.

    before : for flats and darks, how many projections were taken before each frame.

    >>> in_order(3, {FLAT: [0, 0, 3], DARK: [3]})[0]
    Run(kind=1, start=0, length=2)
    """
    taken = sorted(
        (moment, _RANK[kind], index, kind)
        for kind, moments in before.items()
        for index, moment in enumerate(moments)
    )
    # Frames of one moment in a row are one run; the difference is constant along such a row.
    rows = groupby(enumerate(taken), key=lambda one: (*one[1][:2], one[1][2] - one[0]))
    runs: list[Run] = []
    done = 0
    for (moment, *_), members in rows:
        if moment > done:
            runs.append(Run(PROJECTION, done, moment - done))
            done = moment
        frames = [frame for _, frame in members]
        runs.append(Run(frames[0][3], frames[0][2], len(frames)))
    return runs if done == projections else [*runs, Run(PROJECTION, done, projections - done)]


def flat_moments(count: int, projections: int, every: int) -> list[int] | None:
    """How many projections were taken before each of `count` flats; None where it cannot be told.

    every : flats are taken anew after so many projections (8.3.2's i0cycle), and at the end; 0
    for before and after the scan only. Layout: `read_als_832h5` in dxchange, exchange.py.

    >>> flat_moments(4, 9, 0), flat_moments(6, 9, 4)
    ([0, 0, 9, 9], [0, 0, 4, 4, 9, 9])
    """
    # A group at the last projection is the one after the scan.
    starts = list(range(0, projections - 1, every)) if every > 0 else [0]
    moments = [*(starts or [0]), projections]
    if not count or count % len(moments):
        return None
    return [moment for moment in moments for _ in range(count // len(moments))]


def keys(runs: Sequence[Run]) -> list[int]:
    """The image key of every frame."""
    return [run.kind for run in runs for _ in range(run.length)]


def image_key(runs: Sequence[Run]) -> ArrayRef:
    """The image keys as an array."""
    parts = [ArrayRef.constant(run.kind, run.length) for run in runs]
    return ArrayRef.concatenate(*parts).model_copy(update={"dtype": "int32"})


def joined(stacks: Mapping[int, ArrayRef], runs: Sequence[Run]) -> ArrayRef:
    """All frames as one stack, of a type that holds the values of all."""
    import numpy as np

    return ArrayRef(
        shape=(sum(run.length for run in runs), *stacks[PROJECTION].shape[1:]),
        dtype=np.result_type(*(stacks[run.kind].dtype for run in runs)).name,
        unit="counts",
        parts=tuple(_parts(stacks, runs)),
    )


def _parts(stacks: Mapping[int, ArrayRef], runs: Sequence[Run]) -> Iterator[Part]:
    for run in runs:
        yield from cut(stacks[run.kind], run.start, run.length)
