"""States: named arrays a fold or an iteration carries from one round to the next."""

import dataclasses

from typing_extensions import dataclass_transform

__all__ = ["State", "register_states"]


@dataclass_transform(frozen_default=True, eq_default=False)
class State:
    """Named arrays, or named tuples of arrays, that JAX can carry through a loop.

    >>> class Mean(State):
    ...     total: float
    ...     count: float
    >>> Mean(3.0, 2.0).count
    2.0
    """

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, eq=False)(cls)
        _unknown_to_jax.append(cls)


# JAX is imported only when a state is used.
_unknown_to_jax: list[type[State]] = []


def register_states() -> None:
    """Tell JAX about every state defined since the last call."""
    import jax

    while _unknown_to_jax:
        jax.tree_util.register_dataclass(_unknown_to_jax.pop())
