"""Iterate steps: one iteration after the other, with checkpoints, on all data or tile by tile."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from lightwell.errors import LightwellError
from lightwell.parameters import Parameter
from lightwell.products import Product
from lightwell.steps.base import Step, check_axes
from lightwell.steps.fold import closure_result
from lightwell.steps.stages import Stage

__all__ = ["IterateStep", "Iteration", "TiledIteration", "iterate_step"]

Metrics = Mapping[str, Sequence[float]]
Stop = Callable[[Metrics], str | None]

A = TypeVar("A", bound=Product)
B = TypeVar("B", bound=Product)
A_contra = TypeVar("A_contra", bound=Product, contravariant=True)
B_co = TypeVar("B_co", bound=Product, covariant=True)
State_ = TypeVar("State_")
P = ParamSpec("P")


@dataclasses.dataclass(frozen=True)
class Iteration(Generic[State_, A, B]):
    """The three functions of an iteration: start, one iteration with its metrics, the result.

    update gets the state, the data and the iteration number (a traced integer) and returns the
    next state and scalar metrics. Random numbers come from (seed, iteration), never from state,
    so that a resumed run ends with the same bits.

    stop : looks at the metrics after every iteration, each a list with one number per iteration,
    and says why that was the last one, or None; it may refuse to go on with an InputError.
    finish : may be called on the way, for pictures, and leaves the state as it is.
    """

    init: Callable[[A], State_]
    update: Callable[[State_, A, Any], tuple[State_, Mapping[str, Any]]]
    finish: Callable[[State_], B]
    stop: Stop | None = None


@dataclasses.dataclass(frozen=True)
class TiledIteration(Generic[State_, A, B]):
    """The functions of an iteration that sees the data tile by tile, and never holds all of it.

    init gets the data unread (shapes, and what of their values it asks for) and gives a state.
    update gets the state, a tile, the iteration number and where along the axis the tile begins
    (traced integers) and gives the next state, which is the next tile's; close ends an iteration
    and gives its metrics. What the start needs to know of the data, survey gathers: it gets
    state, tile and its first point, once for every tile before the first iteration, and start
    makes of that the state iterations begin with. finish and stop are those of `Iteration`.

    start runs on the host; where only the shapes of its state are wanted, it is traced.
    order : of the tiles in an iteration, from their number and that of the iteration (plain
    integers); their own order where there is none.
    """

    init: Callable[[A], State_]
    update: Callable[[State_, A, Any, Any], State_]
    close: Callable[[State_, Any], tuple[State_, Mapping[str, Any]]]
    finish: Callable[[State_], B]
    survey: Callable[[State_, A, Any], State_] | None = None
    start: Callable[[State_], State_] | None = None
    stop: Stop | None = None
    order: Callable[[int, int], Sequence[int]] | None = None


IterationOf = Iteration[Any, A, B] | TiledIteration[Any, A, B]


class IterateStep(Step, Stage[A_contra, B_co], Generic[A_contra, B_co, P]):
    """An iterate step: callable in a notebook, a stage in a recipe."""

    kind = "iterate"

    def __init__(
        self,
        function: Callable[..., Any],
        checkpoint: int,
        over: str | None = None,
        tile: int | str | None = None,
    ) -> None:
        super().__init__(function)
        if checkpoint < 1:
            raise LightwellError(f"{self.name}: checkpoint={checkpoint} has to be 1 or more")
        self.checkpoint = checkpoint
        self.over, self.tile = over, tile
        self.takes = self.signature.products[0]
        wrapper = Iteration if over is None else TiledIteration
        self.gives = closure_result(self.name, self.signature.result, wrapper)
        if over is not None:
            check_axes(self.name, "over", frozenset({over}), self.takes)
        self._check_tile()
        if "iterations" not in self.parameters:
            raise LightwellError(
                f"{self.name} has no parameter 'iterations'",
                remedy="an iterate step says how long it runs: *, iterations: int = 50",
            )

    @property
    def label(self) -> str:
        return self.name

    def __call__(self, product: A_contra, /, *args: P.args, **values: P.kwargs) -> B_co:
        """Iterate on one product, in memory."""
        from lightwell.steps.calls import call_iterate

        return call_iterate(self, product, self.complete(values))  # type: ignore[no-any-return]

    def tile_length(self, values: Mapping[str, Any], length: int) -> int | None:
        """How many points along its axis make a tile; None where the step does not care.

        No tile is larger than the step says; all are of one size, but for the last.
        """
        asked = values[self.tile] if isinstance(self.tile, str) else self.tile
        if asked is None:
            return None
        count = -(-length // max(int(asked), 1))
        return -(-length // max(count, 1))

    def _check_tile(self) -> None:
        if self.tile is None:
            return
        if self.over is None:
            raise LightwellError(f"{self.name}: tile={self.tile!r} without over=…")
        if isinstance(self.tile, str):
            known: Parameter = self.parameter(self.tile)
            if known.default is None:
                raise LightwellError(f"{self.name}: '{self.tile}' has to be a number of points")


def iterate_step(
    *, checkpoint: int = 10, over: str | None = None, tile: int | str | None = None
) -> Callable[[Callable[Concatenate[A, P], IterationOf[A, B]]], IterateStep[A, B, P]]:
    """Make a function that returns an `Iteration` a step on the whole data set.

    checkpoint : after how many iterations the engine stores the state, to resume from;
    over : an axis along which the step takes the data tile by tile: the function returns a
    `TiledIteration`, and data of any size pass through; tile : how many points along that axis
    a tile has at most, or the name of the parameter that says it. The result depends on it, and on
    nothing else of how the data are read.
    """

    def decorate(
        function: Callable[Concatenate[A, P], IterationOf[A, B]],
    ) -> IterateStep[A, B, P]:
        return IterateStep(function, checkpoint, over, tile)

    return decorate
