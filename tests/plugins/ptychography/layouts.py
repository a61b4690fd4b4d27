"""One scan, written in every layout as its makers document it: what has to come back."""

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np

JOULE = 1.602176634e-19
ENERGY, DISTANCE, PIXEL = 8000.0, 1.5, 75e-6


@dataclasses.dataclass(frozen=True)
class Scan:
    """frames : counts, zero frequency in the middle; light : (frame, 2) m, rows first."""

    frames: Any
    light: Any
    mask: Any


def scan(count: int = 9, side: int = 16) -> Scan:
    random = np.random.default_rng(5)
    frames = random.poisson(30.0, (count, side, side)).astype(np.int32)
    mask = np.zeros((side, side), np.uint32)
    mask[3, 5] = 8
    return Scan(frames, random.uniform(0, 2e-6, (count, 2)), mask)


def cxi(path: Path, one: Scan, *, links: str = "data_1", positions: int = 0, **extra: Any) -> Path:
    """CXI 1.6; `links` says which of the two homes of the frames is a link to the other."""
    moved = np.stack([one.light[:, 1], one.light[:, 0], 0 * one.light[:, 0]], axis=1)
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        entry = file.create_group("entry_1")
        homes = ["entry_1/instrument_1/detector_1/data", "entry_1/data_1/data"]
        real, link = homes if links == "data_1" else homes[::-1]
        file[real] = one.frames
        file[link] = h5py.SoftLink("/" + real)
        entry["sample_1/geometry_1/translation"] = moved[: positions or None]
        entry["data_1/translation"] = h5py.SoftLink("/entry_1/sample_1/geometry_1/translation")
        detector = entry.require_group("instrument_1/detector_1")
        detector["distance"] = DISTANCE
        detector["x_pixel_size"] = detector["y_pixel_size"] = PIXEL
        detector["mask"] = one.mask
        entry["instrument_1/source_1/energy"] = ENERGY * JOULE
        for name, value in extra.items():
            detector[name] = value
    return path


def cosmic(path: Path, one: Scan) -> Path:
    """ALS 5.3.2.1 and COSMIC: CXI 1.4 without basis vectors, with a guess of the illumination."""
    cxi(path, one, links="detector", corner_position=[6e-4, 6e-4, DISTANCE])
    with h5py.File(path, "a") as file:
        file["cxi_version"][()] = 140
        probe = np.exp(1j * np.linspace(0, 3, one.frames[0].size)).reshape(one.frames[0].shape)
        file["entry_1/instrument_1/source_1/illumination"] = probe.astype(np.complex64)
        file["entry_1/start_time"] = "2020-05-21T16:00:02-07:00"
    return path


def ptyd(path: Path, one: Scan) -> Path:
    """PtyPy: chunks of frames with positions; a weight of 1 where a pixel counts."""
    with h5py.File(path, "w") as file:
        file["meta/energy"], file["meta/distance"] = ENERGY / 1e3, DISTANCE
        file["meta/psize"], file["meta/version"] = [PIXEL, PIXEL], "0.1"
        file["meta/weight2d"] = (one.mask == 0).astype(float)
        file["info/propagation"] = "farfield"
        # Eleven names, which do not sort by themselves.
        for number, part in enumerate(np.array_split(np.arange(len(one.frames)), 11)):
            if len(part):
                file[f"chunks/{number}/data"] = one.frames[part]
                file[f"chunks/{number}/positions"] = one.light[part]
                file[f"chunks/{number}/indices"] = part
    return path


def hxn(path: Path, one: Scan) -> Path:
    """NSLS-II: roots of counts with the zero frequency in the corner, points in um."""
    with h5py.File(path, "w") as file:
        file["diffamp"] = np.fft.fftshift(np.sqrt(one.frames), axes=(1, 2))
        file["points"] = one.light.T * 1e6
        file["z_m"], file["ccd_pixel_um"] = DISTANCE, PIXEL * 1e6
        file["lambda_nm"] = 1239.8419843320025 / ENERGY
        file["angle"] = 12.5
    return path


def tike(path: Path, one: Scan, pixel: float) -> Path:
    """Archives of tike: counts with the zero frequency in the corner, positions in pixels."""
    frames = np.fft.ifftshift(one.frames, axes=(1, 2)).astype(np.float32)
    np.savez(path, data=frames[None], scan=(one.light / pixel)[None].astype(np.float32))
    return path
