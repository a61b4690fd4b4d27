"""Powders with known rings: lattice spacings from the cell and its reflection conditions.

Cells in nm at about 295 K, from the certificates and papers named beside them.
"""

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALIBRANTS", "Calibrant", "ring_angles"]

Condition = Callable[[int, int, int], bool]


class Calibrant(NamedTuple):
    """A powder: its cell (nm), which reflections it has, and where both come from.

    system : "lamellar" has the orders of one spacing, c; "cubic" and "hexagonal" the usual cells.
    """

    system: str
    a: float
    c: float
    allowed: Condition
    source: str

    def spacings(self, shortest: float) -> NDArray[np.float64]:
        """Every spacing down to the shortest, nm, falling, each once.

        >>> CALIBRANTS["LaB6"].spacings(0.23).round(4).tolist()
        [0.4157, 0.2939, 0.24]
        """
        if self.system == "lamellar":
            return self.c / np.arange(1, math.floor(self.c / shortest) + 1, dtype=np.float64)
        most = [math.floor(2.0 / math.sqrt(3.0) * edge / shortest) + 1 for edge in (self.a, self.c)]
        indices = product(range(most[0] + 1), range(-most[0], most[0] + 1), range(most[1] + 1))
        found = {
            round(self._spacing(h, k, m), 9)
            for h, k, m in indices
            if (h, k, m) != (0, 0, 0) and self.allowed(h, k, m)
        }
        return np.array(sorted((d for d in found if d >= shortest), reverse=True))

    def _spacing(self, h: int, k: int, m: int) -> float:
        plane = h * h + k * k if self.system == "cubic" else 4.0 / 3.0 * (h * h + h * k + k * k)
        return 1.0 / math.sqrt(plane / self.a**2 + (m / self.c) ** 2)


def _every(h: int, k: int, m: int) -> bool:
    return True


def _face_centred(h: int, k: int, m: int) -> bool:
    return h % 2 == k % 2 == m % 2


def _diamond(h: int, k: int, m: int) -> bool:
    return _face_centred(h, k, m) and (h % 2 == 1 or (h + k + m) % 4 == 0)


def _corundum(h: int, k: int, m: int) -> bool:
    """R -3 c on hexagonal axes: obverse setting, and the glide plane."""
    return (
        (k - h + m) % 3 == 0
        and not (h == -k and m % 2)
        and not (h == 0 == k and m % 6)
        and (not ((h == 0 or k == 0) and m % 2))
    )


def _cubic(a: float, allowed: Condition, source: str) -> Calibrant:
    return Calibrant("cubic", a, a, allowed, source)


CALIBRANTS: Mapping[str, Calibrant] = {
    "AgB": Calibrant("lamellar", 5.838, 5.838, _every, "Huang et al. 1993, J. Appl. Cryst. 26"),
    "LaB6": _cubic(0.4156826, _every, "NIST SRM 660c"),
    "CeO2": _cubic(0.5411651, _face_centred, "NIST SRM 674b"),
    "Si": _cubic(0.5431179, _diamond, "NIST SRM 640e"),
    "corundum": Calibrant("hexagonal", 0.4759355, 1.2992310, _corundum, "NIST SRM 676a"),
    "Al": _cubic(0.40494, _face_centred, "Wyckoff 1963, Crystal Structures"),
    "Au": _cubic(0.40786, _face_centred, "Wyckoff 1963, Crystal Structures"),
    "NaCl": _cubic(0.56402, _face_centred, "Wyckoff 1963, Crystal Structures"),
}


def ring_angles(calibrant: Calibrant, wavelength: float, largest: float) -> NDArray[np.float64]:
    """Scattering angles of the rings up to the largest, rad, rising.

    wavelength : m
    """
    lengths = wavelength * 1e9
    shortest = lengths / (2.0 * math.sin(min(largest, math.pi * 0.99) / 2.0))
    return 2.0 * np.arcsin(np.minimum(lengths / (2.0 * calibrant.spacings(shortest)), 1.0))
