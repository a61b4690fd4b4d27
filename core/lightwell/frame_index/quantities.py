"""The unit a channel is kept in: what control systems report, so that most values stay as read."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lightwell.errors import ParameterError, UnitError
from lightwell.model.canonical import CANONICAL_FIELDS
from lightwell.units import CATEGORIES, convert, fits, resolve_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChannelUnit", "channel_unit", "number_in"]

_QUANTITY: Final = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")
_KEPT_IN: Final = {
    "NX_CURRENT": "mA",
    "NX_LENGTH": "mm",
    "NX_ANGLE": "degree",
    "NX_TIME": "s",
    "NX_ENERGY": "eV",
    "NX_TEMPERATURE": "K",
    "NX_VOLTAGE": "V",
    "NX_PRESSURE": "Pa",
    "NX_FREQUENCY": "Hz",
    "NX_POWER": "W",
    "NX_MASS": "g",
}


@dataclass(frozen=True, slots=True)
class ChannelUnit:
    """The unit a channel is kept in, and how values in the file's unit get there.

    `model` is the unit the catalog holds its smallest and largest value in; None for a channel
    whose numbers are not converted.
    """

    kept: str
    scale: float = 1.0
    offset: float = 0.0
    model: str | None = None

    def of(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """Return values of the file in the unit they are kept in; unchanged if that is theirs."""
        if self.scale == 1.0 and self.offset == 0.0:
            return values
        return values.astype("f8") * self.scale + self.offset


def channel_unit(name: str, unit: str | None) -> ChannelUnit:
    """Return what a channel is kept in, by its name and the unit in the file.

    Lengths in mm, currents in mA, the rest as the model has it; a channel named like a search
    field is kept in that field's unit. What is no unit of a known kind stays as it is.

    >>> channel_unit("sample_x", "um")
    ChannelUnit(kept='mm', scale=0.001, offset=0.0, model='m')
    >>> channel_unit("energy", "keV").kept, channel_unit("diode", "counts").kept
    ('eV', 'counts')
    """
    text = (unit or "").strip()
    canonical = CANONICAL_FIELDS.get(name)
    for kind, kept in _KEPT_IN.items():
        if not fits(text, kind):
            continue
        model = str(CATEGORIES[kind])
        if canonical is not None and canonical.unit == model:
            kept = model
        offset = convert(0.0, text, kept, kind)
        return ChannelUnit(kept, convert(1.0, text, kept, kind) - offset, offset, model)
    try:
        return ChannelUnit(resolve_unit(text) or "")
    except UnitError:
        return ChannelUnit(text)


def number_in(value: str, kept: str, channel: str) -> float | None:
    """Return the number in "390 mA" in the unit a channel is kept in; None for another kind.

    >>> number_in("0.4 A", "mA", "ring_current"), number_in("20 keV", "mA", "ring_current")
    (400.0, None)

    Raises `ParameterError` for what is no number, or has a unit that nobody knows.
    """
    found = _QUANTITY.fullmatch(value)
    if found is None:
        raise _no_quantity(value, channel, "there is no number in it")
    number, unit = float(found[1]), found[2]
    if unit is None:
        return number
    kind = next((kind for kind in _KEPT_IN if fits(kept, kind)), None)
    try:
        # Under the channel's kind, since A is ampere for a current and angstrom for a length.
        resolve_unit(unit, kind or "NX_CURRENT")
    except UnitError as error:
        raise _no_quantity(value, channel, error.what) from error
    try:
        return convert(number, unit, kept, kind) if kept else None
    except UnitError:
        return None


def _no_quantity(value: str, channel: str, why: str) -> ParameterError:
    return ParameterError(
        f"{channel} is a number, and {value!r} is not one ({why})",
        remedy=f"Write e.g. {channel} < 390, or a number with a unit such as 390 mA",
    )
