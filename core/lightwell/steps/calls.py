"""Calling steps: one compiled program per step, tile shape and static parameters.

Floats are traced, so a new value costs no compilation; everything else (int, bool, text) is
static. The plan is an argument, never a constant. Nothing is fused across steps: an operation
fused with its neighbour may round differently, and results must not depend on who asked.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.steps.fold import FoldStep
from lightwell.steps.iterate import IterateStep
from lightwell.steps.states import register_states

__all__ = [
    "call_fold",
    "call_iterate",
    "call_map",
    "compiled_map",
    "jitted_iteration",
    "jitted_update",
    "map_arguments",
    "strong_types",
]

Values = Mapping[str, Any]


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
    iteration = step.function(product, **values)
    update = jitted_iteration(iteration.update, step.takes)
    arrays = tuple(jnp.asarray(a) for a in product.arrays().values())
    state = strong_types(iteration.init(step.takes(*arrays)))
    for i in range(values["iterations"]):
        state, _ = update(state, arrays, i)
    return iteration.finish(state)
