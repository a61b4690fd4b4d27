"""Estimate steps: a value, its sigma and a verdict from a sample of the product."""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin

from lightwell.errors import LightwellError
from lightwell.products import Product
from lightwell.steps.base import Step, check_axes
from lightwell.steps.stages import Estimate, Tap

__all__ = ["EstimateStep", "estimate_step"]

A = TypeVar("A", bound=Product)
V = TypeVar("V")
P = ParamSpec("P")


class EstimateStep(Step, Generic[A, V, P]):
    """An estimate step: host code on a sample, run before the slabs; becomes a tap by `into`."""

    kind = "estimate"

    def __init__(self, function: Callable[..., Any], sample: Mapping[str, int]) -> None:
        super().__init__(function)
        if len(sample) != 1:
            raise LightwellError(
                f"{self.name}: sample={dict(sample)!r} has to name one axis",
                remedy='write sample={"row": 5}',
            )
        [(self.sample_axis, self.sample_count)] = sample.items()
        if self.sample_count < 1:
            raise LightwellError(f"{self.name}: sample={dict(sample)!r} has to ask for a point")
        self.takes = self.signature.products[0]
        if get_origin(self.signature.result) is not Estimate:
            raise LightwellError(f"{self.name}: the return annotation has to be Estimate[…]")
        self.value_type: Any = get_args(self.signature.result)[0]
        check_axes(self.name, "sample", frozenset(sample), self.takes)

    def __call__(self, product: A, /, *args: P.args, **values: P.kwargs) -> Estimate[V]:
        """Estimate from one product, all of it."""
        return self.function(product, **self.complete(values))  # type: ignore[no-any-return]

    def into(self, parameter: str) -> Tap[A]:
        """Give the tap that hands the estimated value to a later step's parameter."""
        return Tap(self, parameter)


def estimate_step(
    *, sample: Mapping[str, int]
) -> Callable[[Callable[Concatenate[A, P], Estimate[V]]], EstimateStep[A, V, P]]:
    """Make a host function that returns an `Estimate` a step on a few points along one axis.

    sample : the axis and the number of points along it the estimate is made from, for example
    ``{"row": 5}``; the engine reads no more than the tiles that hold them.
    """

    def decorate(function: Callable[Concatenate[A, P], Estimate[V]]) -> EstimateStep[A, V, P]:
        return EstimateStep(function, sample)

    return decorate
