"""Simulators take parameters as steps do, and say what is true."""

from pathlib import Path
from typing import Annotated

import pytest

from lightwell import Simulated, Simulator, Unit
from lightwell.errors import ParameterError


def write(
    path: Path, *, size: int, pixel: Annotated[float, Unit("m")] = 1e-6, noise: float = 0
) -> Simulated:
    """Write the numbers to a file."""
    path.write_text(f"{size} {pixel} {noise}")
    return Simulated(path, {"size": size, "pixel": pixel, "noise": noise})


SIMULATOR = Simulator("test", write)


def test_text_and_python_values(tmp_path: Path) -> None:
    found = SIMULATOR.run(tmp_path / "a", {"size": "3", "pixel": "2 um"}, text=True)
    assert found.truth["size"] == 3
    assert found.truth["pixel"] == pytest.approx(2e-6)
    assert SIMULATOR.run(tmp_path / "b", {"size": 3}).truth["pixel"] == 1e-6


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"has no parameter 'sizes'. Did you mean 'size'"):
        SIMULATOR.run(tmp_path, {"sizes": 3})
    with pytest.raises(ParameterError, match=r"needs size. Give it: --set size=… .integer"):
        SIMULATOR.run(tmp_path, {})
    with pytest.raises(ParameterError, match="size = '3' does not fit"):
        SIMULATOR.run(tmp_path, {"size": "3"})
    assert list(SIMULATOR.parameters) == ["size", "pixel", "noise"]
