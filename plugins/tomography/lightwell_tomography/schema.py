"""The metadata of a tomographic scan and of its reconstruction."""

from collections.abc import Mapping
from typing import Self

from lightwell import ArrayRef, Entry
from lightwell.model import Data

__all__ = ["DARK", "FLAT", "PROJECTION", "Reconstruction", "Tomography"]

PROJECTION, FLAT, DARK = 0, 1, 2
"""The values of NXtomo's image_key; 3 is a frame that must not be used."""


_KEY = "instrument.detector.image_key"
_WORDS = {PROJECTION: "projections", FLAT: "flats", DARK: "darks", 3: "invalid"}


class Tomography(Entry, definition="NXtomo"):
    """A raw scan: one stack of frames, each marked as projection, flat or dark field.

    instrument.detector.data : (frame, row, x) counts; instrument.detector.image_key : (frame);
    sample.rotation_angle : (frame) degree.
    """

    def kinds_of_frames(self) -> tuple[str, Mapping[int, str]] | None:
        """The image key and its words."""
        return (_KEY, _WORDS) if self.lookup(_KEY) is not None else None

    def with_plot(self) -> Self:
        """The scan with what NXtomo asks for beside it: frames, key and angles to plot."""
        paths = {
            "data": "instrument.detector.data",
            "rotation_angle": "sample.rotation_angle",
            "image_key": _KEY,
        }
        found = {name: self.lookup(path) for name, path in paths.items()}
        fields = {name: ref for name, ref in found.items() if isinstance(ref, ArrayRef)}
        axes = ("rotation_angle" if "rotation_angle" in fields else ".", ".", ".")
        plot = Data(signal="data", axes=axes, fields=fields, interpretation="image")
        return self.model_copy(update={"data": {**self.data, "data": plot}, "default": "data"})


class Reconstruction(Entry, definition="NXtomoproc"):
    """A reconstructed volume, stored (z, y, x), with the chain of processing that made it."""
