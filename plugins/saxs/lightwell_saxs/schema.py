"""The metadata of scattering: frames with a geometry."""

from typing import ClassVar, Self

from lightwell import ArrayRef, Detector, Entry, Instrument
from lightwell.model import Data
from lightwell.model.base import Group
from lightwell.units import Degree, Metre

__all__ = [
    "Azint1d",
    "Azint2d",
    "Poni",
    "ReducedScattering",
    "Scattering",
    "ScatteringDetector",
    "ScatteringInstrument",
]


class Poni(Group):
    """Where a flat detector stands, in pyFAI's convention (kernels.geometry).

    distance, poni1, poni2 : the point of normal incidence; orientation : which corner of the
    image the first pixel is; origin : the file or the calibration it comes from.
    """

    nx_class: ClassVar[str] = "NXcollection"

    distance: Metre
    poni1: Metre
    poni2: Metre
    rot1: Degree = 0.0
    rot2: Degree = 0.0
    rot3: Degree = 0.0
    orientation: int = 3
    origin: str | None = None


class ScatteringDetector(Detector):
    """A detector with a full geometry, its dark counts and the value of what counted nothing.

    dark, flatfield, pixel_mask : (row, column); data_errors : standard deviation of every count,
    (frame, row, column); dummy, delta_dummy : pixels whose value is no
    farther from `dummy` than `delta_dummy` counted nothing in that frame.
    """

    poni: Poni | None = None
    dark: ArrayRef | None = None
    data_errors: ArrayRef | None = None
    dummy: float | None = None
    delta_dummy: float | None = None


class ScatteringInstrument(Instrument):
    """A beamline whose main detector has a geometry."""

    detector: ScatteringDetector | None = None


class Scattering(Entry, definition="NXsas"):
    """Raw frames of small- or wide-angle scattering.

    instrument.detector.data : (frame, row, column) counts
    """

    instrument: ScatteringInstrument | None = None

    def with_plot(self) -> Self:
        """The frames with what NXsas asks for beside them: themselves to plot."""
        frames = self.lookup("instrument.detector.data")
        if not isinstance(frames, ArrayRef):
            return self
        plot = Data(
            signal="data",
            axes=(".",) * frames.ndim,
            fields={"data": frames},
            interpretation="image",
        )
        return self.model_copy(update={"data": {**self.data, "data": plot}, "default": "data"})


class ReducedScattering(Entry, definition="NXcanSAS"):
    """Reduced curves or images: I over Q with Idev and resolution, in `data`.

    run : the facility's number of the measurement; correction factors stand in `process`.
    """

    run: str | None = None
    instrument: ScatteringInstrument | None = None


class Azint1d(Entry, definition="NXazint1d"):
    """Frames averaged round the beam: I and I_errors (frame, radial_axis), what was corrected."""

    solid_angle_applied: bool = False
    polarization_applied: bool = False
    normalization_applied: bool = False
    instrument: Instrument | None = None


class Azint2d(Entry, definition="NXazint2d"):
    """Frames over azimuth and q: I and I_errors (frame, azimuthal_axis, radial_axis)."""

    solid_angle_applied: bool = False
    polarization_applied: bool = False
    normalization_applied: bool = False
    instrument: Instrument | None = None
