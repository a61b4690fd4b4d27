"""Stages and chains: what may stand between two `|`, and what a chain remembers."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from lightwell.errors import JunctionError
from lightwell.products import Product

if TYPE_CHECKING:
    from lightwell.recipes import Recipe

__all__ = ["Chain", "Estimate", "Input", "Stage", "Tap", "check_junction"]

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
Next = TypeVar("Next")
P = TypeVar("P", bound=Product)
V_co = TypeVar("V_co", covariant=True)


@dataclasses.dataclass(frozen=True)
class Estimate(Generic[V_co]):
    """A value found in the data, with its uncertainty and a verdict a scientist can act on.

    value : the estimate; sigma : one standard deviation, or None where it is exact;
    verdict : "good", "doubtful" or "failed"; reason : why, in words.
    """

    value: V_co
    sigma: float | None = None
    verdict: str = "good"
    reason: str = ""


class Stage(Generic[In_contra, Out_co]):
    """Anything that takes one product and gives one: a step, an input, a tap or a chain."""

    takes: type[Product]
    gives: type[Product]

    @property
    def label(self) -> str:
        """How the stage is called in messages."""
        return type(self).__name__

    def nodes(self) -> "tuple[Stage[Any, Any], ...]":
        """The stages of the trunk, flat."""
        return (self,)

    def __or__(self, following: "Stage[Out_co, Next]") -> "Chain[In_contra, Next]":
        if not isinstance(following, Stage):
            from lightwell.steps.map import MapStep2

            if isinstance(following, MapStep2):
                raise JunctionError(
                    f"{following.name} still needs '{following.side_name}'",
                    remedy=f"write {following.name}.using(…)",
                )
            return NotImplemented
        check_junction(self, following)
        return Chain((*self.nodes(), *following.nodes()))


def check_junction(upstream: Stage[Any, Any], following: Stage[Any, Any]) -> None:
    """Refuse two stages whose products do not fit.

    Errors: JunctionError naming both stages and both products.
    """
    if not (isinstance(upstream.gives, type) and issubclass(upstream.gives, following.takes)):
        given = getattr(upstream.gives, "__name__", str(upstream.gives))
        # Of two chains, the stages that meet.
        first, last = following.nodes()[0], upstream.nodes()[-1]
        raise JunctionError(
            f"{first.label} takes {following.takes.__name__}, but {last.label} gives {given}"
        )


class Chain(Stage[In_contra, Out_co]):
    """Stages in a row whose junctions fit."""

    def __init__(self, stages: tuple[Stage[Any, Any], ...]) -> None:
        self._stages = stages
        self.takes = stages[0].takes
        self.gives = stages[-1].gives

    @property
    def label(self) -> str:
        return " | ".join(stage.label for stage in self._stages)

    def nodes(self) -> tuple[Stage[Any, Any], ...]:
        return self._stages

    def __iter__(self) -> Iterator[Stage[Any, Any]]:
        return iter(self._stages)

    def named(self, name: str) -> "Recipe[In_contra, Out_co]":
        """Make the chain a recipe people can run by name."""
        from lightwell.recipes import Recipe

        return Recipe(name, self)

    def __repr__(self) -> str:
        return self.label


class Input(Stage[P, P]):
    """The place where a dataset enters a recipe, under the name of its role."""

    def __init__(self, role: str, product: type[P]) -> None:
        self.role = role
        self.takes = self.gives = product

    @property
    def label(self) -> str:
        return f"input '{self.role}'"

    def __reduce__(self) -> tuple[Any, ...]:
        return Input, (self.role, self.takes)


class Tap(Stage[P, P]):
    """A side branch that ends in a value: the product passes, later steps get the value."""

    def __init__(self, step: Any, parameter: str) -> None:
        self.step = step
        self.parameter = parameter
        self.takes = self.gives = cast(type[P], step.takes)

    @property
    def label(self) -> str:
        return f"{self.step.name}.into('{self.parameter}')"
