"""The metadata of a tomographic scan and of its reconstruction."""

from lightwell import Entry

__all__ = ["DARK", "FLAT", "PROJECTION", "Reconstruction", "Tomography"]

PROJECTION, FLAT, DARK = 0, 1, 2
"""The values of NXtomo's image_key; 3 is a frame that must not be used."""


class Tomography(Entry, definition="NXtomo"):
    """A raw scan: one stack of frames, each marked as projection, flat or dark field.

    instrument.detector.data : (frame, row, x) counts; instrument.detector.image_key : (frame);
    sample.rotation_angle : (frame) degree.
    """


class Reconstruction(Entry, definition="NXtomoproc"):
    """A reconstructed volume, stored (z, y, x), with the chain of processing that made it."""
