"""A disk that fills up while HDF5 writes is an error, and the process lives on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lightwell.hdf5.compression import chunks_of
from lightwell.hdf5.surviving import surviving


def test_what_is_written_is_what_h5py_writes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, (20, 30, 40))
    with surviving(tmp_path / "a.h5") as (file, check):
        file.create_dataset("v", data=values, chunks=(1, 30, 40), compression="gzip")
        file["g/text"] = "words"
        check()
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["v"][()], values)
        assert file["g/text"][()] == b"words"


@pytest.mark.parametrize("size", [0, 100, 2000, 5000, 40_000, 200_000])
def test_a_full_disk_is_an_error_at_whatever_byte(
    tmp_path: Path, full_disk: Any, size: int
) -> None:
    values = np.random.default_rng(0).integers(0, 9, (20, 30, 40))

    def write() -> None:
        with surviving(tmp_path / "a.h5") as (file, _):
            stack = file.create_dataset("v", values.shape, values.dtype, chunks=(1, 30, 40))
            for index, frame in enumerate(values):
                stack[index] = frame
            # Read back from what never reached the disk.
            np.testing.assert_array_equal(stack[()], values)
            for number in range(200):
                file[f"groups/{number}/value"] = number

    with full_disk(size), pytest.raises(OSError, match="too large"):
        write()
    write()


def test_the_process_ends_well_after_it(tmp_path: Path) -> None:
    program = f"""
import resource, numpy
from pathlib import Path
from lightwell.hdf5.surviving import surviving
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))
try:
    with surviving(Path({str(tmp_path)!r}) / "a.h5") as (file, check):
        file.create_dataset("v", data=numpy.ones((9, 50, 50)), chunks=(1, 50, 50))
        check()
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "File too large\n"), done.stderr


def test_arrays_without_values_have_no_chunks() -> None:
    assert chunks_of((0, 4, 5), 2) is None
    assert chunks_of((), 8) is None
