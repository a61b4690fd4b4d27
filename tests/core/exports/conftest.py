"""Small volumes in files, as results of jobs have them, and a disk that is full."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.datasets import Dataset
from lightwell.files import File
from lightwell.manifests import build_manifest
from lightwell.model import ArrayRef, Data, Detector, Entry, Instrument

PIXEL = (2e-6, 0.65e-6, 0.65e-6)
MakeVolume = Callable[..., Dataset]


def axis(length: int, step: float | None, first: float) -> ArrayRef:
    if step is None:
        return ArrayRef.even(0, length - 1, length, "pixel")
    if length == 1:
        return ArrayRef.constant(first, 1, "m")
    return ArrayRef.even(first, first + step * (length - 1), length, "m")


@pytest.fixture
def volume(tmp_path: Path) -> MakeVolume:
    """Make a dataset of one volume from an array (z, y, x)."""

    def make(values: Any, pixel: tuple[float, ...] | None = PIXEL, **changes: Any) -> Dataset:
        folder = tmp_path / "result"
        folder.mkdir(exist_ok=True)
        with h5py.File(folder / "v.h5", "w") as file:
            file["v"] = values
        ref = ArrayRef.hdf5("v.h5", "/v", values.shape, values.dtype, "1/pixel")
        sizes = pixel or (None,) * 3
        fields = {"v": ref}
        if values.ndim == 3:
            starts = (0.0, -(values.shape[1] - 1) / 2, 0.0)
            for name, length, size, start in zip("zyx", values.shape, sizes, starts, strict=True):
                fields[name] = axis(length, size, start * (size or 1))
        data = Data(signal="v", axes=("z", "y", "x")[: values.ndim], fields=fields)
        detector = Detector(data=ref, x_pixel_size=1e-6, y_pixel_size=3e-6)
        entry = Entry(
            title="a head, 1 µm",
            data={"data": data},
            instrument=Instrument(detector=detector),
            **changes,
        )
        manifest = build_manifest(File(folder), [("v.h5", "arrays")])
        return Dataset.of(entry, manifest, kind="derived", importer="t", path="x", owner="mia")

    return make


@pytest.fixture
def ramp() -> Any:
    """A volume of floats with a structure of its own in every voxel."""
    values = np.random.default_rng(3).normal(0.01, 0.004, (7, 33, 41)).astype(np.float32)
    values[:, 10:20, 10:20] += 0.05
    return values


@contextmanager
def no_larger_than(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: what a full disk does, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk() -> Callable[[int], Any]:
    return no_larger_than
