"""Settings: what `lightwell.toml` says, with defaults that need no file."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt, ValidationError

from lightwell.errors import ParameterError
from lightwell.words import nearest

__all__ = ["Settings", "StoreSettings", "find_settings", "parse_size"]

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


class StoreSettings(BaseModel):
    """One store: an fsspec address and its tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    tier: Literal["disk", "object", "tape", "remote"] = "disk"


class Settings(BaseModel):
    """An installation as configured.

    home : catalog, entries and results; memory : budget of a job; workers : processes of a job;
    plugins : modules to load beside the installed ones; stores : by name; roots : the folders a
    service may ingest from, and the only ones links may lead into; everywhere if there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    memory: Size | None = None
    workers: PositiveInt | None = None
    plugins: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    stores: dict[str, StoreSettings] = {"local": StoreSettings(url="file:///")}


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
        known = StoreSettings.model_fields if key.startswith("stores.") else Settings.model_fields
        return f"there is no setting '{key}'. {nearest(str(error['loc'][-1]), known)}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ParameterError(f"not readable as TOML: {error}", where=str(file)) from None
