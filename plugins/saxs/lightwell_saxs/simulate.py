"""A simulated scan: rings and a smooth decay, known exactly, counted by a detector with gaps."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lightwell import Simulated, Simulator, Unit
from lightwell.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray
    from lightwell_saxs.kernels.geometry import Geometry

__all__ = ["RINGS", "ring_profile", "scattering", "simulate"]

RINGS = 1.0763
"""1/nm, q of the first of equally spaced rings: 2π / 5.8380 nm, silver behenate."""

_MODULE, _GAP = 195, 17
_DUMMY = -2


def ring_profile(q: Any, *, photons: float, width: float) -> Any:
    """Expected counts per pixel: a decay on which rings stand, each half as high as the last.

    q : 1/nm; width : 1/nm, standard deviation of a ring
    """
    import numpy as np

    decay = 0.2 / (1.0 + (2.0 * q / RINGS) ** 2) + 0.02
    rings = sum(0.5**n * np.exp(-0.5 * ((q - (n + 1) * RINGS) / width) ** 2) for n in range(12))
    return photons * (decay + rings)


def simulate(
    path: Path,
    *,
    rows: int = 407,
    columns: int = 487,
    frames: int = 3,
    photons: float = 1000.0,
    ring_width: Annotated[float, Unit("1/nm")] = 0.03,
    distance: Annotated[float, Unit("m")] = 0.5,
    beam_row: Annotated[float, Unit("pixel")] = 160.3,
    beam_column: Annotated[float, Unit("pixel")] = 210.7,
    rot1: Annotated[float, Unit("degree")] = 3.0,
    rot2: Annotated[float, Unit("degree")] = -2.0,
    pixel_size: Annotated[float, Unit("m")] = 172e-6,
    energy: Annotated[float, Unit("eV")] = 10000.0,
    beam_stop: Annotated[float, Unit("pixel")] = 12.0,
    bad_pixels: int = 20,
    seed: int = 0,
) -> Simulated:
    """Write an NXsas scan of a powder on a tilted detector with modules, gaps and a beam stop.

    photons : in the brightest pixel of the first ring; beam_row, beam_column : where the direct
    beam meets the detector; beam_stop : radius of its shadow; bad_pixels : never count, and are
    in no mask: their value is -2.
    Errors: ParameterError for what cannot be measured.
    """
    import numpy as np

    from lightwell.units import wavelength_from_energy
    from lightwell_saxs.kernels.geometry import Geometry, beam_centre, pixel_positions
    from lightwell_saxs.kernels.splitting import full_range

    lengths = {"distance": distance, "pixel_size": pixel_size, "energy": energy}
    _check(rows, columns, frames, bad_pixels, {**lengths, "photons": photons, "width": ring_width})
    tilted = Geometry(
        distance, 0.0, 0.0, math.radians(rot1), math.radians(rot2), 0.0,
        pixel_size, pixel_size, wavelength_from_energy(energy),
    )  # fmt: skip
    shape = (rows, columns)
    row, column = beam_centre(tilted, shape)
    geometry = tilted._replace(
        poni1=(beam_row - row) * pixel_size, poni2=(beam_column - column) * pixel_size
    )
    rng = np.random.default_rng(seed)
    expected, mask = _expected(
        geometry, shape, photons, ring_width, (beam_row, beam_column, beam_stop)
    )
    counts = rng.poisson(expected, (frames, *shape)).astype(np.int32)
    counts[:, mask != 0] = -1
    chosen = rng.permutation(counts[0].size)[:bad_pixels]
    counts.reshape(frames, -1)[:, chosen] = _DUMMY
    _write(path, counts, mask, geometry)
    truth = {
        "geometry": [float(value) for value in geometry],
        "q_range": full_range(pixel_positions(geometry, shape), mask == 0),
        "photons": photons,
        "ring_width": ring_width,
    }
    return Simulated(path, truth)


def _check(
    rows: int, columns: int, frames: int, bad_pixels: int, positive: Mapping[str, float]
) -> None:
    """Refuse what is no scan.

    Errors: ParameterError.
    """
    wrong = [f"{name} = {value:g} is not above 0" for name, value in positive.items() if value <= 0]
    if min(rows, columns) < 16 or frames < 1:
        wrong.append("a scan needs a frame of 16 rows and columns at least")
    elif not 0 <= bad_pixels <= rows * columns // 2:
        wrong.append(f"bad_pixels = {bad_pixels} is not between 0 and half of all pixels")
    if positive["photons"] > 1e8:
        wrong.append(f"photons = {positive['photons']:g} do not fit into 32 bits")
    if wrong:
        raise ParameterError(f"this cannot be simulated: {'; '.join(wrong)}")


def _expected(
    geometry: "Geometry",
    shape: tuple[int, int],
    photons: float,
    width: float,
    stop: tuple[float, float, float],
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Expected counts of every pixel, and the mask of gaps between modules."""
    import numpy as np

    from lightwell_saxs.kernels.corrections import pixel_weights
    from lightwell_saxs.kernels.geometry import pixel_positions

    q = pixel_positions(geometry, shape).radial
    expected = ring_profile(q, photons=photons, width=width) * pixel_weights(geometry, shape)
    rows, columns = np.indices(shape)
    shadow = np.hypot(rows - stop[0], columns - stop[1]) <= stop[2]
    mask = np.zeros(shape, np.uint8)
    mask[(rows % (_MODULE + _GAP)) >= _MODULE] = 1
    # The shadow of the beam stop is masked by whoever drew the mask.
    mask[shadow] = 1
    return np.where(shadow, 0.0, expected), mask


def _write(path: Path, counts: Any, mask: Any, geometry: "Geometry") -> None:
    from lightwell.hdf5 import writing
    from lightwell_saxs.kernels.geometry import beam_centre

    with writing(path) as file:
        file.attrs.update(NX_class="NXroot", default="entry")
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["definition"] = "NXsas"
        entry["title"] = "simulated rings"
        instrument = _group(entry, "instrument", "NXinstrument")
        instrument["name"] = "simulated beamline"
        source = _group(instrument, "source", "NXsource")
        source["name"], source["type"], source["probe"] = "lightwell", "simulated", "x-ray"
        mono = _group(instrument, "monochromator", "NXmonochromator")
        _value(mono, "wavelength", geometry.wavelength, "m")
        detector = _group(instrument, "detector", "NXdetector")
        detector.create_dataset("data", data=counts, chunks=(1, *counts.shape[1:]))
        detector["data"].attrs.update(units="counts", interpretation="image")
        detector["pixel_mask"] = mask
        row, column = beam_centre(geometry, mask.shape)
        facts = {
            "distance": (geometry.distance, "m"),
            "x_pixel_size": (geometry.pixel2, "m"),
            "y_pixel_size": (geometry.pixel1, "m"),
            "beam_center_x": (column, "pixel"),
            "beam_center_y": (row, "pixel"),
        }
        for name, (value, unit) in facts.items():
            _value(detector, name, value, unit)
        detector["dummy"] = float(_DUMMY)
        detector["delta_dummy"] = 1.5
        _write_poni(_group(detector, "poni", "NXcollection"), geometry)
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = "powder"
        data = _group(entry, "data", "NXdata")
        data.attrs.update(signal="data", axes=[".", ".", "."])
        detector["data"].attrs["target"] = detector["data"].name
        data["data"] = detector["data"]


def _write_poni(group: Any, geometry: "Geometry") -> None:
    for name in ("distance", "poni1", "poni2"):
        _value(group, name, getattr(geometry, name), "m")
    for name in ("rot1", "rot2", "rot3"):
        _value(group, name, math.degrees(getattr(geometry, name)), "degree")
    group["orientation"] = geometry.orientation
    group["origin"] = "simulated"


def _group(parent: Any, name: str, nx_class: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _value(group: Any, name: str, value: Any, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def relative_error(intensity: "LazyArray", truth: Mapping[str, Any]) -> float:
    """Relative RMSE of the mean curve against the profile, where it is above 5 % of its peak.

    intensity : (frame, bin), over all q the detector sees
    """
    import numpy as np

    from lightwell_saxs.kernels.splitting import Axis

    found = np.asarray(intensity.read(), np.float64)
    seen = np.isfinite(found)
    count = seen.sum(axis=0)
    # A bin that no pixel is in has no mean, in no frame.
    mean = np.where(count > 0, np.where(seen, found, 0.0).sum(axis=0), np.nan)
    mean /= np.maximum(count, 1)
    first, last = truth["q_range"]
    q = Axis(first, last, len(mean)).centres()
    true = ring_profile(q, photons=truth["photons"], width=truth["ring_width"])
    bright = (true > 0.05 * truth["photons"]) & np.isfinite(mean)
    return float(np.sqrt(np.mean((mean[bright] / true[bright] - 1.0) ** 2)))


def draw(chance: float) -> dict[str, Any]:
    """Parameters of a demonstration: the beam somewhere on the left half of the detector."""
    return {"beam_column": 120.0 + 200.0 * chance}


scattering = Simulator(
    "saxs",
    simulate,
    recipe="saxs.integrate",
    judge=relative_error,
    measure="relative RMSE of the curve",
    draw=draw,
)
