"""Spacings next to published tables."""

from typing import Any

import numpy as np
import pytest

from lightwell_saxs.kernels.calibrants import CALIBRANTS, ring_angles

THEIRS = {
    "AgB": "AgBh",
    "LaB6": "LaB6_SRM660c",
    "CeO2": "CeO2",
    "Si": "Si_SRM640e",
    "corundum": "alpha_Al2O3_SRM676a_2015",
}


@pytest.mark.parametrize("name", THEIRS)
def test_spacings_are_those_of_pyfais_tables(name: str, require: Any) -> None:
    require("pyFAI")
    from pyFAI.calibrant import get_calibrant

    theirs = np.array(get_calibrant(THEIRS[name]).dspacing) / 10
    ours = CALIBRANTS[name].spacings(0.9999 * theirs.min())
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=2e-6)


def test_rings_obey_bragg() -> None:
    angles = ring_angles(CALIBRANTS["LaB6"], 1e-10, 1.0)
    np.testing.assert_allclose(2 * 0.4156826 * np.sin(angles[0] / 2), 0.1)
    assert angles[-1] <= 1.0
    assert np.all(np.diff(angles) > 0)
