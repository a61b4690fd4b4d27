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

_WIDTH = 256
_DARK_LEVEL, _DARK_NOISE = 100.0, 2.0
_FLATS, _DARKS = 20, 20
_CIRCLE = 0.9
_LARGEST_COUNT = 65535
# Of the beam's profile, the pixels' own sensitivity, and five deviations of noise.
_BRIGHTEST = 1.1


def simulate(
    path: Path,
    *,
    width: int = _WIDTH,
    rows: int = 16,
    angles: int = 385,
    rotation_axis: Annotated[float | None, Unit("pixel")] = None,
    photons: float = 40000.0,
    drift: float = 0.05,
    transmission: float = 0.3,
    bad_pixels: int = 0,
    pixel_size: Annotated[float, Unit("m")] = 1e-6,
    energy: Annotated[float, Unit("eV")] = 20000.0,
    seed: int = 0,
) -> Simulated:
    """Write an NXtomo scan of the Shepp-Logan head with photon noise and a drifting beam.

    rotation_axis : 0 at the centre of the first pixel, the middle if not given; photons : per
    pixel in the full beam; drift : mean share of the beam lost during the scan, most of it at
    one edge, seen by flats before, amid and after; transmission : the smallest of the sample;
    bad_pixels : how many are dead or not linear, which makes stripes.
    Errors: ParameterError for what cannot be scanned.
    """
    import numpy as np

    from lightwell_tomography.phantoms import project, shepp_logan

    axis = (width - 1) / 2 if rotation_axis is None else rotation_axis
    lengths = {"pixel_size": pixel_size, "energy": energy, "photons": photons}
    _check(width, rows, angles, axis, drift, transmission, bad_pixels, lengths)
    degrees = np.linspace(0.0, 180.0, angles)
    # Pixels are square: the rows span as much of the head as they would of the detector's width.
    height = 2.0 * rows / width
    paths = project(shepp_logan(rows, height=height), degrees, width, axis)
    attenuation = -float(np.log(transmission)) / float(paths.max())
    rng = np.random.default_rng(seed)
    camera = _Camera(paths.shape[1:], photons, bad_pixels, rng)
    frames, key, angle = _acquire(np.exp(-attenuation * paths), degrees, drift, camera)
    written = {"pixel_size": pixel_size, "energy": energy, "title": "simulated Shepp-Logan head"}
    _write(path, frames, key, angle, written)
    truth = {
        "rotation_axis": float(axis),
        "attenuation": attenuation,
        "height": height,
        "rows": rows,
        "width": width,
    }
    return Simulated(path, truth)


def _check(
    width: int,
    rows: int,
    angles: int,
    axis: float,
    drift: float,
    transmission: float,
    bad_pixels: int,
    positive: "Mapping[str, float]",
) -> None:
    """Refuse what is no scan, or no picture of one.

    Errors: ParameterError.
    """
    most = int(_LARGEST_COUNT / _BRIGHTEST - _DARK_LEVEL)
    wrong = [f"{name} = {v:g} is not above 0" for name, v in positive.items() if not v > 0]
    if width < 16 or rows < 1 or angles < 8:
        wrong.append("a scan needs a width of 16, one row and eight angles at least")
    elif not 0 <= axis <= width - 1:
        wrong.append(f"rotation_axis = {axis:g} is not on the detector, 0 to {width - 1}")
    elif not 0 <= bad_pixels <= rows * width // 2:
        wrong.append(f"bad_pixels = {bad_pixels} is not between 0 and half of all pixels")
    if not 0 <= drift < 0.5:
        wrong.append(f"drift = {drift:g} is not between 0 and 0.5")
    if not 0 < transmission < 1:
        wrong.append(f"transmission = {transmission:g} is not between 0 and 1")
    if positive["photons"] > most:
        wrong.append(f"photons = {positive['photons']:g} saturate 16 bits, {most} do not")
    if wrong:
        raise ParameterError(f"this cannot be simulated: {'; '.join(wrong)}")


class _Camera:
    """A detector of 16 bits that counts photons, with pixels of unequal sensitivity."""

    def __init__(self, shape: tuple[int, ...], photons: float, bad_pixels: int, rng: Any) -> None:
        import numpy as np

        self.shape, self._rng = shape, rng
        profile = 1.0 - 0.2 * np.linspace(-1.0, 1.0, shape[1]) ** 2
        self.beam = photons * profile * np.clip(rng.normal(1.0, 0.02, shape), 0.92, 1.08)
        chosen = np.sort(rng.permutation(self.beam.size)[:bad_pixels])
        self._dead = np.unravel_index(chosen[::2], shape)
        self._bent = np.unravel_index(chosen[1::2], shape)

    def frame(self, exposure: "NDArray[Any]") -> "NDArray[Any]":
        """One frame of an exposure, in photons per pixel."""
        import numpy as np

        seen = exposure.copy()
        seen[self._dead] = 0.0
        # A tenth less in the full beam than a linear pixel would count.
        seen[self._bent] *= 1.0 - 0.1 * seen[self._bent] / self.beam[self._bent]
        dark = self._rng.normal(_DARK_LEVEL, _DARK_NOISE, self.shape)
        counted = self._rng.poisson(seen) + dark
        counts: NDArray[Any] = np.clip(np.rint(counted), 0, _LARGEST_COUNT).astype(np.uint16)
        return counts


def _acquire(
    seen: "NDArray[Any]", degrees: "NDArray[Any]", drift: float, camera: _Camera
) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """Frames in the order an instrument takes them: darks, flats, half, flats, half, flats."""
    import numpy as np

    count = len(seen)
    frames: list[NDArray[Any]] = []
    key: list[int] = []
    angle: list[float] = []

    def take(kind: int, exposure: "NDArray[Any]", degree: float, times: int = 1) -> None:
        for _ in range(times):
            frames.append(camera.frame(exposure))
            key.append(kind)
            angle.append(float(degree))

    take(DARK, np.zeros(camera.shape), degrees[0], _DARKS)
    # The beam moves off sideways: nothing is lost at one edge, twice the mean at the other.
    loss = drift * (1.0 + np.linspace(-1.0, 1.0, seen.shape[2]))
    for index in range(count + 1):
        beam = camera.beam * (1.0 - loss * index / count)
        if index in (0, count // 2, count):
            take(FLAT, beam, degrees[min(index, count - 1)], _FLATS)
        if index < count:
            take(PROJECTION, beam * seen[index], degrees[index])
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
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
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
        detector["data"].attrs.update(units="counts", interpretation="image")
        detector["image_key"] = key
        for name in ("x_pixel_size", "y_pixel_size"):
            _value(detector, name, facts["pixel_size"], "m")
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = "Shepp-Logan head"
        _value(sample, "rotation_angle", angle, "degree")
        data = _group(entry, "data", "NXdata")
        data.attrs.update(signal="data", axes=["rotation_angle", ".", "."])
        _link(data, detector, "data", "image_key")
        _link(data, sample, "rotation_angle")


def _group(parent: Any, name: str, nx_class: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _value(group: Any, name: str, value: Any, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def _link(group: Any, source: Any, *names: str) -> None:
    """Give arrays a second name, as NeXus does: with the first one as their `target`."""
    for name in names:
        source[name].attrs["target"] = source[name].name
        group[name] = source[name]


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
    """Parameters of a demonstration: the axis as far from the middle as the sample stays in view.

    chance : from 0 to 1, drawn by whoever shows it.
    """
    # The head reaches 0.92 of half the width from the axis.
    furthest = 0.038 * _WIDTH
    return {"rotation_axis": (_WIDTH - 1) / 2 + furthest * (2.0 * chance - 1.0)}


tomography = Simulator(
    "tomography",
    simulate,
    recipe="tomography.gridrec",
    judge=relative_error,
    measure="relative RMSE inside 0.9 of the circle",
    draw=draw,
)
