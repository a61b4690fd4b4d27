"""The spreading kernel of non-uniform Fourier transforms and its own transform.

Source: A. H. Barnett, J. Magland, L. af Klinteberg, "A parallel nonuniform fast Fourier transform
library based on an 'exponential of semicircle' kernel", SIAM J. Sci. Comput. 41, C479 (2019),
eq. (1.8) for the kernel and section 4.2 for its shape parameter.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SpreadingKernel", "kernel_transform", "kernel_values", "spreading_kernel"]

_QUADRATURE_ORDER = 64


class SpreadingKernel(NamedTuple):
    """Exponential-of-semicircle kernel.

    support : width in grid cells
    shape   : the parameter beta of the exponential
    """

    support: int
    shape: float


def spreading_kernel(support: int, oversampling: float) -> SpreadingKernel:
    """The kernel of an even `support` in cells, tuned to a grid `oversampling` times too fine.

    Raises ValueError for an odd or non-positive support, or an oversampling not above 1.
    """
    if support < 2 or support % 2:
        raise ValueError(f"the kernel support must be an even number of cells, not {support}")
    if oversampling <= 1.0:
        raise ValueError(f"the oversampling must be above 1, not {oversampling}")
    return SpreadingKernel(support, 0.98 * np.pi * support * (1.0 - 0.5 / oversampling))


def kernel_values(kernel: SpreadingKernel, offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kernel at `offset` grid cells from its centre; zero outside the support.

    offset : any shape, float64, grid cells
    """
    inside = 1.0 - np.square(offset * (2.0 / kernel.support))
    root = np.sqrt(np.maximum(inside, 0.0))
    return np.asarray(np.where(inside >= 0.0, np.exp(kernel.shape * (root - 1.0)), 0.0))


def kernel_transform(
    kernel: SpreadingKernel, frequency: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fourier transform of the kernel, by Gauss-Legendre quadrature, exact to about 1e-12.

    frequency : (n,) float64, cycles per grid cell
    """
    nodes, weights = np.polynomial.legendre.leggauss(_QUADRATURE_ORDER)
    offset = nodes * (0.5 * kernel.support)
    weighted = weights * (0.5 * kernel.support) * kernel_values(kernel, offset)
    return np.asarray(np.cos(2.0 * np.pi * np.outer(frequency, offset)) @ weighted)
