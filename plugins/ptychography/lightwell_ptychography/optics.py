"""Light and lengths of an experiment, as an entry has them."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from lightwell import Entry
from lightwell.errors import MissingMetadata
from lightwell_ptychography.geometry import far_field_pixel

__all__ = ["Optics"]


class Optics(NamedTuple):
    """Light and lengths of an experiment, not a number where they are not known.

    wavelength, distance : m, the distance as it is for a plane wave; row, column : size of a
    detector pixel, m; object_row, object_column : of an object pixel, m; near : 1 where the
    object's shadow is seen, 0 for its diffraction; amplitude : 1 where frames hold roots of
    counts.
    """

    wavelength: float
    distance: float
    row: float
    column: float
    object_row: float
    object_column: float
    near: float = 0.0
    amplitude: float = 0.0

    @classmethod
    def of(cls, values: Any) -> Self:
        """The fields in their order."""
        return cls(*(float(value) for value in values))

    @classmethod
    def of_entry(cls, entry: Entry) -> Self:
        """What an entry says.

        Errors: MissingMetadata where near field is asked for and a length is missing.
        """
        shape = entry.lookup("instrument.detector.data").shape[1:]
        near = entry.lookup("scan.propagation") == "near"
        names = {
            "wavelength": "canonical.wavelength",
            "distance": "instrument.detector.distance",
            "row": "instrument.detector.y_pixel_size",
            "column": "instrument.detector.x_pixel_size",
        }
        found = {name: _number(entry, path) for name, path in names.items()}
        if near:
            _need_all(found, names)
        found = _behind_focus(found, entry.lookup("scan.focus_distance")) if near else found
        pixel = (found["row"], found["column"])
        sizes = pixel
        if not near:
            sizes = far_field_pixel(found["wavelength"], found["distance"], pixel, shape)
        amplitude = bool(entry.lookup("instrument.detector.amplitudes"))
        return cls(**found, object_row=sizes[0], object_column=sizes[1], near=float(near),
                   amplitude=float(amplitude))  # fmt: skip


def _number(entry: Entry, path: str) -> float:
    found = entry.lookup(path)
    return float(found) if isinstance(found, int | float) else float("nan")


def _behind_focus(found: Mapping[str, float], before: Any) -> dict[str, float]:
    """Lengths of a plane wave that shows the same as a point source so far before the sample.

    Source: D. Paganin, Coherent X-Ray Optics (2006), appendix B, the Fresnel scaling theorem.
    """
    if not isinstance(before, int | float):
        return dict(found)
    magnification = (before + found["distance"]) / before
    return {
        "wavelength": found["wavelength"],
        "distance": found["distance"] / magnification,
        "row": found["row"] / abs(magnification),
        "column": found["column"] / abs(magnification),
    }


def _need_all(found: Mapping[str, float], names: Mapping[str, str]) -> None:
    missing = [names[name] for name, value in found.items() if value != value]
    if missing:
        raise MissingMetadata(
            f"in the near field the light has to be followed, and the entry has no {missing[0]}",
            remedy="give it when you ingest: --set energy=… --set distance=… --set pixel_size=…",
        )
