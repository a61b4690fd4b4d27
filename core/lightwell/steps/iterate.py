"""Iterate steps: the whole data set at once, one iteration at a time, with checkpoints."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.steps.base import Step
from lightwell.steps.fold import closure_result
from lightwell.steps.stages import Stage

__all__ = ["IterateStep", "Iteration", "iterate_step"]

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
    """

    init: Callable[[A], State_]
    update: Callable[[State_, A, Any], tuple[State_, Mapping[str, Any]]]
    finish: Callable[[State_], B]


class IterateStep(Step, Stage[A_contra, B_co], Generic[A_contra, B_co, P]):
    """An iterate step: callable in a notebook, a stage in a recipe."""

    kind = "iterate"

    def __init__(self, function: Callable[..., Any], checkpoint: int) -> None:
        super().__init__(function)
        if checkpoint < 1:
            raise LightwellError(f"{self.name}: checkpoint={checkpoint} has to be 1 or more")
        self.checkpoint = checkpoint
        self.takes = self.signature.products[0]
        self.gives = closure_result(self.name, self.signature.result, Iteration)
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


def iterate_step(
    *, checkpoint: int = 10
) -> Callable[[Callable[Concatenate[A, P], Iteration[Any, A, B]]], IterateStep[A, B, P]]:
    """Make a function that returns an `Iteration` a step on the whole data set.

    checkpoint : after how many iterations the engine stores the state, to resume from.
    """

    def decorate(
        function: Callable[Concatenate[A, P], Iteration[Any, A, B]],
    ) -> IterateStep[A, B, P]:
        return IterateStep(function, checkpoint)

    return decorate
