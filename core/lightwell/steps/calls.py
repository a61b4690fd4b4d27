"""Calling steps: one compiled program per step, tile shape and static parameters.

Floats are traced, so a new value costs no compilation; everything else (int, bool, text) is
static. The plan is an argument, never a constant. Nothing is fused across steps: an operation
fused with its neighbour may round differently, and results must not depend on who asked.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.steps.fold import FoldStep
from lightwell.steps.iterate import IterateStep, TiledIteration
from lightwell.steps.states import register_states

__all__ = [
    "call_fold",
    "call_iterate",
    "call_map",
    "compiled_map",
    "is_last",
    "jitted_close",
    "jitted_iteration",
    "jitted_survey",
    "jitted_tile",
    "jitted_update",
    "map_arguments",
    "strong_types",
]

Values = Mapping[str, Any]

# Read by JAX when its first array is made: memory of a device is asked for as it is needed, and
# not most of it grabbed at once. Whoever set it otherwise is heard.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def call_map(step: Any, product: Product, side: Product | None, plan: Any, values: Values) -> Any:
    """Run a map step on one tile, or on the whole."""
    if step.host:
        return _call_on_host(step, product, side, plan, values)
    function, arguments = compiled_map(step, product, side, plan, values)
    return step.gives(*function(*arguments))


def _call_on_host(
    step: Any, product: Product, side: Product | None, plan: Any, values: Values
) -> Any:
    import numpy as np

    products: list[Any] = [
        type(p)(**{name: np.asarray(array) for name, array in p.arrays().items()})
        for p in (product, side)
        if p is not None
    ]
    if step.plan is not None:
        products.append(plan)
    return _declared(step, step.function(*products, **values))


def _declared(step: Any, result: Any) -> Any:
    if not isinstance(result, step.gives):
        raise LightwellError(
            f"{step.name} returned {type(result).__name__}, declared is {step.gives.__name__}"
        )
    return result


def compiled_map(
    step: Any, product: Product, side: Product | None, plan: Any, values: Values
) -> tuple[Any, tuple[Any, ...]]:
    """The jitted function of a map step and its arguments, for a call or for lowering."""
    import jax

    leaves, tree = jax.tree_util.tree_flatten(plan)
    tables = tuple(leaf for leaf in leaves if hasattr(leaf, "shape"))
    constants = tuple(None if hasattr(leaf, "shape") else leaf for leaf in leaves)
    traced, static = _split(values)
    # repr, since 1, 1.0 and True are equal as keys and different as constants of a program.
    exact = repr((constants, static))
    function = _jitted_map(step.reference, _Same(step), tree, constants, static, exact)
    return function, map_arguments(product, side, tables, traced)


def map_arguments(
    product: Product, side: Product | None, tables: tuple[Any, ...], traced: Values
) -> tuple[Any, ...]:
    """The arguments every jitted map step takes: arrays, side arrays, tables, floats."""
    sides = tuple(side.arrays().values()) if side is not None else ()
    return tuple(product.arrays().values()), sides, tables, dict(traced)


class _Same:
    """A step as part of a cache key that is its reference alone."""

    def __init__(self, step: Any) -> None:
        self.step = step

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.step.function is other.step.function

    def __hash__(self) -> int:
        return hash(self.step.function)


@cache
def _jitted_map(
    name: str,
    same: _Same,
    tree: Any,
    constants: tuple[Any, ...],
    static: tuple[Any, ...],
    exact: str,
) -> Any:
    import jax

    step = same.step

    def run(arrays: Any, sides: Any, tables: Any, traced: Values) -> tuple[Any, ...]:
        supply = iter(tables)
        leaves = [next(supply) if c is None else c for c in constants]
        products = [step.takes(*arrays)]
        if sides:
            products.append(step.signature.products[1](*sides))
        if step.plan is not None:
            products.append(jax.tree_util.tree_unflatten(tree, leaves))
        result = _declared(step, step.function(*products, **dict(static), **traced))
        return tuple(getattr(result, array) for array in step.gives.dims())

    run.__name__ = name.rpartition(":")[2].replace(".", "_")
    return jax.jit(run)


def _split(values: Values) -> tuple[dict[str, float], tuple[tuple[str, Any], ...]]:
    traced = {n: v for n, v in values.items() if isinstance(v, float)}
    others = {n: v for n, v in values.items() if not isinstance(v, float)}
    for name, value in others.items():
        try:
            hash(value)
        except TypeError:
            raise LightwellError(
                f"parameter '{name}' is a {type(value).__name__}, which cannot be compiled in",
                remedy="annotate it as a tuple, for example tuple[float, ...]",
            ) from None
    return traced, tuple(sorted(others.items()))


def call_fold(step: FoldStep[Any, Any, Any], product: Product, values: Values) -> Any:
    """Fold one product as a single tile."""
    fold = step.function(product, **values)
    update = jitted_update(fold.update, step.takes)
    return fold.finish(update(fold.init(), tuple(product.arrays().values())))


def jitted_update(update: Callable[..., Any], takes: type[Product]) -> Any:
    """A jitted ``update(state, arrays)`` of a fold."""
    import jax

    register_states()
    return jax.jit(lambda state, arrays: update(state, takes(*arrays)))


def jitted_iteration(update: Callable[..., Any], takes: type[Product]) -> Any:
    """A jitted ``update(state, arrays, i)`` of an iteration."""
    import jax

    register_states()

    def run(state: Any, arrays: Any, i: Any) -> Any:
        following, metrics = update(state, takes(*arrays), i)
        return strong_types(following), metrics

    return jax.jit(run)


def jitted_tile(update: Callable[..., Any], takes: type[Product]) -> Any:
    """A jitted ``update(state, arrays, i, first)`` of a tiled iteration; the state is given away.

    The memory of the old state is the new one's.
    """
    import jax

    register_states()

    def run(state: Any, arrays: Any, i: Any, first: Any) -> Any:
        return strong_types(update(state, takes(*arrays), i, first))

    return jax.jit(run, donate_argnums=0)


def jitted_survey(survey: Callable[..., Any], takes: type[Product]) -> Any:
    """A jitted ``survey(state, arrays, first)`` of a tiled iteration."""
    import jax

    register_states()
    return jax.jit(lambda state, arrays, first: survey(state, takes(*arrays), first))


def jitted_close(close: Callable[..., Any]) -> Any:
    """A jitted ``close(state, i)`` of a tiled iteration."""
    import jax

    def run(state: Any, i: Any) -> Any:
        following, metrics = close(state, i)
        return strong_types(following), metrics

    return jax.jit(run)


def strong_types(state: Any) -> Any:
    """The state with the types its arrays have once they were stored and read again.

    A Python number in a state is weakly typed: it gives way to what it meets, a stored one does
    not. A resumed run would end with other bits.
    """
    import jax
    import jax.numpy as jnp

    return jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), state)


def call_iterate(step: IterateStep[Any, Any, Any], product: Product, values: Values) -> Any:
    """Iterate on one product, in memory, without checkpoints."""
    import jax.numpy as jnp

    register_states()
    arrays = {name: jnp.asarray(array) for name, array in product.arrays().items()}
    iteration = step.function(product, **values)
    if isinstance(iteration, TiledIteration):
        return _iterate_on_tiles(step, iteration, arrays, values)
    update = jitted_iteration(iteration.update, step.takes)
    state = strong_types(iteration.init(step.takes(**arrays)))
    metrics: dict[str, list[float]] = {}
    for i in range(values["iterations"]):
        state, found = update(state, tuple(arrays.values()), i)
        if is_last(iteration.stop, metrics, found):
            break
    return iteration.finish(state)


def is_last(stop: Any, metrics: dict[str, list[float]], found: Mapping[str, Any]) -> str | None:
    """Add the metrics of an iteration; why it was the last one, or None."""
    for name, value in found.items():
        metrics.setdefault(name, []).append(float(value))
    said: str | None = stop(metrics) if stop is not None else None
    return said


def _iterate_on_tiles(
    step: IterateStep[Any, Any, Any],
    iteration: TiledIteration[Any, Any, Any],
    arrays: Mapping[str, Any],
    values: Values,
) -> Any:
    import jax

    dims, axis = step.takes.dims(), step.over
    places = {n: d.names.index(axis) for n, d in dims.items() if axis in d.names}
    length = next(arrays[name].shape[place] for name, place in places.items())
    tile = step.tile_length(values, length) or length

    def cut(first: int) -> tuple[Any, ...]:
        return tuple(
            jax.lax.slice_in_dim(array, first, min(first + tile, length), axis=places[name])
            if name in places
            else array
            for name, array in arrays.items()
        )

    firsts = range(0, length, tile)
    state = strong_types(iteration.init(step.takes(**arrays)))
    if iteration.survey is not None:
        survey = jitted_survey(iteration.survey, step.takes)
        for first in firsts:
            state = survey(state, cut(first), first)
    if iteration.start is not None:
        state = iteration.start(state)
    state = jax.tree_util.tree_map(lambda leaf: leaf.copy(), strong_types(state))
    update, close = jitted_tile(iteration.update, step.takes), jitted_close(iteration.close)
    metrics: dict[str, list[float]] = {}
    for i in range(values["iterations"]):
        for number in iteration.order(len(firsts), i) if iteration.order else range(len(firsts)):
            first = firsts[int(number)]
            state = update(state, cut(first), i, first)
        state, found = close(state, i)
        if is_last(iteration.stop, metrics, found):
            break
    return iteration.finish(state)
