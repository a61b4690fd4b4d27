"""Units: those of the model in the type, those of the files converted once, at the door."""

import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from lightwell.errors import UnitError

if TYPE_CHECKING:
    from pint import UnitRegistry
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = [
    "CATEGORIES",
    "Ampere",
    "CubicMetre",
    "Degree",
    "ElectronVolt",
    "GeV",
    "Gram",
    "Hertz",
    "Kelvin",
    "MeV",
    "Metre",
    "Pascal",
    "PerMetre",
    "Pixel",
    "Second",
    "Unit",
    "Volt",
    "Watt",
    "angstrom",
    "ascii_unit",
    "cm",
    "convert",
    "deg",
    "eV",
    "energy_from_wavelength",
    "fits",
    "hour",
    "keV",
    "mA",
    "meV",
    "minute",
    "mm",
    "mrad",
    "ms",
    "nm",
    "pm",
    "rad",
    "read_quantity",
    "resolve_unit",
    "uA",
    "um",
    "us",
    "wavelength_from_energy",
]

# Factors to the units of the model (m, eV, degree, s, A): `distance=120 * mm`.
cm: Final = 1e-2
mm: Final = 1e-3
um: Final = 1e-6
nm: Final = 1e-9
pm: Final = 1e-12
angstrom: Final = 1e-10
eV: Final = 1.0
meV: Final = 1e-3
keV: Final = 1e3
MeV: Final = 1e6
GeV: Final = 1e9
us: Final = 1e-6
ms: Final = 1e-3
minute: Final = 60.0
hour: Final = 3600.0
deg: Final = 1.0
rad: Final = math.degrees(1.0)
mrad: Final = rad * 1e-3
mA: Final = 1e-3
uA: Final = 1e-6

# h c / e in eV m, CODATA 2018; all three are exact since 2019.
_HC: Final = 6.62607015e-34 * 299792458 / 1.602176634e-19

#: NXDL unit category → the unit the model holds (None: whatever unit the value came with).
CATEGORIES: Final[dict[str, str | None]] = {
    "NX_ANGLE": "degree",
    "NX_ANY": None,
    "NX_AREA": "m**2",
    "NX_CHARGE": "coulomb",
    "NX_CROSS_SECTION": "m**2",
    "NX_CURRENT": "A",
    "NX_ENERGY": "eV",
    "NX_FLUX": "1/s/m**2",
    "NX_FREQUENCY": "Hz",
    "NX_LENGTH": "m",
    "NX_MASS": "g",
    "NX_MASS_DENSITY": "g/m**3",
    "NX_PER_LENGTH": "1/m",
    "NX_PERIOD": "s",
    "NX_POWER": "W",
    "NX_PRESSURE": "Pa",
    "NX_TEMPERATURE": "K",
    "NX_TIME": "s",
    "NX_TIME_OF_FLIGHT": "s",
    "NX_VOLTAGE": "V",
    "NX_VOLUME": "m**3",
    "NX_WAVELENGTH": "m",
    "NX_WAVENUMBER": "1/m",
}

_ANGSTROM_CATEGORIES = {
    *("NX_LENGTH", "NX_WAVELENGTH", "NX_WAVENUMBER", "NX_PER_LENGTH"),
    *("NX_AREA", "NX_VOLUME", "NX_CROSS_SECTION"),
}
_NO_UNIT = {
    *("", "none", "any", "a.u.", "a.u", "au", "arb", "arb.", "arbitrary", "arbitrary units"),
    *("arb. units", "nx_any", "dimensionless", "unitless", "1", "n/a", "na", "iso8601"),
    *("density", "nx_unitless", "nx_dimensionless", "undefined", "unknown", "-"),
}
# Two code points each: micro sign and mu, A with ring and the angstrom sign.
_ASCII = str.maketrans(
    {
        "\u00b5": "u",
        "\u03bc": "u",
        "\u00c5": "angstrom",
        "\u212b": "angstrom",
        "²": "**2",
        "³": "**3",
    }
)
_POWER = re.compile(r"(?<![\d.A-Za-z])([A-Za-z]+)(-?\d+)(?![\d.])")
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of an annotated number: `Annotated[float, Unit("m")]`.

    Text with a unit is converted, text with an impossible unit refused; the JSON schema says the
    unit.

    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(Annotated[float, Unit("m")]).validate_python("650 um")
    0.00065
    """

    unit: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return {**handler(schema), "unit": self.unit}

    def _read(self, value: Any) -> Any:
        """Return a number for "650 um"; leave to pydantic what is no number with a unit."""
        if isinstance(value, str) and _QUANTITY.fullmatch(value):
            return read_quantity(value, self.unit)
        return value


Metre = Annotated[float, Unit("m")]
PerMetre = Annotated[float, Unit("1/m")]
CubicMetre = Annotated[float, Unit("m**3")]
ElectronVolt = Annotated[float, Unit("eV")]
Degree = Annotated[float, Unit("degree")]
Second = Annotated[float, Unit("s")]
Kelvin = Annotated[float, Unit("K")]
Ampere = Annotated[float, Unit("A")]
Volt = Annotated[float, Unit("V")]
Watt = Annotated[float, Unit("W")]
Hertz = Annotated[float, Unit("Hz")]
Pascal = Annotated[float, Unit("Pa")]
Gram = Annotated[float, Unit("g")]
Pixel = Annotated[float, Unit("pixel")]


def read_quantity(text: str, to: str) -> float:
    """Return the number in "19.26 keV" in the unit `to`; a bare number is in that unit already.

    Raises UnitError where there is no number, or a unit that cannot become `to`.

    >>> read_quantity("19.26 keV", "eV")
    19260.0
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise UnitError(f"{text!r} is not a number", remedy=f"Write a number and a unit like {to}")
    number, unit = float(found[1]), found[2]
    return number if unit is None else convert(number, unit, to)


def convert(value: float, unit: str, to: str, category: str | None = None) -> float:
    """Return `value`, given in `unit`, in the unit `to`.

    The NXDL category decides ambiguous spellings; without one the target unit decides, so that
    `1.54 A` is a wavelength where metres are asked for. Raises UnitError for an unknown unit, for
    no unit, and for a unit of another dimension.

    >>> convert(1.54, "A", "m")
    1.54e-10
    """
    resolved = resolve_unit(unit, category or _category_of(to))
    if resolved is None:
        raise UnitError(f"{unit!r} is no unit", remedy=f"Give a unit that converts to {to}")
    if resolved == to:
        return float(value)
    scale, offset = _affine(resolved, to)
    return _tidy(value, scale) + offset if offset else _tidy(value, scale)


def resolve_unit(text: str, category: str | None = None) -> str | None:
    """Return the unit that `text` means under an NXDL category, in ASCII; None for "no unit".

    Raises UnitError for words that are no unit, and for `A` and `C` where no category decides.

    >>> resolve_unit("1/A", "NX_WAVENUMBER"), resolve_unit("μm", "NX_LENGTH"), resolve_unit("a.u.")
    ('1/angstrom', 'um', None)
    """
    if category is not None and not category.startswith("NX_"):
        category = f"NX_{category}"
    return _resolve(text, category)


def fits(unit: str | None, category: str) -> bool:
    """Return whether a unit has the dimension of an NXDL category.

    >>> fits("keV", "NX_ENERGY"), fits("eV", "NX_LENGTH")
    (True, False)
    """
    target = CATEGORIES.get(category)
    if target is None:
        return True
    try:
        resolved = resolve_unit(unit or "", category)
        return resolved is not None and _dimension(resolved) == _dimension(target)
    except UnitError:
        return False


def ascii_unit(text: str) -> str:
    """Return a unit's text without µ, Å and the like, as validators want it written.

    >>> ascii_unit("μm")
    'um'
    """
    return text.replace("°", "degree").translate(_ASCII).encode("ascii", "replace").decode()


def wavelength_from_energy(energy: float) -> float:
    """Return the wavelength in m of photons of an energy in eV.

    >>> round(wavelength_from_energy(12_398.42) * 1e10, 6)
    1.0
    """
    return _HC / energy


def energy_from_wavelength(wavelength: float) -> float:
    """Return the energy in eV of photons of a wavelength in m."""
    return _HC / wavelength


@cache
def _registry() -> "UnitRegistry[Any]":
    """Return pint with the units of this field; made on first use (a third of a second)."""
    from pint import UnitRegistry

    text = files("lightwell").joinpath("units.txt").read_text("utf-8")
    lines: Any = text.splitlines()
    return UnitRegistry(lines, autoconvert_offset_to_baseunit=True)


@lru_cache(maxsize=4096)
def _resolve(text: str, category: str | None) -> str | None:
    cleaned = _cleaned(text)
    if {cleaned.lower(), text.strip().lower()} & _NO_UNIT:
        return None
    if re.search(r"\w\s*\(", cleaned):
        raise UnitError(f"{text!r} is not a unit but a unit and a remark", remedy="Give the unit")
    cleaned = _decide("A", "ampere" if category == "NX_CURRENT" else "angstrom", cleaned, category)
    cleaned = _decide("C", "degC", cleaned, category)
    factor, unit = _parse(cleaned, text)
    return unit if factor == 1 else f"{factor!r} {unit}"


def _cleaned(text: str) -> str:
    """Return a unit as pint reads it: no brackets or blanks around, m2 as m**2, 1/s for s-1."""
    text = text.replace("\x00", "").strip().translate(_ASCII).replace("°", "degree").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    return _POWER.sub(r"\1**\2", text.replace("%", "percent"))


def _decide(letter: str, meaning: str, text: str, category: str | None) -> str:
    """Return `text` with a bare `A` or `C` replaced by what it means under the category."""
    pattern = rf"(?<![A-Za-z_]){letter}(?![A-Za-z_])"
    if not re.search(pattern, text):
        return text
    categories = {"A": {*_ANGSTROM_CATEGORIES, "NX_CURRENT"}, "C": {"NX_TEMPERATURE"}}[letter]
    if category in categories:
        return re.sub(pattern, meaning, text)
    other = {"A": ("ampere", "ampere or angstrom"), "C": ("coulomb", "coulomb or Celsius")}[letter]
    if category is None:
        raise UnitError(f"{letter!r} may mean {other[1]}", remedy="Write the unit's name")
    return re.sub(pattern, other[0], text)


@lru_cache(maxsize=4096)
def _parse(cleaned: str, text: str) -> tuple[float, str]:
    """Return the factor and the unit of a unit's text, as "1e-3 m"; UnitError if it is none."""
    found = _QUANTITY.fullmatch(cleaned)
    number, name = (float(found[1]), found[2]) if found else (1.0, cleaned)
    if found and name and name[0] in "*/":
        number, name = (number, name[1:]) if name[0] == "*" else (1.0, cleaned)
    try:
        # Powers of numbers are refused unread: pint would work out 9**9**9**9.
        if not name or re.search(r"\d\s*(\*\*|\^)", name):
            raise ValueError(name)
        unit = _registry().parse_units(name)
    except Exception:
        # pint raises a dozen kinds, AttributeError, TypeError and tokenizer errors among them.
        raise UnitError(
            f"{text!r} is not a unit lightwell knows", remedy="Use SI names such as mm, keV, s"
        ) from None
    if not math.isfinite(number) or number == 0 or str(unit) == "dimensionless":
        raise UnitError(f"{text!r} is a number, not a unit", remedy="Use SI names such as mm, keV")
    return number, f"{unit:~C}"


@lru_cache(maxsize=4096)
def _quantity(unit: str, value: float) -> Any:
    """Return `value` times a resolved unit as pint's quantity."""
    factor, name = _parse(_cleaned(unit), unit)
    registry = _registry()
    return registry.Quantity(value * factor, registry.parse_units(name))


@lru_cache(maxsize=4096)
def _affine(unit: str, to: str) -> tuple[float, float]:
    """Return scale and offset that carry numbers in `unit` to numbers in `to`."""
    if _dimension(unit) != _dimension(to):
        raise UnitError(
            f"{unit!r} cannot be converted to {to!r}", remedy=f"Give a unit of the kind of {to}"
        )
    target = _quantity(to, 1.0).units
    zero = float(_quantity(unit, 0.0).to(target).magnitude)
    one = float(_quantity(unit, 1.0).to(target).magnitude)
    return (one, 0.0) if zero == 0 else (one - zero, zero)


def _tidy(value: float, scale: float) -> float:
    """Return value * scale, or value / (1 / scale) where that is exact: 0.645 um is 6.45e-07 m."""
    inverse = 1 / scale
    nearest = round(inverse) if math.isfinite(inverse) else 0
    if abs(scale) < 1 and nearest and abs(inverse - nearest) < 1e-9 * abs(inverse):
        return value / nearest
    rounded = round(scale)
    return value * (rounded if rounded and abs(scale - rounded) < 1e-9 * abs(scale) else scale)


@lru_cache(maxsize=4096)
def _dimension(unit: str) -> tuple[tuple[str, float], ...]:
    """Return the dimensions of a resolved unit."""
    found = _quantity(unit, 1.0).dimensionality
    return tuple(sorted((str(name), float(power)) for name, power in found.items()))


@cache
def _category_of(unit: str) -> str | None:
    """Return the NXDL category of a unit of the model, where spellings depend on it."""
    categories = {"m": "NX_LENGTH", "1/m": "NX_PER_LENGTH", "K": "NX_TEMPERATURE"}
    ours = {"A": "NX_CURRENT", "m**2": "NX_AREA", "m**3": "NX_VOLUME", **categories}
    if unit in ours:
        return ours[unit]
    try:
        dimension = _dimension(unit)
    except UnitError:
        return None
    return next((c for u, c in ours.items() if u != "A" and _dimension(u) == dimension), None)
