"""The metadata of a ptychographic scan: frames, where the beam was at each, what they are of."""

from typing import Annotated, ClassVar, Literal

from lightwell import ArrayRef, Detector, Entry, Instrument
from lightwell.model.base import Group
from lightwell.units import Metre, Unit

__all__ = [
    "Ptychography",
    "PtychographyDetector",
    "PtychographyInstrument",
    "Scan",
]

Vector = Annotated[tuple[float, ...], Unit("m")]


class PtychographyDetector(Detector):
    """A detector that sees diffraction, or a magnified hologram.

    zero_frequency : where the undiffracted beam is in a frame, "corner" in frames stored for a
    Fourier transform; amplitudes : whether frames hold square roots of counts; mask_counts :
    whether a pixel counts where `pixel_mask` is not 0, in place of the opposite; mask_ignores :
    bits of it that are no fault;
    basis_vectors : steps from pixel to pixel along rows (x, y, z), then along columns;
    corner_position : of the first pixel; background : (row, column) counts.
    """

    zero_frequency: Literal["centre", "corner"] | None = None
    amplitudes: bool | None = None
    mask_counts: bool | None = None
    mask_ignores: int | None = None
    basis_vectors: Vector | None = None
    corner_position: Vector | None = None
    background: ArrayRef | None = None


class PtychographyInstrument(Instrument):
    """A beamline whose main detector sees diffraction."""

    detector: PtychographyDetector | None = None


class Scan(Group):
    """Where the beam was on the sample at every frame, and what it is taken to be.

    positions : (frame, component), or (component, frame) with components_first; to_rows,
    to_columns : what a position has to be multiplied by to give the place of the illumination on
    the object along rows and along columns of the frames; unit "pixel" means pixels of the object;
    propagation : "far" or "near" field; focus_distance : from a focus to the sample behind it,
    whose magnified shadow is seen in the near field; probe : (mode, row, column) a guess of the
    illumination, or one mode of it.
    """

    nx_class: ClassVar[str] = "NXcollection"

    positions: ArrayRef | None = None
    components_first: bool | None = None
    to_rows: tuple[float, ...] = ()
    to_columns: tuple[float, ...] = ()
    propagation: Literal["far", "near"] | None = None
    focus_distance: Metre | None = None
    probe: ArrayRef | None = None


class Ptychography(Entry, definition="NXcxi_ptycho"):
    """Raw frames of ptychography.

    instrument.detector.data : (frame, row, column) counts; scan.positions : one per frame
    """

    instrument: PtychographyInstrument | None = None
    scan: Scan | None = None
