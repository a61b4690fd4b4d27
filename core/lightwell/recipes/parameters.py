"""The merged parameters of a recipe: addresses, precedence, schema."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from lightwell.errors import LightwellError, MissingMetadata, ParameterError
from lightwell.model.canonical import CANONICAL_FIELDS
from lightwell.parameters import MISSING, Parameter
from lightwell.steps import SideStage, Stage, Step, Tap
from lightwell.units import convert

__all__ = ["AUTO", "Setting", "Slot", "recipe_slots", "resolve"]

AUTO = "auto"
"""The value of a tapped parameter before its estimate is known."""

Origin = Literal["given", "recipe", "estimate", "entry", "default", "sweep"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One parameter's value and where it came from."""

    value: Any
    origin: Origin
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Slot:
    """One parameter of a recipe under its address: which step has it, what may fill it.

    step : the position of the step among the recipe's steps (`Recipe.steps` order).
    """

    address: str
    step: int
    step_name: str
    parameter: Parameter
    bound: Any = MISSING
    tapped_by: str | None = None

    @property
    def is_required(self) -> bool:
        """True where a person has to give a value."""
        return (
            self.bound is MISSING
            and self.tapped_by is None
            and self.parameter.source is None
            and self.parameter.default is MISSING
        )

    def json_schema(self) -> dict[str, Any]:
        """The parameter as a JSON schema, with unit, default, source and estimator."""
        schema = self.parameter.json_schema()
        default = self.parameter.default
        if self.tapped_by is not None:
            schema = {"anyOf": [schema, {"const": AUTO}], "estimated_by": self.tapped_by}
            default = AUTO
        if self.bound is not MISSING:
            default = self.bound
        if self.parameter.source is not None:
            schema["from"] = self.parameter.source.path
        if default is not MISSING:
            schema["default"] = default
        return schema


def recipe_slots(name: str, nodes: Iterable[Stage[Any, Any]]) -> dict[str, Slot]:
    """Give every parameter of a recipe its address.

    Errors: LightwellError where a tap names a parameter no later step has, or one that two have.
    """
    slots: dict[str, Slot] = {}
    taps: dict[str, str] = {}
    for position, (step, tap) in enumerate(_steps_and_taps(nodes)):
        for parameter in step.parameters.values():
            address = _address(slots, step.name, parameter.name)
            bound = step.bound.get(parameter.name, MISSING)
            tapped = taps.get(parameter.name)
            slots[address] = Slot(address, position, step.name, parameter, bound, tapped)
        if tap in taps:
            raise LightwellError(
                f"{name}: two estimates go into '{tap}', those of {taps[tap]} and {step.name}",
                remedy="leave one of them out",
            )
        if tap is not None:
            taps[tap] = step.name
    _check_taps(name, slots, taps)
    return slots


def _address(slots: Mapping[str, Slot], step: str, parameter: str) -> str:
    """The bare name; where that is taken ``step.name``; for the third ``step_3.name``."""
    address, count = parameter, 1
    while address in slots:
        address = f"{step}.{parameter}" if count == 1 else f"{step}_{count + 1}.{parameter}"
        count += 1
    return address


def _check_taps(name: str, slots: Mapping[str, Slot], taps: Mapping[str, str]) -> None:
    for parameter, estimator in taps.items():
        named = [slot for slot in slots.values() if slot.parameter.name == parameter]
        if not any(slot.tapped_by for slot in named):
            raise LightwellError(
                f"{name}: no later step has a parameter {parameter!r}",
                remedy=f"it is the target of {estimator}.into({parameter!r})",
            )
        if len(named) > 1:
            steps = ", ".join(slot.step_name for slot in named)
            raise LightwellError(
                f"{name}: the estimate of '{parameter}' could mean that of several steps: {steps}",
                remedy="rename the parameter in all of them but one",
            )


def _steps_and_taps(nodes: Iterable[Stage[Any, Any]]) -> Iterable[tuple[Step, str | None]]:
    for stage in nodes:
        if isinstance(stage, Tap):
            yield stage.step, stage.parameter
        elif isinstance(stage, SideStage):
            yield from _steps_and_taps(stage.side.nodes())
            yield stage.step, None
        elif isinstance(stage, Step):
            yield stage, None


def resolve(
    recipe: str,
    slots: Mapping[str, Slot],
    given: Mapping[str, Any],
    lookup: Callable[[str], Any],
    *,
    text: bool,
) -> dict[str, Setting]:
    """Fill every slot: given, then the recipe's own, then an estimate, the entry, the default."""
    found = {}
    for address, slot in slots.items():
        if address not in given:
            found[address] = _unset(recipe, slot, lookup)
        elif slot.tapped_by is not None and _is_auto(given[address]):
            found[address] = Setting(AUTO, "estimate", slot.tapped_by)
        else:
            value = slot.parameter.check(given[address], text=text, where=recipe)
            found[address] = Setting(value, "given")
    return found


def _is_auto(value: Any) -> bool:
    # Not ==, which gives an array where the value is one.
    return isinstance(value, str) and value == AUTO


def _in_own_unit(parameter: Parameter, value: Any) -> Any:
    """A canonical field's value in the unit of the parameter, where both have one."""
    path = parameter.source.path if parameter.source else ""
    field = CANONICAL_FIELDS.get(path.removeprefix("canonical."))
    if field is None or field.unit is None or parameter.unit in (None, field.unit):
        return value
    return convert(float(value), field.unit, str(parameter.unit))


def _unset(recipe: str, slot: Slot, lookup: Callable[[str], Any]) -> Setting:
    parameter = slot.parameter
    if slot.bound is not MISSING:
        return Setting(slot.bound, "recipe")
    if slot.tapped_by is not None:
        return Setting(AUTO, "estimate", slot.tapped_by)
    if parameter.source is not None:
        value = lookup(parameter.source.path)
        if value is not None:
            value = parameter.check(_in_own_unit(parameter, value), where=recipe)
            return Setting(value, "entry", parameter.source.path)
    if parameter.default is not MISSING:
        return Setting(parameter.default, "default")
    if parameter.source is not None:
        raise MissingMetadata(
            f"{slot.step_name} needs {slot.address}, and the entry has no {parameter.source.path}",
            where=recipe,
            remedy=f"give it: --set {slot.address}=… ({parameter.wanted})",
        )
    raise ParameterError(
        f"{slot.step_name} needs {slot.address}",
        where=recipe,
        remedy=f"give it: --set {slot.address}=… ({parameter.wanted})",
    )
