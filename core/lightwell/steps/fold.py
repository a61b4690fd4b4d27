"""Fold steps: one value or product from all tiles, taken in their order."""

import dataclasses
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin

from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.steps.base import Step, check_axes, check_over
from lightwell.steps.stages import Estimate, Stage, Tap

__all__ = ["Fold", "FoldStep", "fold_step"]

A = TypeVar("A", bound=Product)
B = TypeVar("B")
A_contra = TypeVar("A_contra", bound=Product, contravariant=True)
B_co = TypeVar("B_co", covariant=True)
State_ = TypeVar("State_")
P = ParamSpec("P")


@dataclasses.dataclass(frozen=True)
class Fold(Generic[State_, A, B]):
    """The three functions of a fold: a fresh state, one more tile, the result."""

    init: Callable[[], State_]
    update: Callable[[State_, A], State_]
    finish: Callable[[State_], B]


class FoldStep(Step, Stage[A_contra, B_co], Generic[A_contra, B_co, P]):
    """A fold step: callable in a notebook, a stage (or a tap) in a recipe."""

    kind = "fold"

    def __init__(self, function: Callable[..., Any], over: AbstractSet[str]) -> None:
        super().__init__(function)
        self.over = check_over(self.name, over)
        self.takes = self.signature.products[0]
        self.gives = closure_result(self.name, self.signature.result, Fold)
        check_axes(self.name, "over", self.over, self.takes)

    @property
    def label(self) -> str:
        return self.name

    def __call__(self, product: A_contra, /, *args: P.args, **values: P.kwargs) -> B_co:
        """Fold one product as a single tile."""
        from lightwell.steps.calls import call_fold

        return call_fold(self, product, self.complete(values))  # type: ignore[no-any-return]

    def into(self: "FoldStep[A, Estimate[Any], P]", parameter: str) -> Tap[A]:
        """Give the tap that hands the folded value to a later step's parameter."""
        gives: Any = self.gives
        if get_origin(gives) is not Estimate and gives is not Estimate:
            raise LightwellError(
                f"{self.name} gives {getattr(gives, '__name__', gives)}, no Estimate",
                remedy="only an Estimate can go into a parameter; a product goes on with |",
            )
        return Tap(self, parameter)


def closure_result(name: str, annotation: Any, wrapper: type) -> Any:
    """The product in the last place of ``Fold[S, In, Out]`` or ``Iteration[S, In, Out]``."""
    if get_origin(annotation) is not wrapper:
        raise LightwellError(f"{name}: the return annotation has to be {wrapper.__name__}[…]")
    return get_args(annotation)[-1]


def fold_step(
    *, over: AbstractSet[str]
) -> Callable[[Callable[Concatenate[A, P], Fold[Any, A, B]]], FoldStep[A, B, P]]:
    """Make a function that returns a `Fold` a step over all tiles along `over`.

    The function's product gives shapes only; its parameters hold for all three closures.
    """

    def decorate(function: Callable[Concatenate[A, P], Fold[Any, A, B]]) -> FoldStep[A, B, P]:
        return FoldStep(function, over)

    return decorate
