"""Numbers with a unit in questions, in the units the documents hold."""

import math
from typing import Final

from lightwell.errors import ParameterError, UnitError
from lightwell.units import CATEGORIES, convert, fits, read_quantity

__all__ = ["in_model_unit", "quantity_in"]

_KINDS: Final = (
    *("NX_ENERGY", "NX_LENGTH", "NX_TIME", "NX_ANGLE", "NX_CURRENT", "NX_TEMPERATURE"),
    *("NX_PER_LENGTH", "NX_FREQUENCY", "NX_VOLTAGE", "NX_PRESSURE", "NX_POWER", "NX_MASS"),
)


def quantity_in(text: str, unit: str, field: str) -> float:
    """Return the number in `text` in the unit a field is kept in.

    >>> quantity_in("30 keV", "eV", "energy")
    30000.0

    Raises `UnitError` naming the field for no number, or a unit of another kind.
    """
    try:
        value = read_quantity(text, unit)
    except UnitError as error:
        raise UnitError(
            f"{field} is kept in {unit}, and {error.what}", remedy=error.remedy
        ) from error
    return _finite(value, text, field)


def in_model_unit(number: float, unit: str, field: str) -> float:
    """Return a number in the unit the model holds quantities of its kind in (eV, m, degree, s).

    >>> in_model_unit(30.0, "keV", "instrument.monochromator.energy")
    30000.0

    Raises `UnitError` if the unit is not known.
    """
    for kind in _KINDS:
        target = CATEGORIES[kind]
        if target is not None and fits(unit, kind):
            return _finite(convert(number, unit, target, kind), f"{number} {unit}", field)
    raise UnitError(
        f"{field} is compared with {number:g} {unit}, and {unit!r} is no unit lightwell knows",
        remedy='Use SI names such as keV, um, s; put a text in quotes, e.g. "30 red"',
    )


def _finite(value: float, text: str, field: str) -> float:
    if not math.isfinite(value):
        raise ParameterError(f"{text} is too large a number for {field}")
    return value
