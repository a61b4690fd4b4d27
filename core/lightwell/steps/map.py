"""Map steps: independent along a set of axes, so the engine may cut the work into tiles."""

import inspect
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Concatenate, Generic, Never, ParamSpec, TypeVar, overload

from lightwell.errors import JunctionError, LightwellError
from lightwell.parameters import annotations_of, keyword_names
from lightwell.products import Product
from lightwell.steps.base import Step, check_axes, check_over
from lightwell.steps.stages import Stage

__all__ = ["MapStep", "MapStep2", "SideStage", "map_step"]

A = TypeVar("A", bound=Product)
S = TypeVar("S", bound=Product)
B = TypeVar("B", bound=Product)
A_contra = TypeVar("A_contra", bound=Product, contravariant=True)
S_contra = TypeVar("S_contra", bound=Product, contravariant=True)
B_co = TypeVar("B_co", bound=Product, covariant=True)
Plan = TypeVar("Plan")
P = ParamSpec("P")


class _Mapped(Step):
    kind = "map"

    def __init__(
        self,
        function: Callable[..., Any],
        over: AbstractSet[str],
        halo: Mapping[str, int],
        tile: Mapping[str, int],
        plan: Callable[..., Any] | None,
        host: bool,  # noqa: FBT001  (given by the decorators alone)
        workspace: float,
    ) -> None:
        super().__init__(function, with_plan=plan is not None)
        self.host = host
        self.workspace = workspace
        self.over = check_over(self.name, over)
        self.halo = dict(halo)
        self.tile = dict(tile)
        self.plan = plan
        self.takes = self.signature.products[0]
        self.gives = self.signature.result
        if not (isinstance(self.gives, type) and issubclass(self.gives, Product)):
            raise LightwellError(f"{self.name}: a map step returns a Product, not {self.gives}")
        check_axes(self.name, "over", self.over, self.takes, self.gives)
        self._check_extents("halo", self.halo, least=0)
        self._check_extents("tile", self.tile, least=1)
        if self.plan is not None and (
            unknown := set(keyword_names(self.plan)) - set(self.parameters)
        ):
            raise LightwellError(
                f"{self.name}: its plan has parameters the step has not: {sorted(unknown)}",
                remedy="a plan takes a part of the step's own keyword parameters",
            )

    def _check_extents(self, role: str, extents: Mapping[str, int], least: int) -> None:
        check_axes(self.name, role, frozenset(extents), self.takes)
        if outside := sorted(set(extents) - self.over):
            raise LightwellError(f"{self.name}: {role} along {outside}, which is not in over")
        if any(extent < least for extent in extents.values()):
            raise LightwellError(f"{self.name}: {role}={dict(extents)} has to be {least} or more")

    @property
    def label(self) -> str:
        """How the step is called in messages."""
        return self.name

    @property
    def plan_parameters(self) -> tuple[str, ...]:
        """The parameters the tables of the step depend on."""
        return () if self.plan is None else tuple(keyword_names(self.plan))

    def make_plan(self, like: Any, values: Mapping[str, Any]) -> Any:
        """The host-side tables of the step, from shapes, untiled arrays and parameters."""
        if self.plan is None:
            return None
        return self.plan(like, **{n: values[n] for n in self.plan_parameters})


class MapStep(_Mapped, Stage[A_contra, B_co], Generic[A_contra, B_co, P]):
    """A map step with one product: callable in a notebook, a stage in a recipe."""

    def __call__(self, product: A_contra, /, *args: P.args, **values: P.kwargs) -> B_co:
        """Run on one product; the plan is made on the fly."""
        from lightwell.steps.calls import call_map

        complete = self.complete(values)
        plan = self.make_plan(product, complete)
        return call_map(self, product, None, plan, complete)  # type: ignore[no-any-return]


class MapStep2(_Mapped, Generic[A_contra, S_contra, B_co, P]):
    """A map step that needs a second product: a stage once `using` names where it comes from."""

    @property
    def side_name(self) -> str:
        """The role of the second product, which is the name of the argument."""
        return self.signature.product_names[1]

    def __call__(
        self, product: A_contra, side: S_contra, /, *args: P.args, **values: P.kwargs
    ) -> B_co:
        """Run on two products; the plan is made on the fly."""
        from lightwell.steps.calls import call_map

        complete = self.complete(values)
        plan = self.make_plan(product, complete)
        return call_map(self, product, side, plan, complete)  # type: ignore[no-any-return]

    def using(self, side: Stage[Never, S_contra]) -> "SideStage[A_contra, B_co]":
        """Give the stage that takes its second product from another chain.

        Errors: JunctionError where that chain gives another product.
        """
        wanted = self.signature.products[1]
        if not (isinstance(side.gives, type) and issubclass(side.gives, wanted)):
            raise JunctionError(
                f"{self.name} takes {wanted.__name__} as '{self.side_name}', "
                f"but {side.label} gives {side.gives.__name__}"
            )
        return SideStage(self, side)


class SideStage(Stage[A_contra, B_co]):
    """A two-product map step together with the chain its second product comes from."""

    def __init__(self, step: MapStep2[Any, Any, Any, Any], side: Stage[Any, Any]) -> None:
        self.step = step
        self.side = side
        self.takes = step.takes
        self.gives = step.gives

    @property
    def label(self) -> str:
        return f"{self.step.name}.using({self.side.label})"


class _MapDecorator:
    def __init__(
        self,
        over: AbstractSet[str],
        halo: Mapping[str, int],
        tile: Mapping[str, int],
        *,
        host: bool,
        workspace: float,
    ) -> None:
        self._options = (over, halo, tile, None, host, workspace)

    @overload
    def __call__(self, function: Callable[Concatenate[A, S, P], B]) -> MapStep2[A, S, B, P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[A, P], B]) -> MapStep[A, B, P]: ...
    def __call__(self, function: Callable[..., Any]) -> Any:
        return _make(function, *self._options)


class _PlannedDecorator:
    def __init__(
        self,
        over: AbstractSet[str],
        halo: Mapping[str, int],
        tile: Mapping[str, int],
        plan: Callable[..., Any],
        *,
        host: bool,
        workspace: float,
    ) -> None:
        self._options = (over, halo, tile, plan, host, workspace)

    @overload
    def __call__(
        self, function: Callable[Concatenate[A, S, Plan, P], B]
    ) -> MapStep2[A, S, B, P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[A, Plan, P], B]) -> MapStep[A, B, P]: ...
    def __call__(self, function: Callable[..., Any]) -> Any:
        return _make(function, *self._options)


def _make(function: Callable[..., Any], *options: Any) -> Any:
    hints = annotations_of(function)
    products = [n for n in inspect.signature(function).parameters if _is_product(hints.get(n))]
    if len(products) > 2:
        raise LightwellError(
            f"{function.__name__} takes {len(products)} products, a map step takes one or two",
            remedy="put what belongs together into one product",
        )
    return (MapStep2 if len(products) == 2 else MapStep)(function, *options)


def _is_product(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Product)


@overload
def map_step(
    *,
    over: AbstractSet[str],
    halo: Mapping[str, int] | None = None,
    tile: Mapping[str, int] | None = None,
    host: bool = False,
    workspace: float = 0.0,
) -> _MapDecorator: ...
@overload
def map_step(
    *,
    over: AbstractSet[str],
    plan: Callable[..., Any],
    halo: Mapping[str, int] | None = None,
    tile: Mapping[str, int] | None = None,
    host: bool = False,
    workspace: float = 0.0,
) -> _PlannedDecorator: ...
def map_step(
    *,
    over: AbstractSet[str],
    plan: Callable[..., Any] | None = None,
    halo: Mapping[str, int] | None = None,
    tile: Mapping[str, int] | None = None,
    host: bool = False,
    workspace: float = 0.0,
) -> Any:
    """Make a function a step whose result along `over` depends on nothing else along `over`.

    over : the axes along which the engine may cut;
    halo : how many neighbours along an axis the result depends on;
    tile : the extent along an axis the kernel is fastest with (the engine's own rule else);
    plan : makes host-side tables once per run, from shapes, untiled arrays and parameters;
    host : the step gets NumPy arrays and is not compiled, for work a compiled CPU form of the
    kernel does several times faster than XLA; a test has to hold the two forms together;
    workspace : what a host step needs beside input and output, in sizes of its input, so that
    its memory can be foreseen; that of compiled steps is known.
    """
    if plan is None:
        return _MapDecorator(over, halo or {}, tile or {}, host=host, workspace=workspace)
    return _PlannedDecorator(over, halo or {}, tile or {}, plan, host=host, workspace=workspace)
