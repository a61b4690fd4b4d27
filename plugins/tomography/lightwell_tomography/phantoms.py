"""Phantoms whose projections are known exactly, to judge reconstructions against the truth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Ellipses", "project", "rasterise", "shepp_logan"]

# Columns: value, half axes a, b, c, centre x, y, tilt about the rotation axis in degree.
_MODIFIED_SHEPP_LOGAN = np.array(
    [
        (1.0, 0.6900, 0.920, 0.810, 0.00, 0.0000, 0.0),
        (-0.8, 0.6624, 0.874, 0.780, 0.00, -0.0184, 0.0),
        (-0.2, 0.1100, 0.310, 0.220, 0.22, 0.0000, -18.0),
        (-0.2, 0.1600, 0.410, 0.280, -0.22, 0.0000, 18.0),
        (0.1, 0.2100, 0.250, 0.410, 0.00, 0.3500, 0.0),
        (0.1, 0.0460, 0.046, 0.050, 0.00, 0.1000, 0.0),
        (0.1, 0.0460, 0.046, 0.050, 0.00, -0.1000, 0.0),
        (0.1, 0.0460, 0.023, 0.050, -0.08, -0.6050, 0.0),
        (0.1, 0.0230, 0.023, 0.020, 0.00, -0.6060, 0.0),
        (0.1, 0.0230, 0.046, 0.020, 0.06, -0.6050, 0.0),
    ]
)


class Ellipses(NamedTuple):
    """The ellipses of one slice; lengths in units of half the detector's width.

    value    : (ellipse,) float64, attenuation per pixel
    half_a   : (ellipse,) float64, half axis along x before the tilt
    half_b   : (ellipse,) float64, half axis along y before the tilt
    centre_x : (ellipse,) float64, from the rotation axis
    centre_y : (ellipse,) float64, from the rotation axis
    tilt     : (ellipse,) float64, radian, from x to y
    """

    value: NDArray[np.float64]
    half_a: NDArray[np.float64]
    half_b: NDArray[np.float64]
    centre_x: NDArray[np.float64]
    centre_y: NDArray[np.float64]
    tilt: NDArray[np.float64]


def shepp_logan(rows: int, attenuation: float = 1.0, height: float = 1.0) -> list[Ellipses]:
    """The modified Shepp-Logan head in three dimensions, cut into `rows` slices.

    attenuation : per pixel, of the skull; the brain has a fifth of it
    height      : spanned by the slices, in units of half the detector's width

    The slices lie evenly about the middle plane, which is the well-known two-dimensional phantom.

    Source: L. A. Shepp and B. F. Logan, IEEE Trans. Nucl. Sci. 21, 21 (1974); raised contrast of
    P. Toft, "The Radon Transform", thesis, DTU (1996), table B.3.
    """
    value, a, b, c, x, y, tilt = _MODIFIED_SHEPP_LOGAN.T
    slices = []
    for z in height * ((np.arange(rows) + 0.5) / rows - 0.5):
        cut = np.abs(z) < c
        shrink = np.sqrt(1.0 - np.square(z / c[cut]))
        slices.append(
            Ellipses(
                value=attenuation * value[cut],
                half_a=a[cut] * shrink,
                half_b=b[cut] * shrink,
                centre_x=x[cut],
                centre_y=y[cut],
                tilt=np.deg2rad(tilt[cut]),
            )
        )
    return slices


def project(
    slices: list[Ellipses], angles: ArrayLike, width: int, rotation_axis: float
) -> NDArray[np.float32]:
    """Exact parallel projections, each detector pixel averaging the rays that fall on it.

    slices        : one per detector row
    angles        : (angle,) float64, degree
    rotation_axis : pixel, 0 at the centre of the first pixel
    returns       : (angle, row, x) float32, line integrals in units of one pixel
    """
    theta = np.deg2rad(np.asarray(angles, np.float64))[:, None]
    edges = (np.arange(width + 1) - 0.5 - rotation_axis) * (2.0 / width)
    projections = np.empty((theta.size, len(slices), width), np.float32)
    for row, ellipses in enumerate(slices):
        cumulative = np.zeros((theta.size, width + 1))
        for value, a, b, x, y, tilt in zip(*ellipses, strict=True):
            reach = np.hypot(a * np.cos(theta - tilt), b * np.sin(theta - tilt))
            centre = x * np.cos(theta) + y * np.sin(theta)
            u = np.clip((edges - centre) / reach, -1.0, 1.0)
            # The integral of the chord up to u: the area of a circle's segment, stretched.
            cumulative += value * a * b * (u * np.sqrt(1.0 - np.square(u)) + np.arcsin(u))
        projections[:, row] = np.diff(cumulative, axis=1) * (0.25 * width * width)
    return projections


def rasterise(slices: list[Ellipses], width: int, supersample: int = 4) -> NDArray[np.float32]:
    """The phantom on the grid of a reconstruction, each pixel averaging its sub-pixels.

    returns : (row, y, x) float32, attenuation per pixel, axis at (width - 1) / 2 in y and x
    """
    fine = width * supersample
    position = ((np.arange(fine) + 0.5) * (2.0 / fine) - 1.0).astype(np.float32)
    volume = np.empty((len(slices), width, width), np.float32)
    for row, ellipses in enumerate(slices):
        image = np.zeros((fine, fine), np.float32)
        for value, a, b, x, y, tilt in zip(*ellipses, strict=True):
            reach = max(a, b)
            columns = slice(*np.searchsorted(position, (x - reach, x + reach)))
            lines = slice(*np.searchsorted(position, (y - reach, y + reach)))
            dx, dy = position[None, columns] - x, position[lines, None] - y
            along_a = (dx * np.cos(tilt) + dy * np.sin(tilt)) / a
            along_b = (dy * np.cos(tilt) - dx * np.sin(tilt)) / b
            inside = np.square(along_a) + np.square(along_b) <= 1.0
            image[lines, columns] += np.float32(value) * inside
        blocks = image.reshape(width, supersample, width, supersample)
        volume[row] = blocks.mean(axis=(1, 3))
    return volume
