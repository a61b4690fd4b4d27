"""Parameters: a name, a type with its unit, a default; read once from a signature."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Unpack, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from lightwell.binning import binned_extent, binned_place, full_extent, full_place
from lightwell.errors import LightwellError, ParameterError
from lightwell.units import Unit

__all__ = [
    "MISSING",
    "Default",
    "Extent",
    "From",
    "Parameter",
    "Position",
    "annotations_of",
    "keyword_names",
    "keyword_parameters",
]


@dataclasses.dataclass(frozen=True)
class From:
    """Where an array of a product, or the default of a parameter, stands in the entry."""

    path: str


@dataclasses.dataclass(frozen=True)
class Position:
    """A parameter is a place along an axis of the data, 0 at the centre of its first point.

    Where the data are binned, people still say it in points of the detector, and the step gets
    the same place in binned ones.
    """

    axis: str


@dataclasses.dataclass(frozen=True)
class Extent:
    """A parameter is a distance along an axis of the data, in its points; see `Position`."""

    axis: str


@dataclasses.dataclass(frozen=True)
class Default:
    """What a parameter is that is not given, where several signatures share it (see below)."""

    value: Any


MISSING: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter: name, annotation with its unit, default, source."""

    name: str
    annotation: Any
    default: Any = MISSING

    @property
    def source(self) -> From | None:
        """The place in the entry the default is taken from, if any."""
        return next((m for m in self._metadata if isinstance(m, From)), None)

    @property
    def unit(self) -> str | None:
        """The unit the value is in, if it has one."""
        return next((m.unit for m in self._metadata if isinstance(m, Unit)), None)

    @property
    def _metadata(self) -> tuple[Any, ...]:
        is_annotated = get_origin(self.annotation) is Annotated
        return get_args(self.annotation)[1:] if is_annotated else ()

    def binned(self, value: Any, factors: Mapping[str, int]) -> Any:
        """The value for data that are binned along some axes; only places and distances change.

        >>> axis = Parameter("rotation_axis", Annotated[float, Unit("pixel"), Position("x")])
        >>> axis.binned(295.5, {"x": 2}), axis.unbinned(147.5, {"x": 2}), axis.binned(295.5, {})
        (147.5, 295.5, 295.5)
        """
        return self._rescaled(value, factors, binned_place, binned_extent)

    def unbinned(self, value: Any, factors: Mapping[str, int]) -> Any:
        """The value in points of the detector of one that was found in binned data."""
        return self._rescaled(value, factors, full_place, full_extent)

    def unbinned_sigma(self, sigma: float | None, factors: Mapping[str, int]) -> float | None:
        """The standard deviation in points of the detector of one in binned points."""
        found: float | None = self._rescaled(sigma, factors, full_extent, full_extent)
        return found

    def _rescaled(self, value: Any, factors: Mapping[str, int], place: Any, extent: Any) -> Any:
        meaning = next((m for m in self._metadata if isinstance(m, (Position, Extent))), None)
        factor = factors.get(meaning.axis, 1) if meaning else 1
        if meaning is None or factor == 1 or isinstance(value, (str, bool, type(None))):
            return value
        return (place if isinstance(meaning, Position) else extent)(value, factor)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        try:
            return TypeAdapter(self.annotation)
        except PydanticUserError as error:
            raise LightwellError(
                f"parameter '{self.name}': values of type {self.annotation} cannot be checked",
                remedy="use numbers, text, bool, Literal or tuples of them; arrays are products",
            ) from error

    def check(self, value: Any, *, text: bool = False, where: str = "") -> Any:
        """Give the value in the parameter's own type and unit.

        text=True accepts what a person types (``"3"`` for a number, ``null`` for none where none is
        allowed); otherwise a value has to be of the right type already. ``"0.65 um"`` is a length
        in both. An int given for a float becomes one, so that 20 and 20.0 lead to the same program
        and the same bits.
        Errors: ParameterError naming parameter, value and what is wanted.
        """
        if getattr(value, "shape", None) == () and hasattr(value, "item"):
            value = value.item()
        if text and value == "null" and {"type": "null"} in self.json_schema().get("anyOf", ()):
            value = None
        # Lists and tuples come from JSON and TOML, which do not tell them apart.
        is_lenient = isinstance(value, (list, tuple, dict)) or (text and isinstance(value, str))
        try:
            found = self._adapter.validate_python(value, strict=not is_lenient)
            if isinstance(found, float) and not math.isfinite(found):
                raise ParameterError(
                    f"{self.name} = {value!r} is not a finite number", where=where or None
                )
            return found
        except ValidationError as error:
            reasons = {str(e.get("ctx", {}).get("error", e["msg"])) for e in error.errors()}
            raise ParameterError(
                f"{self.name} = {value!r} does not fit, it has to be: {self.wanted} "
                f"({'; '.join(sorted(reason.rstrip('.') for reason in reasons))})",
                where=where or None,
            ) from None

    @property
    def wanted(self) -> str:
        """What the value has to be, in words."""
        words = _in_words(self.json_schema())
        return f"{words} in {self.unit}" if self.unit else words

    def json_schema(self) -> dict[str, Any]:
        """Type, choices and unit as a JSON schema."""
        return self._adapter.json_schema()


def _in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_in_words(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    return repr(schema["const"]) if "const" in schema else str(schema.get("type", "value"))


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, resolved.

    Errors: LightwellError where they cannot be read, when the function is defined.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise LightwellError(
            f"{function.__name__}: the annotations cannot be read ({error})",
            remedy="define it and the types it names at module level, without "
            "`from __future__ import annotations`",
        ) from error


def keyword_parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The keyword-only parameters of a function, by name.

    Parameters that several functions have are said once, as a ``TypedDict`` with ``Default`` in
    its annotations, and taken as ``**shared: Unpack[TheDict]``. They come last.
    Errors: LightwellError where one has no annotation.

    >>> from typing import TypedDict
    >>> class Smoothing(TypedDict, total=False):
    ...     width: Annotated[float, Unit("mm"), Default(2.0)]
    >>> def smooth(*, passes: int = 1, **shared: Unpack[Smoothing]) -> None: ...
    >>> {name: one.default for name, one in keyword_parameters(smooth).items()}
    {'passes': 1, 'width': 2.0}
    """
    hints = annotations_of(function)
    found: dict[str, Parameter] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            if parameter.name not in hints:
                raise LightwellError(f"{function.__name__}: '{parameter.name}' has no annotation")
            name = parameter.name
            found[name] = Parameter(name, hints[name], parameter.default)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found |= _shared_parameters(hints.get(parameter.name))
    return {n: _with_checked_default(one, function.__name__) for n, one in found.items()}


def keyword_names(function: Callable[..., Any]) -> list[str]:
    """The names of the keyword-only parameters of a function, which may have no annotations."""
    found: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            found.append(parameter.name)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found += _shared_parameters(annotations_of(function).get(parameter.name))
    return found


def _shared_parameters(annotation: Any) -> dict[str, Parameter]:
    """The parameters of ``**name: Unpack[TypedDict]``; none of any other ``**name``."""
    if get_origin(annotation) is not Unpack:
        return {}
    found = {}
    for name, hint in get_type_hints(get_args(annotation)[0], include_extras=True).items():
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        default = next((mark.value for mark in marks if isinstance(mark, Default)), MISSING)
        found[name] = Parameter(name, hint, default)
    return found


def _with_checked_default(parameter: Parameter, function: str) -> Parameter:
    """Make ``weight: float = 1`` mean 1.0: steps treat floats and integers differently."""
    if type(parameter.default) is not int:
        return parameter
    default = parameter.check(parameter.default, where=f"the default in {function}")
    return dataclasses.replace(parameter, default=default)
