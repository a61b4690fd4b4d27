"""What the four kinds of step have in common."""

import sys
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Self

from lightwell.errors import LightwellError, ParameterError
from lightwell.parameters import MISSING, Parameter
from lightwell.products import Product
from lightwell.steps.signature import Signature, read_signature
from lightwell.words import nearest

__all__ = ["Step", "check_axes", "check_over"]


class Step:
    """A typed function with its kind, its axes and its parameters.

    A step pickles as the name of its function, so a worker finds it by importing its module.
    """

    kind: str = "step"

    def __init__(self, function: Callable[..., Any], *, with_plan: bool = False) -> None:
        self.function = function
        self.signature: Signature = read_signature(function, with_plan=with_plan)
        self.name = self.signature.name
        self.bound: Mapping[str, Any] = {}
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__qualname__ = function.__qualname__
        self.__name__ = function.__name__
        self.__wrapped__ = function

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The keyword-only parameters, by name."""
        return self.signature.parameters

    @property
    def reference(self) -> str:
        """Where the function stands: ``module:name``."""
        return f"{self.__module__}:{self.__qualname__}"

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.__doc__ or "").strip().partition("\n")[0]

    def bind(self, **values: Any) -> Self:
        """Give the step with some parameters set by the recipe.

        Errors: ParameterError for a name the step does not have or a value that does not fit.
        """
        bound = dict(self.bound)
        for name, value in values.items():
            bound[name] = self.parameter(name).check(value, where=self.name)
        return self._with(bound)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name.

        Errors: ParameterError naming the nearest one there is.
        """
        try:
            return self.parameters[name]
        except KeyError:
            raise ParameterError(
                f"{self.name} has no parameter '{name}'", remedy=nearest(name, self.parameters)
            ) from None

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter of a direct call: given, bound, or its default.

        Errors: ParameterError for one that is missing, unknown or of the wrong type.
        """
        found: dict[str, Any] = {}
        for name in values:
            self.parameter(name)
        for name, parameter in self.parameters.items():
            if name in values:
                found[name] = parameter.check(values[name], where=self.name)
            else:
                value = self.bound.get(name, parameter.default)
                if value is MISSING:
                    raise ParameterError(f"{self.name} needs {name} = … ({parameter.wanted})")
                found[name] = value
        return found

    def _with(self, bound: Mapping[str, Any]) -> Self:
        # Not copy.copy: that goes through __reduce__, which comes back here.
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, bound=bound)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        # Checked here and not by the worker: the answer comes at once, before anything started.
        if self.__module__ == "__main__":
            raise LightwellError(
                f"the step {self.name} is defined in a notebook or script, "
                "where a worker cannot import it",
                remedy="move the step into a module (a file.py beside the notebook) and import it",
            )
        return _find_step, (self.__module__, self.__qualname__, dict(self.bound))

    def __repr__(self) -> str:
        return f"<{self.kind} step {self.name}>"


def _find_step(module: str, name: str, bound: Mapping[str, Any]) -> Step:
    if module not in sys.modules:
        __import__(module)
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Step):
        raise LightwellError(
            f"{module} has no step '{name}' at its top",
            remedy="decorate the function where it is defined (@map_step above def), "
            "not inside another function and not under another name",
        )
    return found._with(bound)  # noqa: SLF001  (our own class)


def check_over(name: str, over: AbstractSet[str]) -> frozenset[str]:
    """The axes a step is independent along, or folds over.

    Errors: LightwellError, when the step is defined, for a text or for none.
    """
    if isinstance(over, str) or not over:
        raise LightwellError(
            f"{name}: over={over!r} names no set of axes",
            remedy=f"write over={{{over!r}}}" if over else 'write over={"row"}',
        )
    return frozenset(over)


def check_axes(name: str, role: str, axes: frozenset[str], *products: Any) -> None:
    """Refuse an axis that none of the products has.

    Errors: LightwellError, when the step is defined.
    """
    for product in products:
        if isinstance(product, type) and issubclass(product, Product):
            unknown = sorted(axes - set(product.axes()))
            if unknown:
                raise LightwellError(
                    f"{name}: {role}={sorted(axes)}, but {product.__name__} has no axis {unknown}",
                    remedy=f"its axes are {', '.join(product.axes())}",
                )
