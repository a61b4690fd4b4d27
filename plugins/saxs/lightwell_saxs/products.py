"""What flows through recipes of scattering: frames, curves, cakes."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from lightwell import Array, ArrayRef, Dims, Entry, Product
from lightwell.computed import Constant
from lightwell.errors import InputError, MissingMetadata
from lightwell.stacks import ArrayInMemory, LazyArray

if TYPE_CHECKING:
    from lightwell_saxs.kernels.geometry import Geometry

__all__ = [
    "Cake",
    "Curves",
    "Diffractograms",
    "Frames",
    "GrazingCuts",
    "GrazingMaps",
    "RingProfiles",
    "detector_arrays",
    "geometry_of",
]

_WITH_SIGMA = {"intensity": {"uncertainties": "sigma"}}

_ASK = (
    "give a calibration when you ingest (--set poni=FILE.poni), or make one with "
    "`lightwell calibrate`"
)


class Frames(Product):
    """Frames as they were counted, what each pixel is worth, and where the detector stood.

    mask : not 0 where a pixel must not count; flat : response of each pixel, 1 where it is not
    known; geometry : the fields of kernels.geometry.Geometry, in order; uncertainty : standard
    deviation of every count where the file holds it (floating point), else 0 as whole numbers.
    """

    frames: Annotated[Array, Dims("frame", "row", "column", unit="counts")]
    mask: Annotated[Array, Dims("row", "column")]
    flat: Annotated[Array, Dims("row", "column")]
    dark: Annotated[Array, Dims("row", "column", unit="counts")]
    geometry: Annotated[Array, Dims("parameter")]
    uncertainty: Annotated[Array, Dims("frame", "row", "column", unit="counts")]

    @classmethod
    def taken(
        cls,
        frames: Any,
        geometry: "Geometry",
        *,
        mask: Any = None,
        flat: Any = None,
        dark: Any = None,
        uncertainty: Any = None,
    ) -> Self:
        """Make frames from arrays in memory; one frame (row, column) becomes a stack of one."""
        import numpy as np

        stack = np.asarray(frames)
        stack = stack[None] if stack.ndim == 2 else stack
        size = stack.shape[1:]
        return cls.of(
            frames=stack,
            mask=np.zeros(size, np.uint8) if mask is None else np.asarray(mask) != 0,
            flat=np.ones(size, np.float32) if flat is None else flat,
            dark=np.zeros(size, np.float32) if dark is None else dark,
            geometry=np.asarray(geometry, np.float64),
            uncertainty=np.broadcast_to(np.uint8(0), stack.shape)
            if uncertainty is None
            else np.asarray(uncertainty, np.float64).reshape(stack.shape),
        )

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find frames, mask, flat, dark and geometry in an entry; no frame is read.

        Errors: MissingMetadata where there are no frames or no geometry; InputError where shapes
        do not fit together.
        """
        import numpy as np

        found = detector_arrays(entry, open_array)
        geometry = np.asarray(geometry_of(entry), np.float64)
        shape = found["frames"].shape
        errors = entry.lookup("instrument.detector.data_errors")
        if errors is None:
            spread: LazyArray = Constant(0, shape, np.dtype(np.uint8))
        elif isinstance(errors, ArrayRef) and errors.shape == shape:
            spread = open_array(errors)
        else:
            raise InputError(f"the errors of the frames have not their shape, {shape}")
        return {**found, "geometry": ArrayInMemory(geometry), "uncertainty": spread}


class Curves(Product):
    """Intensity over momentum transfer for every frame, with the error of each point.

    intensity : counts per pixel at the PONI, after all corrections; not a number where no pixel
    was; sigma : one standard deviation, not a number where it was not asked for.
    """

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "q", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "q", unit="counts", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]


class Cake(Product):
    """Intensity over azimuth and momentum transfer for every frame, with errors.

    azimuth : from the direction of rows of pixels (columns grow) towards rising rows.
    """

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "azimuth", "q", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "azimuth", "q", unit="counts", gaps=True)]
    azimuth: Annotated[Array, Dims("azimuth", unit="degree")]
    q: Annotated[Array, Dims("q", unit="1/nm")]


class Diffractograms(Product):
    """Intensity over the scattering angle for every frame, with the error of each point."""

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "two_theta", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "two_theta", unit="counts", gaps=True)]
    two_theta: Annotated[Array, Dims("two_theta", unit="degree")]


class RingProfiles(Product):
    """Intensity round the beam between two values of q for every frame, with errors.

    azimuth : as that of `Cake`.
    """

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "azimuth", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "azimuth", unit="counts", gaps=True)]
    azimuth: Annotated[Array, Dims("azimuth", unit="degree")]


class GrazingMaps(Product):
    """Intensity over momentum transfer out of and in the plane of a sample's surface.

    intensity : not a number where no ray that meets the detector has that transfer: outside its
    edges, and in the missing wedge about q_xy = 0.
    """

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "q_z", "q_xy", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "q_z", "q_xy", unit="counts", gaps=True)]
    q_z: Annotated[Array, Dims("q_z", unit="1/nm")]
    q_xy: Annotated[Array, Dims("q_xy", unit="1/nm")]


class GrazingCuts(Product):
    """Intensity along a line through the plane of (q_xy, q_z), with errors."""

    result_attributes: ClassVar = _WITH_SIGMA

    intensity: Annotated[Array, Dims("frame", "q", unit="counts", gaps=True)]
    sigma: Annotated[Array, Dims("frame", "q", unit="counts", gaps=True)]
    q: Annotated[Array, Dims("q", unit="1/nm")]


def detector_arrays(
    entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
) -> Mapping[str, LazyArray]:
    """Frames, mask, flat and dark of the main detector, unread; flat response where unknown.

    Errors: MissingMetadata where there are no frames; InputError where shapes do not fit.
    """
    import numpy as np

    ref = entry.lookup("instrument.detector.data")
    if not isinstance(ref, ArrayRef):
        raise MissingMetadata(
            "the entry has no frames (instrument.detector.data)",
            remedy="look at it with `lightwell show PID`",
        )
    if ref.ndim != 3:
        raise InputError(f"the frames have shape {ref.shape}, not (frame, row, column)")
    size = ref.shape[1:]
    beside = {
        "mask": ("pixel_mask", np.uint8(0)),
        "flat": ("flatfield", np.float32(1)),
        "dark": ("dark", np.float32(0)),
    }
    found = {"frames": open_array(ref)}
    for name, (field, value) in beside.items():
        found[name] = _beside(entry, field, size, value, open_array)
    return found


def geometry_of(entry: Entry) -> "Geometry":
    """The geometry an entry describes: its PONI, else an upright detector at a beam centre.

    Errors: MissingMetadata naming what is not there.
    """
    from math import radians

    from lightwell_saxs.kernels.geometry import Geometry, from_beam_centre
    from lightwell_saxs.schema import Poni

    pixel = (
        _needed(entry, "instrument.detector.y_pixel_size"),
        _needed(entry, "instrument.detector.x_pixel_size"),
    )
    wavelength = _needed(entry, "canonical.wavelength")
    poni = entry.lookup("instrument.detector.poni")
    if isinstance(poni, Poni):
        angles = (radians(angle) for angle in (poni.rot1, poni.rot2, poni.rot3))
        place = (poni.distance, poni.poni1, poni.poni2)
        return Geometry.of((*place, *angles, *pixel, wavelength, poni.orientation))
    row = _needed(entry, "instrument.detector.beam_center_y")
    column = _needed(entry, "instrument.detector.beam_center_x")
    distance = _needed(entry, "instrument.detector.distance")
    return from_beam_centre(row, column, distance, *pixel, wavelength)


def _needed(entry: Entry, path: str) -> float:
    found = entry.lookup(path)
    if not isinstance(found, float | int):
        raise MissingMetadata(f"the geometry is not known: the entry has no {path}", remedy=_ASK)
    return float(found)


def _beside(
    entry: Entry,
    field: str,
    size: tuple[int, ...],
    value: Any,
    open_array: Callable[[ArrayRef], LazyArray],
) -> LazyArray:
    """An array with one value per pixel, or the value everywhere where the entry has none."""
    import numpy as np

    ref = entry.lookup(f"instrument.detector.{field}")
    if ref is None:
        return ArrayInMemory(np.full(size, value))
    if ref.shape != size:
        raise InputError(
            f"instrument.detector.{field} has shape {ref.shape}, the frames {size}",
            remedy="give the one that belongs to this detector",
        )
    return open_array(ref)
