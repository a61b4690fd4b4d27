"""Sums over ragged lists by gathers, against a plain loop."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwell_numerics.gather_sums import (
    gather_plain,
    gather_weighted,
    join_tables,
    piece_layout,
    split_tables,
)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 70), min_size=1, max_size=12), st.integers(0, 2**31))
def test_every_target_gets_the_sum_of_its_terms(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    terms = np.asarray(counts, np.int64)
    order = random.permutation(terms.size)
    source = random.normal(size=(40, 3)).astype(np.float32)
    layout = piece_layout(terms, (2, 5), order)
    size = sum(n * k for n, k in zip(layout.rows, layout.lengths, strict=True))
    index, weight = np.zeros(size, np.int32), np.zeros(size, np.float32)
    expected = np.zeros((terms.size, 3))
    for target, count in enumerate(counts):
        rows, factors = random.integers(0, 40, count), random.normal(size=count)
        slots = layout.slot(np.full(count, target), np.arange(count))
        assert not weight[slots].any()
        index[slots], weight[slots] = rows, factors
        expected[target] = factors @ source[rows]
    joins, result = join_tables(layout, (2, 3), order)
    level = gather_weighted(
        jnp.asarray(source), split_tables(index, layout), split_tables(weight, layout)
    )
    levels = [level]
    for tables in joins:
        level = gather_plain(level, tables)
        levels.append(level)
    np.testing.assert_allclose(jnp.concatenate(levels)[result], expected, atol=2e-4)
