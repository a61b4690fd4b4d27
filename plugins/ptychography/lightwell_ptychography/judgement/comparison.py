"""How far a reconstruction is from the truth, once what no intensity can tell is taken away."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["lit_region", "object_difference", "object_error", "projected"]

_LIT = 0.3
"""Share of the largest illumination above which an object is compared."""


def object_error(found: Any, true: Any, positions: Any, probe: Any) -> float:
    """Relative RMS difference of an object from the true one where the scan lit it well.

    found, true : (slice, row, column) or (row, column) complex, of any shapes; positions : (frame,
    2) pixels of the true object; probe : (mode, row, column).
    A complex factor, a phase ramp and a shift are taken away first. Of several slices their product
    is compared. Lit well is what got 0.3 of the largest illumination at least.
    """
    return object_difference(found, true, lit_region(projected(true).shape, positions, probe))


def object_difference(found: Any, reference: Any, region: Any) -> float:
    """Relative RMS difference of two objects in a region of the second, ambiguities taken away.

    Gives 1 where nothing of the region is known, or something is no number.
    """
    import numpy as np

    from lightwell_ptychography.judgement.ambiguities import aligned

    true = np.asarray(projected(reference), np.complex128)
    found = np.asarray(projected(found), np.complex128)
    if not np.isfinite(found).all() or not found.any():
        return 1.0
    straight, where, _ = aligned(found, true, region)
    if not where.any():
        return 1.0
    # The factor of least squares belongs to the object: a blank one is then 1 at most.
    seen, aim = straight[where], true[where]
    size = float(np.vdot(seen, seen).real)
    factor = np.vdot(seen, aim) / size if size else 0.0
    rest = float(np.linalg.norm(aim - factor * seen))
    return rest / max(float(np.linalg.norm(aim)), 1e-300)


def projected(layers: Any) -> "NDArray[Any]":
    """An object as one layer: the product of its slices.

    >>> projected([[[1j, 2]], [[1j, 3]]])
    array([[-1.+0.j,  6.+0.j]])
    """
    import numpy as np

    layers = np.asarray(layers)
    return layers if layers.ndim == 2 else np.asarray(np.prod(layers, axis=0))


def lit_region(shape: tuple[int, ...], positions: Any, probe: Any) -> "NDArray[Any]":
    """Where the scan lit an object of a shape well, (row, column) bool.

    positions : (frame, 2) pixels of the upper left corner of the probe; probe : (mode, row,
    column)
    """
    import numpy as np

    power = np.sum(np.abs(np.asarray(probe)) ** 2, axis=0)
    light = np.zeros(shape)
    for row, column in np.rint(np.asarray(positions)).astype(int):
        first, left = max(row, 0), max(column, 0)
        part = light[first : row + power.shape[0], left : column + power.shape[1]]
        part += power[first - row :, left - column :][: part.shape[0], : part.shape[1]]
    return np.asarray(light > _LIT * light.max())
