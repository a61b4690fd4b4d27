"""A small NXtomo file that is right in all, to be made wrong in one thing."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

Change = Callable[[Any], None]
FRAMES = 6


def write_scan(path: Path, change: Change | None = None) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
        if change is not None:
            change(file)
    return path


def fill(file: Any) -> None:
    file.attrs.update({"NX_class": "NXroot", "default": "entry"})
    entry = group(file, "entry", "NXentry", default="data")
    entry["title"] = "a tooth"
    entry["definition"] = "NXtomo"
    entry["start_time"] = "2026-01-31T12:00:00+01:00"
    instrument = group(entry, "instrument", "NXinstrument")
    source = group(instrument, "source", "NXsource")
    source["name"] = "APS"
    source["type"] = "Synchrotron X-ray Source"
    source["probe"] = "x-ray"
    beam = group(instrument, "beam", "NXbeam")
    quantity(beam, "incident_energy", 19_260.0, "eV")
    detector = group(instrument, "detector", "NXdetector")
    frames = np.arange(FRAMES * 4 * 5, dtype="u2").reshape(FRAMES, 4, 5)
    detector["data"] = frames
    detector["image_key"] = np.array([1, 0, 0, 0, 0, 2])
    quantity(detector, "x_pixel_size", 6.5e-7, "m")
    quantity(detector, "distance", 0.12, "m")
    quantity(detector, "count_time", np.full(FRAMES, 0.1), "s")
    sample = group(entry, "sample", "NXsample")
    sample["name"] = "tooth"
    quantity(sample, "rotation_angle", np.linspace(0, 180, FRAMES), "degree")
    data = group(entry, "data", "NXdata", signal="data", axes=["rotation_angle", ".", "."])
    data.attrs["rotation_angle_indices"] = 0
    for name, place in {
        "data": "/entry/instrument/detector/data",
        "image_key": "/entry/instrument/detector/image_key",
        "rotation_angle": "/entry/sample/rotation_angle",
    }.items():
        file[place].attrs["target"] = place
        data[name] = h5py.SoftLink(place)


def group(parent: Any, name: str, nx_class: str, **attributes: Any) -> Any:
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    made.attrs.update(attributes)
    return made


def quantity(parent: Any, name: str, value: Any, unit: str) -> None:
    parent[name] = value
    parent[name].attrs["units"] = unit


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Path]:
    """Write the good scan, changed by a function of the open file."""

    def write(change: Change | None = None, name: str = "scan.nxs") -> Path:
        return write_scan(tmp_path / name, change)

    return write


# In a process of its own: it keeps files open, and damaged ones can end the process.
PEER = """
import json, logging, sys
from nexusformat.nexus import validate

validate.logger.setLevel(logging.CRITICAL)
found = {}
for path in sys.argv[1:]:
    errors = 0
    for check in (validate.validate_file, validate.validate_application):
        try:
            errors += check(path)[1]
        except Exception:
            errors = -1
            break
    found[path] = errors
print(json.dumps(found))
"""


@pytest.fixture
def nexusformat(
    require: Callable[[str], ModuleType],
) -> Callable[[Iterable[Path]], dict[Path, int]]:
    """Ask NeXpy's validator, base classes and application, how many errors each file has.

    -1 stands for a file that it cannot look at.
    """
    require("nexusformat")

    def ask(paths: Iterable[Path]) -> dict[Path, int]:
        command = [sys.executable, "-c", PEER, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        counted = json.loads(done.stdout.splitlines()[-1])
        return {Path(path): errors for path, errors in counted.items()}

    return ask
