"""From a predicate to runs of records: whole blocks where that is sure, values where it is not."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from lightwell.frame_index.predicates import Predicate
from lightwell.frame_index.tables import Column, Table
from lightwell.frame_index.zones import BLOCK, block_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hits", "select"]

_AT_ONCE: Final = 1024
"""Blocks looked at together: what of one column stays in a core's cache."""

Runs: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64]]"
"""First records of runs, and those after their last."""


@dataclass(frozen=True, eq=False)
class Hits:
    """The records of a table that match.

    allowed : (dataset) whether its records count; runs may reach over those that do not.
    blocks : how many hold a record that counts; blocks_read : how many were looked into.
    """

    table: Table
    allowed: "NDArray[np.bool_]"
    blocks: int
    blocks_read: int
    looked: "tuple[_Looked, ...]"
    whole: Runs

    @property
    def starts(self) -> "NDArray[np.int64]":
        """(run) the first record of each, in rising order; runs never touch."""
        return self._runs[0]

    @property
    def stops(self) -> "NDArray[np.int64]":
        """(run) the record after the last of each."""
        return self._runs[1]

    @cached_property
    def _runs(self) -> Runs:
        # Only for who asks where they are: of noise there are as many runs as hits.
        return _joined([*(each.runs() for each in self.looked), self.whole])

    @cached_property
    def counts(self) -> "NDArray[np.int64]":
        """(dataset) how many of its frames match."""
        found = _counts_of(self.whole, self.table.start)
        for each in self.looked:
            found[each.first_dataset : each.first_dataset + len(each.counts)] += each.counts
        counts: NDArray[np.int64] = np.where(self.allowed, found, 0)
        return counts

    def runs(self, dataset: int) -> "NDArray[np.int64]":
        """(run, 2) first frame and the one after the last, of a dataset by its place."""
        first, end = self.table.start[dataset], self.table.start[dataset + 1]
        begin = np.searchsorted(self.stops, first, side="right")
        until = np.searchsorted(self.starts, end, side="left")
        found = np.stack([self.starts[begin:until], self.stops[begin:until]], axis=1)
        cut: NDArray[np.int64] = np.clip(found, first, end) - first
        return cut


def _counts_of(runs: Runs, start: "NDArray[Any]") -> "NDArray[np.int64]":
    """Return how many records of runs each dataset has; start : first of each, and the end."""
    starts, stops = runs
    before = np.concatenate([[0], np.cumsum(stops - starts)])
    run = np.searchsorted(starts, start, side="right")
    inside = np.zeros(len(start), "i8")
    reached = run > 0
    # Of the last run that begins before a bound, what lies beyond the bound.
    inside[reached] = np.maximum(0, stops[run[reached] - 1] - start[reached])
    counts: NDArray[np.int64] = np.diff(before[run] - inside)
    return counts


def select(
    table: Table,
    predicate: Predicate,
    allowed: "NDArray[np.bool_] | None" = None,
    pool: Executor | None = None,
) -> Hits:
    """Return the records of a table that match, looking at no block that cannot hold one.

    allowed : (dataset) which may be looked at, all if not given; pool : who looks at the blocks.
    """
    number = block_count(len(table))
    may, must = predicate.judge(number)
    seen = np.ones(len(table.pids), bool) if allowed is None else allowed
    if not seen.all():
        visible = _blocks_of(table, seen, number)
        may, must = may & visible, must & visible
        number = int(np.count_nonzero(visible))
    sure, doubtful = np.flatnonzero(must), np.flatnonzero(may & ~must)
    columns = {schema.name: column for schema, column in table.columns.items()}
    batches = [doubtful[i : i + _AT_ONCE] for i in range(0, len(doubtful), _AT_ONCE)]
    look = _Look(table, columns, predicate)
    found = pool.map(look, batches) if pool else map(look, batches)
    looked = tuple(each for each in found if each is not None)
    return Hits(table, seen, number, len(doubtful), looked, _whole(sure, len(table)))


@dataclass(frozen=True)
class _Look:
    """Looks at the values of some blocks; None where no record matches."""

    table: Table
    columns: Mapping[str, Column]
    predicate: Predicate

    def __call__(self, blocks: "NDArray[np.int64]") -> "_Looked | None":
        rows = _rows(blocks)
        read: dict[str, NDArray[Any]] = {}

        def values(name: str) -> "NDArray[Any]":
            if name not in read:
                read[name] = self.columns[name].blocks[rows]
            return read[name]

        mask = self.predicate.mask(values, (len(blocks), BLOCK)).reshape(-1)
        beyond = (int(blocks[-1]) + 1) * BLOCK - len(self.table)
        if beyond > 0:
            mask[-beyond:] = False
        if not mask.any():
            return None
        first, counts = self._counted(blocks, mask)
        return _Looked(blocks, np.packbits(mask), first, counts)

    def _counted(
        self, blocks: "NDArray[np.int64]", mask: "NDArray[np.bool_]"
    ) -> "tuple[int, NDArray[np.int64]]":
        """Return the first dataset in some blocks, and how many records match of it and on."""
        start = self.table.start
        first = int(np.searchsorted(start, blocks[0] * BLOCK, side="right")) - 1
        end = int(np.searchsorted(start[:-1], (blocks[-1] + 1) * BLOCK, side="left"))
        inner = start[first + 1 : end]
        row = np.searchsorted(blocks, inner // BLOCK)
        here = blocks[row] == inner // BLOCK
        bounds = np.concatenate([[0], row * BLOCK + np.where(here, inner % BLOCK, 0)])
        # `reduceat` would give a dataset without records here the first one of the next.
        held = np.flatnonzero(np.diff(bounds, append=mask.size) > 0)
        counts = np.zeros(len(bounds), "i8")
        counts[held] = np.add.reduceat(mask.view("i1"), bounds[held], dtype="i4")
        return first, counts


class _Looked(NamedTuple):
    """Which records of some blocks match: a bit each, and the counts of datasets from one on."""

    blocks: "NDArray[np.int64]"
    bits: "NDArray[np.uint8]"
    first_dataset: int
    counts: "NDArray[np.int64]"

    def runs(self) -> Runs:
        """Return them as runs."""
        mask = np.unpackbits(self.bits, count=len(self.blocks) * BLOCK).view(bool)
        if isinstance(_rows(self.blocks), slice):
            edges = _edges(mask)
            edges += int(self.blocks[0]) * BLOCK
        else:
            # A false column behind every block, so that no run goes on in another block.
            padded = np.zeros((len(self.blocks), BLOCK + 1), bool)
            padded[:, :BLOCK] = mask.reshape(-1, BLOCK)
            row, offset = np.divmod(_edges(padded.reshape(-1)), BLOCK + 1)
            edges = self.blocks[row] * BLOCK + offset
        return edges[0::2], edges[1::2]


def _rows(blocks: "NDArray[np.int64]") -> Any:
    """Return blocks as a slice, where they are neighbours."""
    together = int(blocks[-1]) - int(blocks[0]) + 1 == len(blocks)
    return slice(int(blocks[0]), int(blocks[-1]) + 1) if together else blocks


def _edges(mask: "NDArray[np.bool_]") -> "NDArray[Any]":
    """Return where a mask turns true and false, in turn."""
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    head = [0] if mask[0] else []
    tail = [mask.size] if mask[-1] else []
    return np.concatenate([head, edges, tail]).astype("i8") if head or tail else edges


def _whole(blocks: "NDArray[Any]", length: int) -> Runs:
    """Return whole blocks as runs, none beyond the last record."""
    if not len(blocks):
        return np.empty(0, "i8"), np.empty(0, "i8")
    breaks = np.flatnonzero(np.diff(blocks) != 1)
    first = blocks[np.concatenate([[0], breaks + 1])]
    last = blocks[np.concatenate([breaks, [len(blocks) - 1]])]
    return first * BLOCK, np.minimum((last + 1) * BLOCK, length)


def _joined(runs: Sequence[Runs]) -> Runs:
    """Return runs in rising order, those that touch as one."""
    starts, stops = (np.concatenate([each[side] for each in runs]) for side in (0, 1))
    if len(runs) > 1 and len(runs[-1][0]):
        order = np.argsort(starts, kind="stable")
        starts, stops = starts[order], stops[order]
    apart = starts[1:] != stops[:-1]
    if not apart.all():
        starts = starts[np.concatenate([[True], apart])]
        stops = stops[np.concatenate([apart, [True]])]
    return starts, stops


def _blocks_of(table: Table, seen: "NDArray[np.bool_]", number: int) -> "NDArray[np.bool_]":
    """Tell which blocks hold a record of a dataset that may be looked at."""
    wanted = np.flatnonzero(seen & (table.lengths > 0))
    change = np.zeros(number + 1, "i4")
    np.add.at(change, table.start[wanted] // BLOCK, 1)
    np.add.at(change, (table.start[wanted + 1] - 1) // BLOCK + 1, -1)
    visible: NDArray[np.bool_] = np.cumsum(change)[:number] > 0
    return visible
