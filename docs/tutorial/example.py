"""Write a small map in the beamline's format: ``python example.py map.h5``."""

import sys

import h5py
import numpy as np

CENTRE, RADII = (19.5, 24.0), (8, 15)


def write_map(path: str) -> None:
    """Write 24 patterns with rings at RADII around CENTRE (x, y), background 5, dark 100."""
    rng = np.random.default_rng(7)
    y, x = np.indices((48, 40))
    ring = np.isin(np.rint(np.hypot(x - CENTRE[0], y - CENTRE[1])), RADII)
    strength = np.linspace(20.0, 60.0, 24)[:, None, None]
    with h5py.File(path, "w") as file:
        file.attrs["end_station"] = "bl1232"
        file["frames"] = rng.poisson(105 + strength * ring).astype(np.uint16)
        file["dark"] = np.full(y.shape, 100.0, np.float32)
        file["sample"] = "tin whisker"
        for name, value, unit in (
            ("energy", 12.4, "keV"),
            ("distance", 150.0, "mm"),
            ("centre_x", CENTRE[0], "pixel"),
            ("centre_y", CENTRE[1], "pixel"),
        ):
            file[name] = value
            file[name].attrs["units"] = unit


if __name__ == "__main__":
    write_map(sys.argv[1])
