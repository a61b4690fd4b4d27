"""Glimpses of an iteration under way: what it would give if it ended now, for pictures.

Only the last step of a recipe's trunk is looked at: what it gives is the result, and pictures of
anything else would be of something that is not kept.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightwell.engines.blame import blaming, said
from lightwell.errors import LightwellError
from lightwell.products import Product

__all__ = ["EVERY_S", "GLIMPSE", "REST", "Glimpsing", "Looks"]

GLIMPSE = "glimpse"
"""The event that carries products, or why there will be none; nobody outside the engine sees it."""

EVERY_S = 10.0
"""A person who watches is told something new about as often as this."""

REST = 49.0
"""So many times what a look took goes by before the next: looking takes a fiftieth of the time."""


@dataclass(frozen=True)
class Looks:
    """Where, and how often, an iteration is looked at.

    points : axis -> the point along it that is shown; every : seconds before the first look, and
    between two; rest : how many times as long as the last look took it goes on without one.
    """

    points: Mapping[str, int]
    every: float
    rest: float


class Glimpsing:
    """Looks at an iteration between its steps, in the worker; without `looks` it never does.

    finish : of the iteration; it leaves the state as it is. say : told of a glimpse, with its
    products by (product, axis), or with the fault that makes it the last.
    """

    def __init__(
        self,
        step: str,
        finish: Callable[[Any], Product],
        looks: Looks | None,
        say: Callable[..., None],
    ) -> None:
        self._step, self._finish, self._looks, self._say = step, finish, looks, say
        self._due = time.monotonic() + looks.every if looks else math.inf

    def look(self, state: Any, iteration: int) -> None:
        """Tell what the state would give, if it is time for that.

        What goes out are copies: the state is the next iteration's, its memory too. A fault costs
        all further glimpses, never the iteration.
        """
        began = time.monotonic()
        looks = self._looks
        if looks is None or began < self._due:
            return
        try:
            with blaming(f"{self._step}, looked at while it runs,"):
                product = self._finish(state)
                kind = type(product)
                found = {(kind, a): _copied(product, a, p) for a, p in looks.points.items()}
        except LightwellError as error:
            self._due = math.inf
            self._say(
                GLIMPSE, iteration=iteration, fault=f"{said(error)}; pictures come at its end"
            )
            return
        self._say(GLIMPSE, iteration=iteration, products=found)
        now = time.monotonic()
        self._due = now + max(looks.every, looks.rest * (now - began))


def _copied(product: Product, axis: str, point: int) -> Product:
    """A product at one point along an axis, on the host, in memory of its own."""
    import numpy as np

    found = {}
    for name, dims in product.dims().items():
        where = tuple(slice(point, point + 1) if n == axis else slice(None) for n in dims.names)
        # Copied where it is: a view would hold on to memory that the next iteration is given.
        found[name] = np.asarray(getattr(product, name)[where].copy())
    return type(product)(**found)
