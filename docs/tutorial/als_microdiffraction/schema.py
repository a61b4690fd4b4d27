"""The metadata of a microdiffraction map."""

from lightwell import ArrayRef, Detector, Entry, Instrument


class MapDetector(Detector):
    dark: ArrayRef


class MapInstrument(Instrument):
    detector: MapDetector | None = None


class DiffractionMap(Entry, definition="ALSmicrodiffraction"):
    """A raster over a sample with a diffraction pattern at every point, and a dark frame."""

    instrument: MapInstrument | None = None
