"""A simulated scan: an object and an illumination known exactly, seen by a detector that counts."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lightwell import Simulated, Simulator, Unit
from lightwell.errors import ParameterError
from lightwell.units import wavelength_from_energy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray
    from lightwell_ptychography.forward import Optics

__all__ = ["ptychography", "simulate", "truth_of"]

_DEAD = 0x8
_LARGEST = 1e9


def simulate(
    path: Path,
    *,
    frame: int = 64,
    positions: int = 196,
    step: float = 0.09,
    scan: Literal["raster", "spiral"] = "raster",
    jitter: float = 0.3,
    whole_pixels: bool = False,
    position_error: Annotated[float, Unit("pixel")] = 0.0,
    photons: float = 6.8e5,
    background: float = 0.0,
    fluctuation: float = 0.0,
    modes: int = 1,
    mode_power: float = 0.25,
    source_blur: Annotated[float, Unit("pixel")] = 0.0,
    dead_pixels: int = 0,
    field: Literal["far", "near"] = "far",
    aperture: float = 0.33,
    probe_diameter: float = 0.4,
    slices: int = 1,
    slice_distance: Annotated[float, Unit("m")] = 5e-6,
    distance: Annotated[float | None, Unit("m")] = None,
    pixel_size: Annotated[float | None, Unit("m")] = None,
    energy: Annotated[float, Unit("eV")] = 8000.0,
    seed: int = 0,
) -> Simulated:
    """Write a CXI file of a ptychographic scan, and its truth beside it as NAME.truth.npz.

    frame : rows and columns of the detector; step : between positions, share of the frame; jitter
    : of positions, share of the step; whole_pixels : positions fall on pixels of the object;
    position_error : up to so many pixels, along rows and columns, between the positions that were
    lit and those in the file; photons : in the mean frame; background : photons per pixel that did
    not come through the sample; fluctuation : of the beam, one sigma, share; mode_power : of every
    mode, in shares of the one before; source_blur : sigma of the image of an incoherent source on
    the detector; dead_pixels : count nothing and are in the mask; aperture, probe_diameter : shares
    of the frame's frequencies and of the frame; slices : of the object, slice_distance apart;
    distance : to the detector, 2 m in the far field, 0.2 m in the near; pixel_size : 75 and 1 µm.
    Errors: ParameterError for what cannot be measured; Conflict where there is a file.
    """
    import numpy as np

    from lightwell_ptychography.forward import MARGIN, Sample, counted
    from lightwell_ptychography.phantoms import scan_path

    far = field == "far"
    distance = (2.0 if far else 0.2) if distance is None else distance
    pixel_size = (75e-6 if far else 1e-6) if pixel_size is None else pixel_size
    _check(
        {"distance": distance, "pixel_size": pixel_size, "energy": energy, "photons": photons,
         "step": step, "slice_distance": slice_distance, "mode_power": mode_power},
        {"jitter": jitter, "position_error": position_error, "background": background,
         "fluctuation": fluctuation, "source_blur": source_blur},
        {"aperture": aperture, "probe_diameter": probe_diameter},
        {"frame": (frame, 16, 4096), "positions": (positions, 4, 10**6), "modes": (modes, 1, 10),
         "slices": (slices, 1, 10), "dead_pixels": (dead_pixels, 0, frame * frame // 2)},
    )  # fmt: skip
    instrument = _Instrument(frame, positions, distance, pixel_size, energy, far)
    optics = instrument.optics(slice_distance, source_blur)
    rng = np.random.default_rng(seed)
    told = scan_path(positions, step * frame, scan, jitter, rng) + MARGIN + position_error
    lit = told + rng.uniform(-position_error, position_error, told.shape)
    told, lit = (np.rint(told), np.rint(lit)) if whole_pixels else (told, lit)
    shares = mode_power ** np.arange(modes)
    sample = Sample.drawn(optics, lit, shares / shares.sum(), slices, aperture, probe_diameter, rng)
    sample.probe *= math.sqrt(photons / sample.mean_power(optics, lit))
    beam = np.maximum(1.0 + fluctuation * rng.standard_normal(positions), 0.0)
    dead = rng.permutation(frame * frame)[:dead_pixels]
    blocks = counted(sample, optics, lit, beam, background, dead, rng)
    arrays = sample.arrays(positions=lit, positions_told=told, beam=beam)
    kept = _write(path, blocks, told * instrument.pixel, dead, instrument, arrays)
    facts = {"photons": photons, "modes": modes, "slices": slices, "slice_distance": slice_distance}
    return Simulated(path, {**instrument.facts(kept), **facts, "defocus": sample.defocus})


@dataclasses.dataclass(frozen=True)
class _Instrument:
    """What the file says beside frames and positions."""

    frame: int
    positions: int
    distance: float
    pixel_size: float
    energy: float
    far: bool

    @property
    def wavelength(self) -> float:
        """Metre."""
        return wavelength_from_energy(self.energy)

    @property
    def pixel(self) -> float:
        """Of the object, metre."""
        if self.far:
            return self.wavelength * self.distance / (self.frame * self.pixel_size)
        return self.pixel_size

    def optics(self, slice_distance: float, blur: float) -> "Optics":
        """From the light behind the sample to the detector."""
        from lightwell_ptychography.forward import Optics

        field = "far" if self.far else "near"
        way = (self.wavelength, self.pixel, self.distance)
        return Optics(self.frame, *way, field, slice_distance, blur)

    def facts(self, arrays: Path) -> dict[str, Any]:
        """The part of the truth that is in the file too, and where the rest is."""
        return {
            "arrays": str(arrays),
            "frame": self.frame,
            "positions": self.positions,
            "field": "far" if self.far else "near",
            "object_pixel": self.pixel,
            "wavelength": self.wavelength,
            "distance": self.distance,
        }


def truth_of(truth: Mapping[str, Any]) -> "dict[str, NDArray[Any]]":
    """The true arrays: object (slice, y, x), probe (mode, y, x), positions (frame, 2) pixels.

    `positions_told` are those in the file, `beam` the beam at every frame over its mean; the probe
    is in square roots of photons, its squares summed are those of a frame without a sample.
    """
    import numpy as np

    with np.load(truth["arrays"]) as kept:
        return {name: kept[name] for name in kept.files}


def _check(
    positive: Mapping[str, float],
    never_negative: Mapping[str, float],
    shares: Mapping[str, float],
    counts: Mapping[str, tuple[int, int, int]],
) -> None:
    """Refuse what is no scan.

    Errors: ParameterError.
    """
    wrong = [f"{name} = {value:g} is not above 0" for name, value in positive.items() if value <= 0]
    wrong += [f"{name} = {v:g} is below 0" for name, v in never_negative.items() if v < 0]
    wrong += [f"{n} = {v:g} is not between 0 and 1" for n, v in shares.items() if not 0 < v < 1]
    wrong += [
        f"{name} = {value} is not from {least} to {most}"
        for name, (value, least, most) in counts.items()
        if not least <= value <= most
    ]
    if positive["photons"] > _LARGEST:
        wrong.append(f"photons = {positive['photons']:g} do not fit into 32 bits")
    if wrong:
        raise ParameterError(f"this cannot be simulated: {'; '.join(wrong)}")


def _write(
    path: Path,
    blocks: "Iterator[NDArray[Any]]",
    light: "NDArray[Any]",
    dead: "NDArray[Any]",
    instrument: _Instrument,
    truth: "Mapping[str, NDArray[Any]]",
) -> Path:
    """Write CXI 1.6: the sample is moved, rows run downwards (-y), columns to the right (-x).

    light : (frame, 2) metre, where the illumination is on the object. Gives the file of the truth.
    """
    import numpy as np

    from lightwell.files import complete_file
    from lightwell.hdf5 import soft_link, writing

    kept = path.with_name(f"{path.stem}.truth.npz")
    with writing(path) as file:
        file["cxi_version"], file["number_of_entries"] = 160, 1
        entry = file.create_group("entry_1")
        entry["title"] = "simulated ptychography"
        entry["sample_1/name"] = "discs"
        moved = np.stack([light[:, 1], light[:, 0], np.zeros(len(light))], axis=1)
        entry["sample_1/geometry_1/translation"] = moved
        entry["instrument_1/name"] = "simulated beamline"
        entry["instrument_1/source_1/energy"] = instrument.energy * _JOULE
        entry["instrument_1/source_1/wavelength"] = instrument.wavelength
        _write_detector(entry.create_group("instrument_1/detector_1"), blocks, dead, instrument)
        entry["data_1/data"] = soft_link("/entry_1/instrument_1/detector_1/data")
        entry["data_1/translation"] = soft_link("/entry_1/sample_1/geometry_1/translation")
        with complete_file(kept) as part, part.open("wb") as opened:
            kept_arrays: Any = {name: _single(array) for name, array in truth.items()}
            np.savez(opened, **kept_arrays)
    return kept


def _write_detector(
    group: Any, blocks: "Iterator[NDArray[Any]]", dead: "NDArray[Any]", instrument: _Instrument
) -> None:
    import numpy as np

    side, size = instrument.frame, instrument.pixel_size
    shape = (instrument.positions, side, side)
    data = group.create_dataset(
        "data", shape, np.int32, chunks=(1, side, side), shuffle=True, compression=1
    )
    at = 0
    for block in blocks:
        data[at : at + len(block)] = block
        at += len(block)
    mask = np.zeros(side * side, np.uint32)
    mask[dead] = _DEAD
    group["mask"] = mask.reshape(side, side)
    group["distance"] = instrument.distance
    group["x_pixel_size"] = group["y_pixel_size"] = size
    group["basis_vectors"] = np.array([[0.0, -size], [-size, 0.0], [0.0, 0.0]])
    corner = side // 2 * size
    group["corner_position"] = np.array([corner, corner, instrument.distance])


def _single(array: "NDArray[Any]") -> "NDArray[Any]":
    return array.astype("complex64" if array.dtype.kind == "c" else "float32")


_JOULE = 1.602176634e-19
"""One electronvolt."""


def object_error(found: "LazyArray", truth: Mapping[str, Any]) -> float:
    """Relative RMS difference of an object from the true one, as `judgement` defines it."""
    from lightwell_ptychography.judgement import object_error as compared

    true = truth_of(truth)
    return compared(found.read(), true["object"], true["positions"], true["probe"])


def draw(chance: float) -> dict[str, Any]:
    """Parameters of a demonstration: a sample that nobody has seen."""
    return {"seed": round(chance * 99_999)}


ptychography = Simulator(
    "ptychography",
    simulate,
    recipe="ptychography.rpie",
    judge=object_error,
    measure="relative RMS error of the object",
    draw=draw,
)
