"""Reading header values into the model: converted, and their originals kept."""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightwell.errors import UnitError
from lightwell.hdf5 import missing_sources, read_values, resolve_alias
from lightwell.model import Flag, Original
from lightwell.units import convert, resolve_unit

__all__ = ["Header", "Value"]

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

_SHORT = 16
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# "Tue Oct 18 14:16:18 2022", as C's ctime and APS's area detectors write it.
_CTIME = re.compile(r"\w{3},?\s+(\w{3})\s+(\d{1,2})\s+(\d{2}):(\d{2}):(\d{2})\s+(\d{4})")
# "18-Oct-2022 14:16:18" and "18 Oct 2022 14:16:18".
_DAY_FIRST = re.compile(r"(\d{1,2})[- ](\w{3})[- ](\d{4})[ T](\d{2}):(\d{2}):(\d{2})")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*")


class Header:
    """The small values of a file, by key: read in model units, originals and doubts recorded.

    Every reading method takes one or more keys and answers with the first that is there, or None:
    missing is missing. `field` says where in the model the value goes.

    >>> header = Header({"/mono/energy": (19.26, "keV"), "/sample/name": ("Hornby", None)})
    >>> header.number("/mono/energy", to="eV", field="instrument.monochromator.energy")
    19260.0
    >>> header.original()["/mono/energy"].unit
    'keV'
    """

    def __init__(
        self,
        values: Mapping[str, tuple[Value, str | None]],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.values = dict(values)
        self.aliases = dict(aliases or {})
        self._fields: dict[str, str] = {}
        self._flags: dict[Flag, None] = {}

    @classmethod
    def of_hdf5(cls, file: Any, group: str = "/") -> "Header":
        """Return the header of an open HDF5 file: scalars, short arrays and attributes.

        Keys are absolute paths; an attribute's is `path@name`. Any name of an object will do.
        """
        found = read_values(file, group)
        return cls(found.values, found.aliases)

    def __contains__(self, key: str) -> bool:
        return resolve_alias(key, self.aliases) in self.values

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What was doubtful so far, each once."""
        return tuple(self._flags)

    def flag(self, code: str, message: str, path: str | None = None) -> None:
        """Note a doubt: a kebab-case code, a sentence, the key it is about."""
        self._flags[Flag(code=code, message=message, path=path)] = None

    def flag_missing_sources(
        self,
        path: str | os.PathLike[str],
        below: str = "/",
        *,
        roots: Sequence[Path] | None = None,
    ) -> None:
        """Flag the links and virtual sources of an HDF5 file that lead nowhere, once per target."""
        missing: dict[tuple[str | None, str], list[str]] = {}
        for inner, target, _, why in missing_sources(path, roots=roots):
            if f"{inner}/".startswith(f"{below.rstrip('/')}/"):
                missing.setdefault((target, why), []).append(inner)
        for (_, why), inners in missing.items():
            others = f" (and {len(inners) - 1} more)" if len(inners) > 1 else ""
            self.flag("missing-source", f"{inners[0]}{others} leads nowhere: {why}.", inners[0])

    def record(
        self, key: str, value: Value, unit: str | None = None, *, field: str | None = None
    ) -> None:
        """Add a value from elsewhere, such as a side-car or an option given by a person."""
        self.values[key] = (value, unit)
        if field:
            self._fields[key] = field

    def original(self, keys: Iterable[str] | None = None) -> dict[str, Original]:
        """Return every value read as it stood in the file, or those of some keys."""
        wanted = self.values if keys is None else [k for k in keys if k in self.values]
        return {key: self._as_original(key) for key in wanted}

    def value(self, *keys: str, field: str | None = None) -> Value | None:
        """Return the first value that is there, as it stands in the file."""
        found = self._find(keys)
        if found is None:
            return None
        self._used(found, field)
        return self.values[found][0]

    def text(self, *keys: str, field: str | None = None) -> str | None:
        """Return a text; an empty one is None."""
        key = self._find(keys)
        value = None if key is None else self.values[key][0]
        if isinstance(value, tuple):
            found = ", ".join(str(item) for item in value)
        else:
            found = "" if value is None else str(value)
        if key is None or not found:
            return None
        self._used(key, field)
        return found

    def number(
        self,
        *keys: str,
        to: str | None = None,
        unit_default: str | None = None,
        field: str | None = None,
    ) -> float | None:
        """Return a number in the unit `to`; `unit_default` is the unit where the file says none.

        A unit that is missing without default, unknown or of another dimension is flagged, and
        there is no number: a guess would be worse.
        """
        key = self._find(keys)
        if key is None:
            return None
        value, unit = self.values[key]
        found = self._one(value, unit, to, unit_default, key)
        if found is not None:
            self._used(key, field)
        return found

    def numbers(
        self,
        *keys: str,
        to: str | None = None,
        unit_default: str | None = None,
        field: str | None = None,
    ) -> tuple[float, ...] | None:
        """Return a short list of numbers as `number` does; None unless all of them are."""
        key = self._find(keys)
        if key is None:
            return None
        value, unit = self.values[key]
        items = value if isinstance(value, tuple) else (value,)
        found = [self._one(item, unit, to, unit_default, key) for item in items]
        numbers = tuple(item for item in found if item is not None)
        if not numbers or len(numbers) != len(found):
            return None
        self._used(key, field)
        return numbers

    def integer(self, *keys: str, field: str | None = None) -> int | None:
        """Return a whole number; anything else is flagged."""
        key = self._find(keys)
        number = self.number(*keys)
        if key is None or number is None:
            return None
        if not number.is_integer():
            self.flag("not-an-integer", f"{number} is not a whole number.", key)
            return None
        self._used(key, field)
        value = self.values[key][0]
        return value if type(value) is int else int(number)

    def boolean(self, *keys: str, field: str | None = None) -> bool | None:
        """Return a truth value, from numbers and the usual words too."""
        key = self._find(keys)
        if key is None:
            return None
        word = str(self.values[key][0]).strip().lower()
        if word in {"true", "yes", "on", "1", "1.0", "t", "y"}:
            found = True
        elif word in {"false", "no", "off", "0", "0.0", "f", "n"}:
            found = False
        else:
            self.flag("not-a-truth-value", f"{word!r} is neither true nor false.", key)
            return None
        self._used(key, field)
        return found

    def time(self, *keys: str, field: str | None = None) -> datetime | None:
        """Return a time; one without zone stays so and is flagged, an unreadable one is None."""
        key = self._find(keys)
        if key is None or self.values[key][0] == "":
            return None
        value = self.values[key][0]
        found = _read_time(value)
        if found is None:
            self.flag("time-unreadable", f"{value!r} is not a time lightwell can read.", key)
            return None
        if found.tzinfo is None:
            self.flag("time-without-zone", f"{value!r} does not say its time zone.", key)
        self._used(key, field)
        return found

    def _find(self, keys: tuple[str, ...]) -> str | None:
        """Return the first key there is, by its first name."""
        names = (resolve_alias(key, self.aliases) for key in keys)
        return next((name for name in names if name in self.values), None)

    def _used(self, key: str, field: str | None) -> None:
        if field:
            self._fields[key] = field

    def _as_original(self, key: str) -> Original:
        value, unit = self.values[key]
        field = self._fields.get(key)
        if isinstance(value, tuple):
            kept: Value = tuple(_finite(item) for item in value[:_SHORT])
        else:
            kept = _finite(value)
        return Original(value=kept, unit=unit, field=field)

    def _one(
        self, value: Value, unit: str | None, to: str | None, default: str | None, key: str
    ) -> float | None:
        """Return one number in the unit asked for; flag what is doubtful about it."""
        number, own = _read_number(value)
        if number is None:
            if value != "":
                self.flag("not-a-number", f"{value!r} is not a number.", key)
            return None
        if to is None:
            return number
        return self._converted(number, unit or own, to, default, key)

    def _converted(
        self, number: float, unit: str | None, to: str, default: str | None, key: str
    ) -> float | None:
        try:
            if unit is None or resolve_unit(unit, _category(to)) is None:
                if default is None:
                    self.flag("unit-missing", f"The file says no unit; {to} is needed.", key)
                    return None
                unit = default
            return convert(number, unit, to)
        except UnitError as error:
            self.flag("unit-wrong", str(error), key)
            return None


def _category(to: str) -> str | None:
    """Return the NXDL category under which `A` and `C` are decided for a unit of the model."""
    return {"m": "NX_LENGTH", "1/m": "NX_WAVENUMBER", "K": "NX_TEMPERATURE", "A": "NX_CURRENT"}.get(
        to, "NX_ANY"
    )


def _finite(value: Scalar) -> Scalar:
    """Return a value that JSON can hold: NaN and infinity as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _read_number(value: Value) -> tuple[float | None, str | None]:
    """Return the number in a value, and the unit if the text holds one."""
    if isinstance(value, (bool, tuple)):
        return None, None
    if isinstance(value, (int, float)):
        return (float(value), None) if math.isfinite(value) else (None, None)
    found = _NUMBER.fullmatch(value)
    if not found or not math.isfinite(float(found[1])):
        return None, None
    return float(found[1]), found[2]


def _read_time(value: Value) -> datetime | None:
    """Return the time in a value: ISO 8601, ctime, day first, or seconds since 1970."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # Between 1973 and 2286; smaller numbers are durations or counters.
        return datetime.fromtimestamp(value, UTC) if 1e8 < value < 1e10 else None
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return _read_worded_time(value.strip())


def _read_worded_time(text: str) -> datetime | None:
    """Return a time whose month is a word; the process's language does not matter."""
    if found := _CTIME.fullmatch(text):
        month, day, hour, minute, second, year = found.groups()
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year, hour, minute, second = found.groups()
    else:
        return None
    if month.lower() not in _MONTHS:
        return None
    number = _MONTHS.index(month.lower()) + 1
    try:
        # Such a text never says its zone; the caller flags that.
        return datetime(int(year), number, int(day), int(hour), int(minute), int(second))  # noqa: DTZ001
    except ValueError:
        return None
