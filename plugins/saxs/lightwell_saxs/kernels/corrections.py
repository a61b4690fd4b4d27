"""What a pixel counts per unit of intensity, beside its response: angles, polarisation, absorption.

All are factors of the normalisation: signals stay counts, so that their variance is known, and
the intensity of a bin is the sum of counts over the sum of factors.
"""

import math
from types import ModuleType
from typing import Any

import numpy as np

from lightwell_saxs.kernels.geometry import (
    Geometry,
    azimuth,
    cos_incidence,
    positions,
    two_theta,
)

__all__ = ["path_transmission", "pixel_weights", "polarisation", "sensor_efficiency", "solid_angle"]


def solid_angle(cos_incidence: Any) -> Any:
    """Solid angle of a pixel relative to one at the PONI: cos³ of the angle of incidence."""
    return cos_incidence**3


def polarisation(two_theta: Any, azimuth: Any, factor: Any, xp: ModuleType = np) -> Any:
    """Share of the scattered intensity that polarisation leaves.

    factor : (horizontal - vertical) / (horizontal + vertical), 1 for a fully horizontal beam
    """
    squared = xp.cos(two_theta) ** 2
    return 0.5 * (1.0 + squared - factor * xp.cos(2.0 * azimuth) * (1.0 - squared))


def sensor_efficiency(cos_incidence: Any, transmission: Any, xp: ModuleType = np) -> Any:
    """Absorption in the sensor relative to normal incidence (Wu et al. 2002, J. Appl. Cryst. 35).

    transmission : share of photons that pass the sensor at normal incidence, 0 to 1
    """
    return (1.0 - xp.exp(xp.log(transmission) / cos_incidence)) / (1.0 - transmission)


def path_transmission(two_theta: Any, transmission: Any, xp: ModuleType = np) -> Any:
    """Transmission of air or of a window across the beam, relative to the straight path.

    transmission : along the beam, 0 to 1
    """
    return xp.exp(xp.log(transmission) * (1.0 / xp.cos(two_theta) - 1.0))


def pixel_weights(
    geometry: Geometry,
    shape: tuple[int, int],
    *,
    with_solid_angle: bool = True,
    polarisation_factor: float | None = None,
    sensor_transmission: float | None = None,
    window_transmission: float | None = None,
) -> Any:
    """The product of the corrections of every pixel (row, column); those not given are 1.

    Errors: ValueError for a transmission outside 0 to 1 or a factor outside -1 to 1.
    """
    for name, value in (("sensor", sensor_transmission), ("window", window_transmission)):
        if value is not None and not 0.0 < value < 1.0:
            raise ValueError(f"the transmission of the {name} is {value}, not between 0 and 1")
    if polarisation_factor is not None and not abs(polarisation_factor) <= 1.0:
        raise ValueError(f"the polarisation factor is {polarisation_factor}, not between -1 and 1")
    rows, columns = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    incidence = cos_incidence(geometry, rows, columns, shape)
    t1, t2, t3 = positions(geometry, rows, columns, shape)
    angle = two_theta(t1, t2, t3)
    found = solid_angle(incidence) if with_solid_angle else np.ones(shape)
    if polarisation_factor is not None:
        found = found * polarisation(angle, azimuth(t1, t2), polarisation_factor)
    if sensor_transmission is not None:
        found = found * sensor_efficiency(incidence, sensor_transmission)
    if window_transmission is not None:
        # Behind the sample nothing comes straight through; the formula holds up to 90 degrees.
        within = np.where(angle < math.pi / 2, angle, np.nan)
        found = found * path_transmission(within, window_transmission)
    return found
