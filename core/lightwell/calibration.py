"""Calibrations: constants of an instrument found in a measurement of a known sample."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lightwell.errors import MissingMetadata, ParameterError
from lightwell.files import complete_file
from lightwell.parameters import MISSING, Parameter, keyword_parameters
from lightwell.products import Product
from lightwell.words import nearest

__all__ = ["Calibrated", "Calibration", "Constant"]


@dataclasses.dataclass(frozen=True)
class Constant:
    """One constant of the instrument: value, one standard deviation (None: was held), unit."""

    name: str
    value: float
    sigma: float | None = None
    unit: str | None = None


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """What a calibration found.

    constants : what the instrument's own file keeps; derived : what people ask for beside them;
    verdict : "good" or "doubtful", with the reason in words; text : the content of the file in
    which the field keeps such constants.
    """

    constants: tuple[Constant, ...]
    derived: tuple[Constant, ...]
    verdict: str
    reason: str
    text: str

    def write(self, path: Path) -> Path:
        """Write the file; it appears when it is complete, in place of an earlier one."""
        with complete_file(path) as part:
            part.write_text(self.text, encoding="utf-8")
        return path


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A named function from a product, and keyword-only parameters, to constants.

    of : the product that is loaded from the dataset, whole; suffix : of the file that is written.
    """

    name: str
    of: type[Product]
    find: Callable[..., Calibrated]
    suffix: str

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The keyword-only parameters of the function."""
        return keyword_parameters(self.find)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.find.__doc__ or "").strip().partition("\n")[0]

    def resolve(
        self, given: Mapping[str, Any], lookup: Callable[[str], Any], *, text: bool = False
    ) -> dict[str, Any]:
        """Every parameter: given, then what the entry says, then the default.

        Errors: ParameterError for a name or value that does not fit, or one that is needed.
        """
        for name in given:
            if name not in self.parameters:
                raise ParameterError(
                    f"calibration {self.name} has no parameter '{name}'",
                    remedy=nearest(name, self.parameters),
                )
        return {n: self._value(p, given, lookup, text=text) for n, p in self.parameters.items()}

    def _value(
        self,
        parameter: Parameter,
        given: Mapping[str, Any],
        lookup: Callable[[str], Any],
        *,
        text: bool,
    ) -> Any:
        if parameter.name in given:
            return parameter.check(given[parameter.name], text=text, where=self.name)
        found = lookup(parameter.source.path) if parameter.source else None
        if found is not None:
            return parameter.check(found, where=self.name)
        if parameter.default is not MISSING:
            return parameter.default
        remedy = f"give it: --set {parameter.name}=… ({parameter.wanted})"
        if parameter.source:
            raise MissingMetadata(
                f"calibration {self.name} needs {parameter.name}, and the entry has no "
                f"{parameter.source.path}",
                remedy=remedy,
            )
        raise ParameterError(f"calibration {self.name} needs {parameter.name}", remedy=remedy)
