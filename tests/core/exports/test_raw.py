"""Raw numbers and their header, read as the format says and by nothing of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwell.errors import Conflict, InputError, ParameterError
from lightwell.exports import export

TYPES = {"MET_UCHAR": "<u1", "MET_USHORT": "<u2", "MET_FLOAT": "<f4"}


def read_header(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" = ", 1) for line in lines)


@pytest.mark.parametrize("name", ["head.raw", "head.mhd", "head"])
def test_the_header_says_how_to_read_the_numbers(
    volume: Any, ramp: Any, tmp_path: Path, name: str
) -> None:
    dataset = volume(ramp)
    export(dataset, "raw", tmp_path / name)
    header = read_header(tmp_path / "head.mhd")
    assert list(header)[-1] == "ElementDataFile"
    shape = [int(word) for word in header["DimSize"].split()][::-1]
    values = np.fromfile(tmp_path / header["ElementDataFile"], TYPES[header["ElementType"]])
    np.testing.assert_array_equal(values.reshape(shape), ramp)
    spacing = [float(word) for word in header["ElementSpacing"].split()]
    np.testing.assert_allclose(spacing, [0.65e-3, 0.65e-3, 2e-3])
    assert header["Lightwell_pid"] == dataset.pid


def test_neither_of_the_two_files_is_overwritten(volume: Any, ramp: Any, tmp_path: Path) -> None:
    (tmp_path / "head.raw").write_text("mine")
    with pytest.raises(Conflict):
        export(volume(ramp), "raw", tmp_path / "head.mhd")
    assert (tmp_path / "head.raw").read_text() == "mine"
    assert not (tmp_path / "head.mhd").exists()


def test_without_header_no_numbers_are_left(
    volume: Any, ramp: Any, tmp_path: Path, full_disk: Any
) -> None:
    dataset = volume(ramp)
    with full_disk(20_000), pytest.raises(InputError, match="disk is full"):
        export(dataset, "raw", tmp_path / "head.raw")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_another_ending_is_refused(volume: Any, ramp: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"head\.raw"):
        export(volume(ramp), "raw", tmp_path / "head.tif")
