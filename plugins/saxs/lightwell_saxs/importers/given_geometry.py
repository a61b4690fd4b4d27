"""A geometry given by a person when scattering frames are ingested: a PONI file, or its parts."""

from math import degrees
from pathlib import Path
from typing import Any

from lightwell.errors import InputError
from lightwell.model import Monochromator
from lightwell_saxs.poni import PoniFile, read_poni
from lightwell_saxs.schema import Poni

__all__ = ["geometry_fields", "monochromator", "open_poni"]


def open_poni(path: str | None) -> PoniFile | None:
    """Read the PONI file a person named.

    Errors: InputError where it is not there or cannot be read.
    """
    if path is None:
        return None
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the PONI file cannot be read ({error})", where=path, remedy="check its name"
        ) from None
    return read_poni(text, where=path)


def geometry_fields(found: PoniFile | None, path: str | None) -> dict[str, Any]:
    """The fields of a detector that a PONI file fills; none without one."""
    if found is None:
        return {}
    poni = Poni(
        distance=found.distance,
        poni1=found.poni1,
        poni2=found.poni2,
        orientation=found.orientation,
        rot1=degrees(found.rot1),
        rot2=degrees(found.rot2),
        rot3=degrees(found.rot3),
        origin=Path(path).name if path else None,
    )
    fields: dict[str, Any] = {"poni": poni, "distance": found.distance}
    if found.pixels is not None:
        fields |= {"y_pixel_size": found.pixels[0], "x_pixel_size": found.pixels[1]}
    return fields


def monochromator(found: PoniFile | None, energy: float | None) -> Monochromator | None:
    """Photon energy as given, else the wavelength of the PONI file."""
    if energy is not None:
        return Monochromator(energy=energy)
    wavelength = found.wavelength if found else None
    return Monochromator(wavelength=wavelength) if wavelength else None
