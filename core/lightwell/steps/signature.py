"""The signature of a step: what it takes and gives, as its function says it."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lightwell.errors import LightwellError
from lightwell.parameters import Parameter, annotations_of, keyword_parameters
from lightwell.products import Product

__all__ = ["Signature", "read_signature"]


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a step takes and gives, as its function says it."""

    name: str
    products: tuple[type[Product], ...]
    product_names: tuple[str, ...]
    plan_name: str | None
    parameters: Mapping[str, Parameter]
    result: Any


def read_signature(function: Callable[..., Any], *, with_plan: bool = False) -> Signature:
    """Read products, plan, parameters and result of a step from its function.

    Errors: LightwellError where an annotation is missing, a product is not first, or a
    parameter is not keyword-only; raised when the step is defined.
    """
    name = function.__name__
    hints = annotations_of(function)
    products: dict[str, type[Product]] = {}
    plan_name = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
            continue
        annotation = hints.get(parameter.name)
        if isinstance(annotation, type) and issubclass(annotation, Product):
            products[parameter.name] = annotation
        elif with_plan and plan_name is None:
            plan_name = parameter.name
        else:
            raise LightwellError(
                f"{name}: '{parameter.name}' is positional but no Product",
                remedy=f"put it after *: def {name}(product, *, {parameter.name}: …)",
            )
    if not products:
        raise LightwellError(f"{name}: the first argument has to be a Product")
    if "return" not in hints:
        raise LightwellError(f"{name}: the return annotation is missing")
    parameters = keyword_parameters(function)
    return Signature(
        name, tuple(products.values()), tuple(products), plan_name, parameters, hints["return"]
    )
