"""Recipes: a named chain, its merged parameters, and its serialised form."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from lightwell.errors import LightwellError, ParameterError
from lightwell.products import Product
from lightwell.recipes.parameters import Setting, Slot, recipe_slots, resolve
from lightwell.steps import Chain, Input, SideStage, Stage, Step, Tap
from lightwell.words import nearest

__all__ = ["Recipe", "step_of"]

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
Next = TypeVar("Next")


class Recipe(Stage[In_contra, Out_co], Generic[In_contra, Out_co]):
    """A chain people run by name: typed parameters, JSON schema, provenance.

    Errors: LightwellError, when it is built, for a chain that does not begin with an Input, a
    tap whose parameter no later step has, or a tapped name that two steps share.
    """

    def __init__(self, name: str, chain: Stage[Any, Any]) -> None:
        self.name = name
        self._nodes = _merged_inputs(chain.nodes())
        if not isinstance(self._nodes[0], Input):
            raise LightwellError(
                f"{name}: a recipe begins with an input, not with {self._nodes[0].label}",
                remedy=f'write (Input("data", {self._nodes[0].takes.__name__}) | …).named(…)',
            )
        self.takes = self._nodes[0].takes
        self.gives = self._nodes[-1].gives
        if not (isinstance(self.gives, type) and issubclass(self.gives, Product)):
            raise LightwellError(f"{name}: a recipe ends in a product, not in {self.gives}")
        self.slots: Mapping[str, Slot] = recipe_slots(name, self._nodes)
        self.inputs()

    @property
    def label(self) -> str:
        return self.name

    def nodes(self) -> tuple[Stage[Any, Any], ...]:
        return self._nodes

    def named(self, name: str) -> "Recipe[In_contra, Out_co]":
        """The same chain under another name."""
        return Recipe(name, self)

    @property
    def summary(self) -> str:
        """What the recipe does, in one line."""
        return " → ".join(s.name for s in self.steps())

    def steps(self) -> Iterator[Step]:
        """Every step of the recipe, sides before the steps they serve, in order."""
        for stage in self._nodes:
            yield from _steps_of(stage)

    def inputs(self) -> Mapping[str, type[Product]]:
        """The roles under which datasets enter, the main one first."""
        found: dict[str, type[Product]] = {}
        for stage in self._nodes:
            for entry in _inputs_of(stage):
                if found.setdefault(entry.role, entry.takes) is not entry.takes:
                    raise LightwellError(f"{self.name}: two inputs are called '{entry.role}'")
        return found

    def settings(
        self,
        given: Mapping[str, Any],
        lookup: Callable[[str], Any],
        *,
        text: bool = False,
    ) -> dict[str, Setting]:
        """Every parameter's value and where it came from, by its address.

        given : what the person set; lookup : finds a metadata path (``canonical.energy``) in the
        entry; text : the values were typed. A tapped parameter left to its estimate is "auto".
        Errors: ParameterError naming what is unknown, wrong or missing.
        """
        addressed: dict[str, Any] = {}
        for name, value in given.items():
            address = self.address(name)
            if address in addressed:
                raise ParameterError(
                    f"'{name}' is given twice, once as '{address}'", where=self.name
                )
            addressed[address] = value
        return resolve(self.name, self.slots, addressed, lookup, text=text)

    def address(self, name: str) -> str:
        """The address of a parameter; ``step.parameter`` is understood for any of them.

        Errors: ParameterError naming the nearest one there is.
        """
        if name in self.slots:
            return name
        for address, slot in self.slots.items():
            if name == f"{slot.step_name}.{slot.parameter.name}":
                return address
        raise ParameterError(
            f"{self.name} has no parameter '{name}'", remedy=nearest(name, self.slots)
        )

    def json_schema(self) -> dict[str, Any]:
        """The parameters as JSON schema: the form, the help and the checks of other programs."""
        properties = {address: slot.json_schema() for address, slot in self.slots.items()}
        required = [address for address, slot in self.slots.items() if slot.is_required]
        return {
            "title": self.name,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def to_json(self) -> dict[str, Any]:
        """The chain as data: names of steps and what the recipe bound; goes into every result."""
        return {"name": self.name, "nodes": [_node_json(stage) for stage in self._nodes]}

    def beginning(self, position: int) -> list[dict[str, Any]]:
        """The chain as data, up to the node that runs the step at a position."""
        found, last = [], -1
        for stage in self._nodes:
            found.append(_node_json(stage))
            last += sum(1 for _ in _steps_of(stage))
            if last >= position:
                break
        return found

    def digest(self) -> str:
        """The sha-256 of the chain as data."""
        return hashlib.sha256(
            json.dumps(self.to_json(), sort_keys=True, default=str).encode()
        ).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return Recipe, (self.name, Chain(self._nodes))

    def __repr__(self) -> str:
        return f"<recipe {self.name}: {self.summary}>"


def step_of(stage: Stage[Any, Any]) -> Step | None:
    """The step a stage runs; an input has none."""
    if isinstance(stage, (SideStage, Tap)):
        return stage.step
    return stage if isinstance(stage, Step) else None


def _merged_inputs(nodes: tuple[Stage[Any, Any], ...]) -> tuple[Stage[Any, Any], ...]:
    return tuple(s for i, s in enumerate(nodes) if i == 0 or not isinstance(s, Input))


def _steps_of(stage: Stage[Any, Any]) -> Iterator[Step]:
    if isinstance(stage, SideStage):
        for inner in stage.side.nodes():
            yield from _steps_of(inner)
    step = step_of(stage)
    if step is not None:
        yield step


def _inputs_of(stage: Stage[Any, Any]) -> Iterator[Input[Any]]:
    if isinstance(stage, Input):
        yield stage
    if isinstance(stage, SideStage):
        for inner in stage.side.nodes():
            yield from _inputs_of(inner)


def _node_json(stage: Stage[Any, Any]) -> dict[str, Any]:
    if isinstance(stage, Input):
        product = stage.takes
        return {"input": stage.role, "product": f"{product.__module__}:{product.__qualname__}"}
    step = step_of(stage)
    if step is None:
        raise LightwellError(f"{stage.label} cannot stand in a recipe")
    node: dict[str, Any] = {"kind": step.kind, "step": step.reference, "bind": dict(step.bound)}
    if isinstance(stage, Tap):
        node["into"] = stage.parameter
    if isinstance(stage, SideStage):
        node["using"] = [_node_json(inner) for inner in stage.side.nodes()]
    return node
