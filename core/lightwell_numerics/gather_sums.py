"""Sums over lists of unequal length, written as gathers so that no compiler needs a scatter.

Every target owns a list of terms. Lists are cut into pieces of a few fixed lengths; each length is
one table whose columns are gathered and summed in one fused loop. Pieces of one target are summed
by further, smaller tables. The order of every sum is fixed by the tables, so results repeat.
"""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PieceLayout",
    "gather_plain",
    "gather_weighted",
    "join_tables",
    "piece_layout",
    "split_tables",
]


Scalar = TypeVar("Scalar", bound=np.generic)


class PieceLayout(NamedTuple):
    """Where the terms of each target go in the flat storage of all tables.

    lengths     : columns of each table
    rows        : rows of each table
    full_start  : (target,) int64, flat slot of the first term of the longest pieces
    full_terms  : (target,) int64, number of terms in those
    rest_start  : (target,) int64, flat slot of the first remaining term
    first_piece : (target,) int64, row of the first longest piece, counted over all tables
    rest_piece  : (target,) int64, row of the remainder, -1 without one
    """

    lengths: tuple[int, ...]
    rows: tuple[int, ...]
    full_start: NDArray[np.int64]
    full_terms: NDArray[np.int64]
    rest_start: NDArray[np.int64]
    first_piece: NDArray[np.int64]
    rest_piece: NDArray[np.int64]

    def slot(self, target: NDArray[np.int64], term: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat slot of the `term`-th term of `target`."""
        full = self.full_terms[target]
        beyond = self.rest_start[target] + term - full
        return np.where(term < full, self.full_start[target] + term, beyond)


def piece_layout(
    terms: NDArray[np.int64], lengths: tuple[int, ...], order: NDArray[np.int64]
) -> PieceLayout:
    """Cut lists of `terms` entries into pieces of the given ascending `lengths`.

    terms : (target,) int64
    order : (target,) int64, the order in which targets are laid out (for locality in memory)
    """
    longest = lengths[-1]
    full, rest = terms // longest, terms % longest
    table = np.where(rest > 0, np.searchsorted(lengths, rest), len(lengths))
    row = np.zeros(terms.size, np.int64)
    rows = [int(np.count_nonzero(table == k)) for k in range(len(lengths))]
    for k in range(len(lengths)):
        row[order[table[order] == k]] = np.arange(rows[k])
    full_row = np.zeros(terms.size, np.int64)
    full_row[order] = rows[-1] + np.cumsum(full[order]) - full[order]
    rows[-1] += int(full.sum())
    slot_base = np.cumsum([0, *(n * k for n, k in zip(rows, lengths, strict=True))])
    row_base = np.cumsum([0, *rows])
    width = np.asarray([*lengths, 0])[table]
    return PieceLayout(
        lengths=lengths,
        rows=tuple(rows),
        full_start=slot_base[-2] + full_row * longest,
        full_terms=full * longest,
        rest_start=slot_base[table] + row * width,
        first_piece=row_base[-2] + full_row,
        rest_piece=np.where(rest > 0, row_base[table] + row, -1),
    )


def split_tables(flat: NDArray[Scalar], layout: PieceLayout) -> tuple[NDArray[Scalar], ...]:
    """Cut flat storage into the tables (piece, column) of a layout, without copying."""
    tables, start = [], 0
    for rows, length in zip(layout.rows, layout.lengths, strict=True):
        tables.append(flat[start : start + rows * length].reshape(rows, length))
        start += rows * length
    return tuple(tables)


def join_tables(
    layout: PieceLayout, lengths: tuple[int, ...], order: NDArray[np.int64]
) -> tuple[tuple[tuple[NDArray[np.int32], ...], ...], NDArray[np.int32]]:
    """Tables that sum the pieces of each target, level by level, and where each sum ends up.

    Returns the tables of every level (each gathers from the level below it) and (target,) int32,
    the row of each target's sum in all levels laid end to end; row 0 is zero, for empty targets.
    """
    result = np.zeros(order.size, np.int64)
    levels: list[tuple[NDArray[np.int32], ...]] = []
    below = 0
    while True:
        full = layout.full_terms // layout.lengths[-1]
        pieces = full + (layout.rest_piece >= 0)
        only = np.where(full > 0, layout.first_piece, layout.rest_piece)
        # Each level starts with a zero row: the target of padding, and of targets without terms.
        result = np.where(pieces == 1, below + 1 + only, result)
        several = np.where(pieces > 1, pieces, 0)
        if not several.any():
            return tuple(levels), result.astype(np.int32)
        below += 1 + sum(layout.rows)
        upper = piece_layout(several, lengths, order)
        levels.append(_piece_table(layout, upper, several))
        layout = upper


def _piece_table(
    lower: PieceLayout, upper: PieceLayout, several: NDArray[np.int64]
) -> tuple[NDArray[np.int32], ...]:
    target = np.repeat(np.arange(several.size), several)
    term = np.arange(target.size) - np.repeat(np.cumsum(several) - several, several)
    in_full = term < (lower.full_terms // lower.lengths[-1])[target]
    piece = np.where(in_full, lower.first_piece[target] + term, lower.rest_piece[target])
    size = sum(n * k for n, k in zip(upper.rows, upper.lengths, strict=True))
    flat = np.zeros(size, np.int32)
    flat[upper.slot(target, term)] = 1 + piece
    return split_tables(flat, upper)


def gather_weighted(
    source: jax.Array,
    indices: tuple[jax.typing.ArrayLike, ...],
    weights: tuple[jax.typing.ArrayLike, ...],
) -> jax.Array:
    """Weighted sums of rows of `source`, one per table row, below one zero row.

    source  : (row, lane) float32
    indices : per table (piece, column) int32
    weights : per table (piece, column) float32
    """
    parts = [jnp.zeros((1, source.shape[1]), source.dtype)]
    for index, weight in zip(indices, weights, strict=True):
        rows, factors = jnp.asarray(index), jnp.asarray(weight)
        total = _rows(source, rows[:, 0]) * factors[:, 0, None]
        for column in range(1, rows.shape[1]):
            total += _rows(source, rows[:, column]) * factors[:, column, None]
        parts.append(total)
    return jnp.concatenate(parts)


def gather_plain(source: jax.Array, indices: tuple[jax.typing.ArrayLike, ...]) -> jax.Array:
    """Sums of rows of `source`, one per table row, below one zero row.

    source  : (row, lane) float32
    indices : per table (piece, column) int32
    """
    parts = [jnp.zeros((1, source.shape[1]), source.dtype)]
    for index in indices:
        rows = jnp.asarray(index)
        total = _rows(source, rows[:, 0])
        for column in range(1, rows.shape[1]):
            total += _rows(source, rows[:, column])
        parts.append(total)
    return jnp.concatenate(parts)


def _rows(source: jax.Array, index: jax.Array) -> jax.Array:
    # The tables are built in bounds; clamping or filling would cost a select for every element.
    return source.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
