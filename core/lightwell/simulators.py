"""Simulators: scans with known truth, written as an instrument would write them."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.errors import ParameterError
from lightwell.parameters import MISSING, Parameter, keyword_parameters
from lightwell.words import nearest

if TYPE_CHECKING:
    from lightwell.stacks import LazyArray

__all__ = ["Simulated", "Simulator"]


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A file that was simulated and what is true of it."""

    path: Path
    truth: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Simulator:
    """A named function that writes a simulated scan to a path and tells the truth about it.

    recipe : what finds the truth again; judge : how far its result (a lazy array) is from the
    truth, measured as `measure` says; draw : parameters of a demonstration from a number between
    0 and 1.
    """

    name: str
    write: Callable[..., Simulated]
    recipe: str | None = None
    judge: Callable[["LazyArray", Mapping[str, Any]], float] | None = None
    measure: str = "error"
    draw: Callable[[float], Mapping[str, Any]] | None = None

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The keyword-only parameters of the simulation."""
        return keyword_parameters(self.write)

    def run(self, path: Path, given: Mapping[str, Any], *, text: bool = False) -> Simulated:
        """Simulate with the given parameters, the others at their defaults.

        Errors: ParameterError for a name or value that does not fit.
        """
        values = {}
        for name, value in given.items():
            if name not in self.parameters:
                raise ParameterError(
                    f"simulator {self.name} has no parameter '{name}'",
                    remedy=nearest(name, self.parameters),
                )
            values[name] = self.parameters[name].check(value, text=text, where=self.name)
        for name, parameter in self.parameters.items():
            if parameter.default is MISSING and name not in values:
                raise ParameterError(
                    f"simulator {self.name} needs {name}",
                    remedy=f"give it: --set {name}=… ({parameter.wanted})",
                )
        return self.write(path, **values)
