"""PONI files: the geometry of a detector as pyFAI keeps it, of every version.

A file may hold several calibrations, appended over time; the last one counts.
"""

import json
import math
from collections.abc import Mapping
from typing import NamedTuple

from lightwell.errors import InputError
from lightwell_saxs.kernels.geometry import Geometry

__all__ = ["PoniFile", "poni_text", "read_poni"]

_NATIVE = 3
_PIXELS = {"pilatus": 172e-6, "eiger": 75e-6}


class PoniFile(NamedTuple):
    """What a PONI file says; pixel sizes (rows, columns) and wavelength in m where it says them."""

    distance: float
    poni1: float
    poni2: float
    rot1: float
    rot2: float
    rot3: float
    orientation: int
    pixels: tuple[float, float] | None
    wavelength: float | None


def read_poni(text: str, where: str = "") -> PoniFile:
    r"""Read the last calibration of a PONI file.

    Errors: InputError naming the value that is missing or no number.

    >>> read_poni("Distance: 0.1\nPoni1: 0.02\nPoni2: 0.03\nPixelSize1: 1e-4").orientation
    3
    """
    values = _last_block(text)

    def number(key: str, default: float | None = None) -> float:
        written = values.get(key)
        if written in (None, "None"):
            if default is None:
                raise InputError(f"the PONI file has no {key}", where=where or None)
            return default
        try:
            found = float(str(written))
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise InputError(f"{key} is {written!r}, not a number", where=where or None)
        return found

    config = _config(values, where)
    wavelength = number("wavelength", 0.0)
    orientation = int(config.get("orientation") or _NATIVE)
    if orientation not in (1, 2, 3, 4):
        raise InputError(f"orientation {orientation} is none of 1 to 4", where=where or None)
    return PoniFile(
        number("distance"),
        number("poni1"),
        number("poni2"),
        number("rot1", 0.0),
        number("rot2", 0.0),
        number("rot3", 0.0),
        orientation,
        _pixel_sizes(values, config),
        wavelength or None,
    )


def _last_block(text: str) -> dict[str, str]:
    """Keys, in small letters, and values; a key that comes again begins a new calibration."""
    block: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        name = key.strip().lower()
        if line.lstrip().startswith("#") or not separator:
            continue
        if name in block:
            block = {}
        block[name] = value.strip()
    return block


def _config(values: Mapping[str, str], where: str) -> dict[str, float]:
    try:
        found = json.loads(values.get("detector_config", "{}") or "{}")
    except ValueError:
        raise InputError("Detector_config is no JSON", where=where or None) from None
    return dict(found) if isinstance(found, dict) else {}


def _pixel_sizes(
    values: Mapping[str, str], config: Mapping[str, float]
) -> tuple[float, float] | None:
    if config.get("pixel1") and config.get("pixel2"):
        return float(config["pixel1"]), float(config["pixel2"])
    if "pixelsize1" in values:
        first = float(values["pixelsize1"])
        return first, float(values.get("pixelsize2", first))
    named = values.get("detector", "").lower()
    size = next((size for family, size in _PIXELS.items() if named.startswith(family)), None)
    return None if size is None else (size, size)


def poni_text(geometry: Geometry, shape: tuple[int, int], note: str) -> str:
    """A PONI file, version 2.1, that pyFAI reads.

    note : put in front as comments
    """
    config = {
        "pixel1": geometry.pixel1,
        "pixel2": geometry.pixel2,
        "max_shape": list(shape),
        "orientation": geometry.orientation,
    }
    lines = [f"# {line}" for line in note.splitlines()]
    lines += ["poni_version: 2.1", "Detector: Detector", f"Detector_config: {json.dumps(config)}"]
    names = {"Distance": "distance", "Poni1": "poni1", "Poni2": "poni2"}
    names |= {"Rot1": "rot1", "Rot2": "rot2", "Rot3": "rot3", "Wavelength": "wavelength"}
    lines += [f"{key}: {getattr(geometry, name)!r}" for key, name in names.items()]
    return "\n".join(lines) + "\n"
