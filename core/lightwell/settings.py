"""Settings: what `lightwell.toml` says, with defaults that need no file."""

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt, ValidationError

from lightwell.errors import ParameterError
from lightwell.words import nearest

__all__ = [
    "AccessSettings",
    "Settings",
    "StoreSettings",
    "find_settings",
    "parse_duration",
    "parse_size",
]

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_LONGEST_NUMBER = 3
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def parse_size(text: str | int) -> int:
    """Bytes from what people write.

    Errors: ParameterError for anything else.

    >>> parse_size("2GB"), parse_size("1.5 GiB"), parse_size("500M"), parse_size(1000)
    (2000000000, 1610612736, 500000000, 1000)
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return _positive(text, text)
    word = str(text).strip().lower().removesuffix("b")
    binary = word.endswith("i")
    word = word.removesuffix("i")
    prefix = word[-1:] if word[-1:] in _FACTORS else ""
    power = list(_FACTORS).index(prefix)
    try:
        number = float(word.removesuffix(prefix))
        size = int(number * (1024**power if binary else _FACTORS[prefix]))
    except (ValueError, OverflowError):
        raise ParameterError(f"{text!r} is not a size", remedy="write 2GB or 500MB") from None
    return _positive(size, text)


def _positive(size: int, text: str | int) -> int:
    if size < 1:
        raise ParameterError(f"a size of {text!r} holds nothing", remedy="write 2GB or 500MB")
    return size


def _size_setting(text: Any) -> int:
    """A size for pydantic, which adds the key to what a ValueError says."""
    try:
        return parse_size(text)
    except ParameterError as error:
        raise ValueError(str(error)) from None


Size = Annotated[int, BeforeValidator(_size_setting)]


def parse_duration(text: str) -> timedelta:
    """How long something lasts; a month counts 30 days, a year 365.

    Errors: ParameterError for anything else.

    >>> parse_duration("3 years").days, parse_duration("1 week").days
    (1095, 7)
    """
    number, _, unit = str(text).strip().partition(" ")
    days = _DAYS.get(unit.strip().removesuffix("s"))
    if days is None or not number.isdecimal():
        raise ParameterError(
            f"{text!r} is not a duration", remedy="write 90 days, 6 weeks, 18 months or 3 years"
        )
    if len(number) > _LONGEST_NUMBER:
        raise ParameterError(f"{text!r} is longer than anybody waits", remedy="write at most 999")
    return timedelta(days=int(number) * days)


def _duration_setting(text: Any) -> timedelta:
    """A duration for pydantic, which adds the key to what a ValueError says."""
    try:
        return parse_duration(text)
    except ParameterError as error:
        raise ValueError(str(error)) from None


Duration = Annotated[timedelta, BeforeValidator(_duration_setting)]


class StoreSettings(BaseModel):
    """One store: an fsspec address and its tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    tier: Literal["disk", "object", "tape", "remote"] = "disk"


class AccessSettings(BaseModel):
    """Who sees what, where several people share an installation.

    keepers : who sees and may do everything, beside whoever runs a process of its own; embargo :
    after how long what was catalogued is public, never if not given; staff : the people of each
    beamline, proposals and groups : the members of each, for those no plugin knows;
    needs : plugins without which nobody but a keeper gets in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keepers: tuple[str, ...] = ()
    embargo: Duration | None = None
    staff: Mapping[str, tuple[str, ...]] = {}
    proposals: Mapping[str, tuple[str, ...]] = {}
    groups: Mapping[str, tuple[str, ...]] = {}
    needs: tuple[str, ...] = ()


class Settings(BaseModel):
    """An installation as configured.

    home : catalog, entries and results; catalog : the address of the catalog, where it is not
    below the home; memory : budget of all jobs on a machine; workers : processes of a job;
    plugins : modules to load beside the installed ones; stores : by name; roots : the folders a
    service may ingest from, and the only ones links may lead into; everywhere if there are none;
    access : who sees what, where it is not one person's;
    frame_statistics : read every pixel at ingest for the mean, smallest and largest of each frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    catalog: str | None = None
    memory: Size | None = None
    workers: PositiveInt | None = None
    plugins: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    frame_statistics: bool = False
    stores: dict[str, StoreSettings] = {"local": StoreSettings(url="file:///")}
    access: AccessSettings | None = None


def find_settings(path: str | os.PathLike[str] | None = None) -> Settings:
    """The settings of the given file, else of ./lightwell.toml, else the defaults.

    The home is LIGHTWELL_HOME where that is set, whatever a file says; else the file's, else
    ~/.lightwell.
    Errors: ParameterError naming the file and the key that is wrong.
    """
    file = Path(path) if path is not None else Path("lightwell.toml")
    content: dict[str, Any] = {}
    if file.exists():
        content = _read(file)
    elif path is not None:
        raise ParameterError(f"there is no settings file {file}", remedy="check the path")
    content["home"] = _home(content.get("home"), file)
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(_complaint(first), where=str(file)) from None


def _home(told: Any, file: Path) -> Path:
    """The home: of the environment from where we are, of the file from where that stands."""
    if given := os.environ.get("LIGHTWELL_HOME"):
        return Path(given).expanduser().absolute()
    if told is not None and not isinstance(told, str):
        raise ParameterError(f"home is {told!r}, not a path", where=str(file))
    return (file.parent / Path(told or "~/.lightwell").expanduser()).absolute()


def _complaint(error: Any) -> str:
    """What pydantic found, with the key, and the nearest key where there is none of that name."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        first, *inner = error["loc"]
        kinds: dict[Any, type[BaseModel]] = {"stores": StoreSettings, "access": AccessSettings}
        known = kinds.get(first, Settings) if inner else Settings
        return f"there is no setting '{key}'. {nearest(str(error['loc'][-1]), known.model_fields)}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ParameterError(f"not readable as TOML: {error}", where=str(file)) from None
