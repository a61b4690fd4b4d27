"""A simulated scan: a phantom known exactly, counted by a detector that is not perfect."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lightwell import Simulated, Simulator, Unit
from lightwell.errors import ParameterError
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["relative_error", "simulate", "tomography"]

_DARK_LEVEL = 100.0
_FLATS = 5
_DARKS = 5
_PHANTOM_HEIGHT = 0.6
_CIRCLE = 0.9


def simulate(
    path: Path,
    *,
    width: int = 256,
    rows: int = 16,
    angles: int = 385,
    rotation_axis: Annotated[float | None, Unit("pixel")] = None,
    photons: float = 20000.0,
    drift: float = 0.05,
    transmission: float = 0.3,
    pixel_size: Annotated[float, Unit("m")] = 1e-6,
    energy: Annotated[float, Unit("eV")] = 20000.0,
    seed: int = 0,
) -> Simulated:
    """Write an NXtomo scan of the Shepp-Logan head with photon noise and a drifting beam.

    rotation_axis : 0 at the centre of the first pixel, the middle if not given; photons : per
    pixel in the full beam; drift : share of the beam lost during the scan, seen by flats before,
    amid and after; transmission : the smallest of the sample.
    Errors: ParameterError for sizes too small to be a scan.
    """
    import numpy as np

    from lightwell_tomography.phantoms import project, shepp_logan

    if width < 16 or rows < 1 or angles < 8:  # noqa: PLR2004
        raise ParameterError("a scan needs a width of 16, one row and eight angles at least")
    axis = (width - 1) / 2 if rotation_axis is None else rotation_axis
    attenuation = -np.log(transmission) / (0.55 * width)
    degrees = np.linspace(0.0, 180.0, angles)
    slices = shepp_logan(rows, attenuation=attenuation, height=_PHANTOM_HEIGHT)
    seen = np.exp(-project(slices, degrees, width, axis))
    frames, key, angle = _acquire(seen, degrees, photons, drift, np.random.default_rng(seed))
    facts = {"pixel_size": pixel_size, "energy": energy, "title": "simulated Shepp-Logan head"}
    _write(path, frames, key, angle, facts)
    truth = {
        "rotation_axis": float(axis),
        "attenuation": float(attenuation),
        "height": _PHANTOM_HEIGHT,
        "rows": rows,
        "width": width,
    }
    return Simulated(path, truth)


def _acquire(
    seen: "NDArray[Any]", degrees: "NDArray[Any]", photons: float, drift: float, rng: Any
) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """Frames in the order an instrument takes them: darks, flats, half, flats, half, flats."""
    import numpy as np

    count, rows, width = seen.shape
    x = np.linspace(-1.0, 1.0, width)
    beam = photons * (1.0 - 0.2 * x**2) * rng.normal(1.0, 0.02, (rows, width))
    frames, key, angle = [], [], []

    def take(kind: int, exposure: "NDArray[Any]", degree: float) -> None:
        counted = rng.poisson(exposure) + rng.normal(_DARK_LEVEL, 2.0, (rows, width))
        frames.append(np.clip(np.rint(counted), 0, 65535).astype(np.uint16))
        key.append(kind)
        angle.append(degree)

    for _ in range(_DARKS):
        take(DARK, np.zeros((rows, width)), 0.0)
    for index in range(count + 1):
        strength = 1.0 - drift * index / count
        if index in (0, count // 2, count):
            for _ in range(_FLATS):
                take(FLAT, beam * strength, degrees[min(index, count - 1)])
        if index < count:
            take(PROJECTION, beam * strength * seen[index], degrees[index])
    return np.stack(frames), np.array(key, np.int32), np.array(angle)


def _write(
    path: Path,
    frames: "NDArray[Any]",
    key: "NDArray[Any]",
    angle: "NDArray[Any]",
    facts: "Mapping[str, Any]",
) -> None:
    from lightwell.hdf5 import writing

    with writing(path) as file:
        file.attrs.update(NX_class="NXroot", default="entry")
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="data")
        entry["definition"] = "NXtomo"
        entry["title"] = facts["title"]
        instrument = _group(entry, "instrument", "NXinstrument")
        instrument["name"] = "simulated beamline"
        source = _group(instrument, "source", "NXsource")
        source["name"], source["type"], source["probe"] = "lightwell", "simulated", "x-ray"
        mono = _group(instrument, "monochromator", "NXmonochromator")
        _value(mono, "energy", facts["energy"], "eV")
        detector = _group(instrument, "detector", "NXdetector")
        detector.create_dataset("data", data=frames, chunks=(1, *frames.shape[1:]))
        detector["data"].attrs["units"] = "counts"
        detector["image_key"] = key
        for name in ("x_pixel_size", "y_pixel_size"):
            _value(detector, name, facts["pixel_size"], "m")
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = "Shepp-Logan head"
        _value(sample, "rotation_angle", angle, "degree")
        data = _group(entry, "data", "NXdata")
        data.attrs["signal"] = "data"
        for name, target in (("data", detector["data"]), ("image_key", detector["image_key"])):
            data[name] = target
        data["rotation_angle"] = sample["rotation_angle"]


def _group(parent: Any, name: str, nx_class: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _value(group: Any, name: str, value: Any, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def relative_error(volume: "LazyArray", truth: "Mapping[str, Any]") -> float:
    """Relative RMSE of a reconstruction against the phantom, inside 0.9 of the circle.

    volume : (row, y, x) 1/pixel
    """
    import numpy as np

    from lightwell_tomography.phantoms import rasterise, shepp_logan

    width, rows = int(truth["width"]), int(truth["rows"])
    slices = shepp_logan(rows, attenuation=truth["attenuation"], height=truth["height"])
    true = rasterise(slices, width)
    found = np.asarray(volume.read(), np.float64)
    offset = np.arange(width) - (width - 1) / 2
    inside = np.hypot(offset[:, None], offset) <= _CIRCLE * width / 2
    difference = (found - true)[:, inside]
    return float(np.sqrt(np.mean(difference**2) / np.mean(true[:, inside] ** 2)))


def draw(chance: float) -> dict[str, Any]:
    """Parameters of a demonstration: the axis up to ten pixels from the middle.

    chance : from 0 to 1, drawn by whoever shows it.
    """
    return {"rotation_axis": 127.5 + 20.0 * chance - 10.0}


tomography = Simulator(
    "tomography",
    simulate,
    recipe="tomography.gridrec",
    judge=relative_error,
    measure="relative RMSE inside 0.9 of the circle",
    draw=draw,
)
