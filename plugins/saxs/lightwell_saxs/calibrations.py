"""`lightwell calibrate powder`: where the detector stood, from the rings of a known powder."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from lightwell import Array, ArrayRef, Dims, Entry, From, Product, Unit
from lightwell.calibration import Calibrated, Calibration, Constant
from lightwell.errors import InputError, ParameterError
from lightwell.stacks import ArrayInMemory, LazyArray
from lightwell_saxs.products import detector_arrays

__all__ = ["Exposure", "find_geometry", "powder"]

_LARGEST_TILT = 3.0
"""degree: a tilt known no better than this is not known."""


class Exposure(Product):
    """Frames of a powder, and pixels that must not count; no geometry is needed."""

    frames: Annotated[Array, Dims("frame", "row", "column", unit="counts")]
    mask: Annotated[Array, Dims("row", "column")]
    flat: Annotated[Array, Dims("row", "column")]
    dark: Annotated[Array, Dims("row", "column", unit="counts")]

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find frames, mask, flat and dark; a hundred frames at most.

        Errors: MissingMetadata, InputError.
        """
        found = dict(detector_arrays(entry, open_array))
        frames = found["frames"]
        if frames.shape[0] > _FRAMES:
            found["frames"] = ArrayInMemory(frames.read((slice(0, _FRAMES),)))
        return found


_FRAMES = 100

Calibrants = Literal["AgB", "LaB6", "CeO2", "Si", "corundum", "Al", "Au", "NaCl"]


def find_geometry(
    exposure: Exposure,
    *,
    calibrant: Calibrants,
    energy: Annotated[float, Unit("eV"), From("canonical.energy")],
    pixel_size: Annotated[float, Unit("m"), From("canonical.pixel_size")],
    distance_min: Annotated[float | None, Unit("m")] = None,
    distance_max: Annotated[float | None, Unit("m")] = None,
    free: str = "distance,poni1,poni2,rot1,rot2",
    orientation: int = 3,
    dummy: Annotated[float | None, From("instrument.detector.dummy")] = None,
    delta_dummy: Annotated[float, From("instrument.detector.delta_dummy")] = 0.0,
) -> Calibrated:
    """Distance, PONI and tilts of a detector from the rings of a powder, from a blank start.

    distance_min, distance_max : where the detector can be, if it is known; free : what is
    refined, of distance, poni1, poni2, rot1, rot2, rot3, wavelength.
    Errors: InputError where the rings do not determine what is asked for.
    """
    import numpy as np

    from lightwell.units import wavelength_from_energy
    from lightwell_saxs.kernels.calibrants import CALIBRANTS
    from lightwell_saxs.kernels.powder_calibration import calibrate_powder

    image, valid = _mean(exposure, dummy, delta_dummy)
    near = None
    if distance_min is not None or distance_max is not None:
        near = (distance_min or 0.0, distance_max or math.inf)
    try:
        found = calibrate_powder(
            image, valid, CALIBRANTS[calibrant], wavelength_from_energy(energy),
            (pixel_size, pixel_size), near=near, free=_free(free), orientation=orientation,
        )  # fmt: skip
    except (ValueError, np.linalg.LinAlgError) as error:
        raise InputError(
            f"the rings do not give the geometry: {error}",
            remedy="check calibrant and energy, mask what is no ring, give distance_min and "
            "distance_max, or refine less (--set free=distance,poni1,poni2)",
        ) from None
    _refuse_loose(found.refined)
    return _answer(found, calibrant, (image.shape[0], image.shape[1]))


def _free(text: str) -> tuple[str, ...]:
    from lightwell_saxs.kernels.refinement import PARAMETERS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    strange = [name for name in names if name not in PARAMETERS]
    if strange or not names or len(set(names)) != len(names):
        raise ParameterError(
            f"free = {text!r} is no list of parameters", remedy=f"choose of {', '.join(PARAMETERS)}"
        )
    return names


def _mean(exposure: Exposure, dummy: float | None, delta: float) -> tuple[Any, Any]:
    """The mean frame, as counts of one frame, and which pixels have one."""
    import numpy as np

    frames = np.asarray(exposure.frames, np.float64)
    valid = np.isfinite(frames)
    if dummy is not None:
        away = np.abs(frames - dummy)
        valid &= (away > delta) if delta else (away != 0)
    flat = np.asarray(exposure.flat, np.float64)
    count = valid.sum(axis=0)
    usable = (count > 0) & (np.asarray(exposure.mask) == 0) & (flat > 0) & np.isfinite(flat)
    total = np.where(valid, frames, 0.0).sum(axis=0) / np.maximum(count, 1)
    image = (total - np.asarray(exposure.dark, np.float64)) / np.where(usable, flat, 1.0)
    return np.where(usable, image, 0.0), usable


def _refuse_loose(refined: Any) -> None:
    """Refuse tilts that the rings hardly see.

    Errors: InputError naming them.
    """
    loose = [
        name
        for name in ("rot1", "rot2")
        if name in refined.free and math.degrees(refined.sigma(name)) > _LARGEST_TILT
    ]
    if loose:
        raise InputError(
            f"the rings do not determine {' and '.join(loose)}: they would be "
            f"known to {math.degrees(refined.sigma(loose[0])):.0f} degrees only",
            remedy="take the detector for upright: --set free=distance,poni1,poni2",
        )


def _answer(found: Any, calibrant: str, shape: tuple[int, int]) -> Calibrated:
    from lightwell.units import energy_from_wavelength
    from lightwell_saxs.kernels.calibrants import CALIBRANTS
    from lightwell_saxs.kernels.geometry import beam_centre
    from lightwell_saxs.kernels.refinement import PARAMETERS
    from lightwell_saxs.poni import poni_text

    refined, geometry = found.refined, found.refined.geometry
    units = {name: "rad" if name.startswith("rot") else "m" for name in PARAMETERS}
    constants = tuple(
        Constant(
            name,
            float(getattr(geometry, name)),
            refined.sigma(name) if name in refined.free else None,
            units[name],
        )
        for name in PARAMETERS
    )
    row, column = beam_centre(geometry, shape)
    tilt = math.degrees(math.acos(math.cos(geometry.rot1) * math.cos(geometry.rot2)))
    derived = (
        Constant("beam_center_y", row, None, "pixel"),
        Constant("beam_center_x", column, None, "pixel"),
        Constant("tilt", tilt, None, "degree"),
        Constant("energy", energy_from_wavelength(geometry.wavelength), None, "eV"),
    )
    rings = sorted({int(ring) + 1 for ring in found.points.ring})
    reason = (
        f"{len(found.points.rows)} points on {len(rings)} rings of {calibrant}, "
        f"{found.scatter:.2f} pixel from them"
    )
    verdict = "good" if found.scatter < 1.0 and len(rings) > 1 else "doubtful"
    note = f"lightwell calibrate powder: {reason} ({CALIBRANTS[calibrant].source})"
    return Calibrated(constants, derived, verdict, reason, poni_text(geometry, shape, note))


powder = Calibration("powder", Exposure, find_geometry, ".poni")
