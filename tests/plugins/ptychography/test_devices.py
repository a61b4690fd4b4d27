"""What is shared out among devices; on a machine with one, three are made of it."""

from typing import Any

import numpy as np
import pytest
from virtual_devices import run_on_devices

from lightwell.errors import ParameterError
from lightwell_ptychography import steps
from lightwell_ptychography.products import Diffraction

# 37 frames of this size are five chunks, so that some devices have less to do than others. RAAR is
# the difference map with another number in it.
SHARING: dict[str, tuple[int, dict[str, Any]]] = {
    "adam": (3, {"group": 40}),
    "dm": (2, {"overlap_steps": 2}),
    "lbfgs": (3, {}),
}
ITERATIONS = 6


def frames() -> Diffraction:
    random = np.random.default_rng(0)
    y, x = np.indices((16, 16)) - 8
    probe = 60 * np.exp(-(y**2 + x**2) / 18)
    object_ = np.exp(1j * random.uniform(0, 1, (32, 32)))
    corners = random.integers(0, 12, (37, 2))
    waves = np.stack([probe * object_[r : r + 16, c : c + 16] for r, c in corners])
    counts = np.abs(np.fft.fft2(waves, norm="ortho")) ** 2
    seen = np.fft.fftshift(random.poisson(counts), axes=(1, 2))
    return Diffraction.taken(seen, corners, guess=probe)


def compare() -> None:
    """Object, probe and error of every algorithm, on some devices as on one."""
    data = frames()
    for name, (devices, given) in SHARING.items():
        step, given = getattr(steps, name), {"iterations": ITERATIONS, "start": "file", **given}
        one, some = step(data, **given), step(data, devices=devices, **given)
        for array in ("object", "probe", "error"):
            alone, shared = np.asarray(getattr(one, array)), np.asarray(getattr(some, array))
            apart = float(np.abs(alone - shared).max() / np.abs(alone).max())
            assert apart < 1e-4, (name, array, apart)


def test_several_devices_find_what_one_finds() -> None:
    run_on_devices(__file__, 3)


@pytest.mark.parametrize("name", [*SHARING, "raar"])
def test_more_devices_than_there_are_is_a_sentence(name: str) -> None:
    with pytest.raises(ParameterError, match=r"1000 devices are asked for, and there"):
        getattr(steps, name)(frames(), iterations=1, devices=1000)


if __name__ == "__main__":
    compare()
