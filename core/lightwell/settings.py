"""Settings: what `lightwell.toml` says, with defaults that need no file."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from lightwell.errors import ParameterError

__all__ = ["Settings", "StoreSettings", "find_settings", "parse_size"]

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def parse_size(text: str | int) -> int:
    """Bytes from what people write.

    Errors: ParameterError for anything else.

    >>> parse_size("2GB"), parse_size("1.5 GiB"), parse_size("500M"), parse_size(1000)
    (2000000000, 1610612736, 500000000, 1000)
    """
    if isinstance(text, int):
        return text
    word = text.strip().lower().removesuffix("b")
    binary = word.endswith("i")
    word = word.removesuffix("i")
    prefix = word[-1:] if word[-1:] in _FACTORS else ""
    try:
        number = float(word.removesuffix(prefix))
    except ValueError:
        raise ParameterError(f"{text!r} is not a size", remedy="write 2GB or 500MB") from None
    power = list(_FACTORS).index(prefix)
    return int(number * (1024**power if binary else _FACTORS[prefix]))


Size = Annotated[int, BeforeValidator(parse_size)]


class StoreSettings(BaseModel):
    """One store: an fsspec address and its tier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    tier: Literal["disk", "object", "tape", "remote"] = "disk"


class Settings(BaseModel):
    """An installation as configured.

    home : catalog, entries and results; memory : budget of a job; workers : processes of a job;
    plugins : modules to load beside the installed ones; stores : by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    memory: Size | None = None
    workers: int | None = None
    plugins: tuple[str, ...] = ()
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
    home = os.environ.get("LIGHTWELL_HOME") or content.get("home") or "~/.lightwell"
    base = file.parent if file.exists() else Path()
    content["home"] = (base / Path(str(home)).expanduser()).absolute()
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ParameterError(f"{key}: {first['msg']}", where=str(file)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"not readable as TOML: {error}", where=str(file)) from None
