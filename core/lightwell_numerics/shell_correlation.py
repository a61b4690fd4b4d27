"""Fourier ring and shell correlation: up to which frequency two measurements of one thing agree.

Sources: Saxton, Baumeister 1982 (ring correlation); van Heel, Schatz 2005 (half-bit threshold).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ShellCorrelation", "shell_correlation"]

_RUN = 3


class ShellCorrelation(NamedTuple):
    """Correlation of two arrays over spatial frequency.

    frequency   : (shell,) cycles per sample, the middle of the shell
    correlation : (shell,) from -1 to 1, the real part of the normalised product
    threshold   : (shell,) half a bit of information per sample
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    threshold: NDArray[np.float64]

    def crossing(self) -> float | None:
        """Frequency at which the correlation goes below the threshold and stays there, or None.

        It stays where two further shells lie below as well; a single dip, and the noise of the few
        samples of the first shells, end nothing. The place is interpolated linearly.
        """
        below = self.correlation < self.threshold
        for index in range(len(below)):
            if below[index : index + _RUN].all():
                return self._interpolated(index)
        return None

    def _interpolated(self, index: int) -> float:
        if index == 0:
            return float(self.frequency[0])
        over = float(self.correlation[index - 1] - self.threshold[index - 1])
        under = float(self.threshold[index] - self.correlation[index])
        before, after = (float(self.frequency[i]) for i in (index - 1, index))
        return before + (after - before) * over / max(over + under, 1e-300)


def shell_correlation(
    first: ArrayLike, second: ArrayLike, *, window: ArrayLike | None = None
) -> ShellCorrelation:
    """Correlate two arrays of one shape, shell by shell up to half a cycle per sample.

    first, second : (…) real or complex, aligned to each other; window : (…) from 0 to 1, without
    edges: what it cuts off is not correlated, and the mean inside is taken away before.
    Shells are one sample of the longest axis wide; the first, the mean, is left out. Half-bit
    threshold for SNR 0.2071 of each half; independent samples of a shell are its samples by the
    mean square of the window, half as many for real arrays.
    Errors: ValueError for unequal shapes.
    """
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape:
        raise ValueError(f"arrays of shapes {one.shape} and {other.shape} cannot be correlated")
    weight = np.ones(one.shape) if window is None else np.asarray(window, np.float64)
    spectra = [np.fft.fftn((a - np.average(a, weights=weight)) * weight) for a in (one, other)]
    longest = max(one.shape)
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in one.shape), indexing="ij", sparse=True)
    reach = np.sqrt(sum(grid**2 for grid in grids))
    shell = np.rint(reach * longest).astype(np.int64).ravel()
    count = longest // 2 + 1

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.bincount(shell, values.ravel(), minlength=count)[1:count]
        return np.asarray(found, np.float64)

    product = summed((spectra[0] * spectra[1].conj()).real)
    power = summed(np.abs(spectra[0]) ** 2) * summed(np.abs(spectra[1]) ** 2)
    samples = summed(np.ones(one.shape)) * float(np.mean(weight**2))
    if not (np.iscomplexobj(one) or np.iscomplexobj(other)):
        samples = samples / 2
    root = np.sqrt(np.maximum(samples, 1.0))
    threshold = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    correlation = product / np.sqrt(np.maximum(power, 1e-300))
    return ShellCorrelation(np.arange(1, count) / longest, correlation, threshold)
