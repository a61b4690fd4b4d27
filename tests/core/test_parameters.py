"""Parameters: what a value may be, in Python and as text, and the sentence when it may not."""

from typing import Annotated, Any, Literal, TypedDict, Unpack

import numpy as np
import pytest

from lightwell.errors import LightwellError, ParameterError
from lightwell.parameters import (
    MISSING,
    Default,
    From,
    Parameter,
    keyword_names,
    keyword_parameters,
)
from lightwell.units import Unit

Length = Annotated[float, Unit("m")]


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (float, 20, 20.0),
        (float, np.float32(0.5), 0.5),
        (float, np.array(3), 3.0),
        (float | None, 20, 20.0),
        (float | None, None, None),
        (int, np.int64(4), 4),
        (Length, "650 um", 0.00065),
        (Length, 2, 2.0),
        (Literal["a", "b"], "b", "b"),
        (tuple[float, ...], [1, 2], (1.0, 2.0)),
        (str, "text", "text"),
    ],
)
def test_python_values(annotation: Any, given: Any, value: Any) -> None:
    found = Parameter("p", annotation).check(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "value"),
    [
        (float, "20", 20.0),
        (int, "3", 3),
        (bool, "true", True),
        (Length, "0.65 um", 6.5e-7),
        (int | None, "3", 3),
        (int | None, "null", None),
        (str, "null", "null"),
    ],
)
def test_text(annotation: Any, given: str, value: Any) -> None:
    found = Parameter("p", annotation).check(given, text=True)
    assert found == pytest.approx(value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "text"),
    [
        (float, "2.5", False),
        (float, True, False),
        (float, True, True),
        (int, True, False),
        (int, 2.5, False),
        (int, "2.5", True),
        (bool, 1, False),
        (Literal["a", "b"], "c", True),
        (float, None, False),
        (Length, "3 parsec s", True),
        (Length, "three", True),
    ],
)
def test_what_does_not_fit(annotation: Any, given: Any, text: bool) -> None:
    with pytest.raises(ParameterError) as error:
        Parameter("p", annotation).check(given, text=text, where="recipe")
    assert str(error.value).startswith(f"p = {given!r} does not fit, it has to be: ")
    assert error.value.where == "recipe"
    assert error.value.exit_status == 2


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Length, "number in m"),
        (int, "integer"),
        (Literal["a", "b"], "'a' or 'b'"),
        (Literal["a"], "'a'"),
        (float | None, "number or null"),
    ],
)
def test_what_is_wanted(annotation: Any, words: str) -> None:
    assert Parameter("p", annotation).wanted == words


def test_unit_and_source_are_read_from_the_annotation() -> None:
    parameter = Parameter("energy", Annotated[float, Unit("eV"), From("canonical.energy")])
    assert parameter.unit == "eV"
    assert parameter.source == From("canonical.energy")
    assert parameter.default is MISSING
    assert parameter.json_schema() == {"type": "number", "unit": "eV"}
    assert Parameter("n", int).unit is None
    assert Parameter("n", int).source is None


def test_a_type_that_cannot_be_checked() -> None:
    with pytest.raises(LightwellError, match=r"parameter 'table': values of type .* cannot be"):
        Parameter("table", np.ndarray).check([1])


def plain(first: int, *, weight: float = 1, number: int = 2, mode: str = "x") -> None:
    """A function with parameters."""


def unannotated(*, weight=1.0) -> None:  # type: ignore[no-untyped-def]
    """A function without annotations."""


def wrong_default(*, flag: bool = 1) -> None:  # type: ignore[assignment]
    """A default of another type."""


def test_keyword_parameters_of_a_function() -> None:
    found = keyword_parameters(plain)
    assert list(found) == ["weight", "number", "mode"]
    # As if 1.0 had been written: a step treats floats and integers differently.
    assert type(found["weight"].default) is float
    assert type(found["number"].default) is int


class Weighing(TypedDict, total=False):
    """Parameters of several functions."""

    width: Annotated[float, Unit("mm"), Default(2)]
    kind: Annotated[Literal["a", "b"], Default("a")]
    needed: int


class Counting(Weighing, total=False):
    """And one more."""

    zero: Annotated[float | None, From("sample.zero"), Default(None)]


def sharing(*, own: int = 1, **shared: Unpack[Counting]) -> None:
    """A function that shares parameters with others."""


def test_shared_parameters_come_after_own_ones() -> None:
    found = keyword_parameters(sharing)
    assert list(found) == ["own", "width", "kind", "needed", "zero"] == keyword_names(sharing)
    assert found["needed"].default is MISSING
    assert (found["width"].default, found["width"].unit) == (2.0, "mm")
    assert type(found["width"].default) is float
    assert found["zero"].source == From("sample.zero")
    assert found["kind"].json_schema()["enum"] == ["a", "b"]
    assert found["width"].check("3 cm", text=True) == 30.0


def test_functions_that_cannot_be_read() -> None:
    with pytest.raises(LightwellError, match="unannotated: 'weight' has no annotation"):
        keyword_parameters(unannotated)
    with pytest.raises(ParameterError, match=r"flag = 1 does not fit.*default in wrong_default"):
        keyword_parameters(wrong_default)

    def local(*, value: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
        """A function with a name nobody knows."""

    with pytest.raises(LightwellError, match="local: the annotations cannot be read"):
        keyword_parameters(local)
