"""What refined positions say about the scanner: scale, rotation, shear; and so the distance."""

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from lightwell import Array, ArrayRef, Dims, Entry, Product
from lightwell.calibration import Calibrated, Calibration, Constant
from lightwell.errors import InputError, MissingMetadata
from lightwell.stacks import LazyArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Refined", "positions"]

_FEWEST = 8
_REFINE = "run ptychography.rpie with --set refine_positions=true, and calibrate with its result"


class Refined(Product):
    """Positions as they were told and as a reconstruction found them, and the optics."""

    positions: Annotated[Array, Dims("frame", "direction", unit="pixel")]
    told: Annotated[Array, Dims("frame", "direction", unit="pixel")]
    optics: Annotated[Array, Dims("quantity", gaps=True)]

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find the three arrays in a result.

        Errors: MissingMetadata for a dataset that is no reconstruction.
        """
        fields = entry.lookup("data.data.fields") or {}
        missing = [name for name in cls.dims() if name not in fields]
        if missing:
            raise MissingMetadata(
                f"the dataset is no reconstruction of ptychography: it has no {missing[0]}",
                remedy=_REFINE,
            )
        return {name: open_array(fields[name]) for name in cls.dims()}


def find_affine(data: Refined, *, robust: bool = True) -> Calibrated:
    """Scale, rotation, shear and offset that take the told positions to the refined ones.

    robust : leave out positions farther than five robust deviations from the others. Sigma is that
    of the scatter about the fit; what all frames are wrong by together is not in it.
    Errors: InputError for fewer than eight positions, on a line, or not refined at all.
    """
    import numpy as np

    told = np.asarray(data.told, np.float64)
    found = np.asarray(data.positions, np.float64)
    if np.array_equal(told, found):
        raise InputError(
            "the positions of the result are those it was given",
            remedy=_REFINE,
        )
    fit = Affine.fitted(told, found, robust=robust)
    constants = fit.constants()
    derived = (
        Constant("residual", fit.residual, None, "pixel"),
        *_distance(fit, np.asarray(data.optics, np.float64)),
    )
    used = f"{fit.used} of {len(told)} positions, {fit.residual:.3g} pixel from the fit"
    verdict = "good" if fit.used >= 0.8 * len(told) else "doubtful"
    facts = {
        "matrix": fit.matrix.tolist(),
        "offset_pixel": fit.offset.tolist(),
        **{one.name: {"value": one.value, "sigma": one.sigma, "unit": one.unit}
           for one in (*constants, *derived)},
    }  # fmt: skip
    return Calibrated(constants, derived, verdict, used, json.dumps(facts, indent=2) + "\n")


class Affine:
    """found = matrix · told + offset, about the middle of the scan; one sigma of every number.

    matrix : (2, 2), rows first; covariance : (2, 3, 3) of (a, b, offset) of rows and of columns.
    """

    def __init__(self, table: "NDArray[Any]", covariance: "NDArray[Any]", rms: float, used: int):
        self.matrix, self.offset = table[:, :2], table[:, 2]
        self.covariance, self.residual, self.used = covariance, rms, used

    @classmethod
    def fitted(cls, told: "NDArray[Any]", found: "NDArray[Any]", *, robust: bool) -> "Affine":
        """Fit by least squares.

        Errors: InputError where the positions do not determine it.
        """
        import numpy as np

        keep = np.ones(len(told), np.bool_)
        middle, design, table = _least_squares(told, found, keep)
        for _ in range(4 if robust else 0):
            off = np.linalg.norm(found - middle - design @ table.T, axis=1)
            again = off <= 5 * 1.4826 * np.median(off[keep]) + 1e-9
            if np.array_equal(again, keep):
                break
            keep = again
            middle, design, table = _least_squares(told, found, keep)
        inverse = np.linalg.inv(design[keep].T @ design[keep])
        rest = (found - middle - design @ table.T)[keep]
        variance = (rest**2).sum(axis=0) / max(int(keep.sum()) - 3, 1)
        covariance = variance[:, None, None] * inverse
        rms = float(np.sqrt((rest**2).sum(axis=1).mean()))
        return cls(table, covariance, rms, int(keep.sum()))

    def constants(self) -> tuple[Constant, ...]:
        """What a person sets at the scanner: matrix = rotation · shear · scale.

        Errors of the parts to first order, from the covariance of the fit.
        """
        parts = self._parts(self.matrix)
        names = (
            ("scale_rows", None),
            ("scale_columns", None),
            ("rotation", "degree"),
            ("shear", None),
        )
        sigmas = self._sigmas()
        offset = (("offset_rows", 0), ("offset_columns", 1))
        return (
            *(Constant(n, v, s, u) for (n, u), v, s in zip(names, parts, sigmas, strict=True)),
            *(
                Constant(n, float(self.offset[k]), math.sqrt(self.covariance[k, 2, 2]), "pixel")
                for n, k in offset
            ),
        )

    @staticmethod
    def _parts(matrix: "NDArray[Any]") -> tuple[float, float, float, float]:
        """Scale along rows and columns, rotation from rows to columns, shear of columns.

        >>> import numpy as np
        >>> [round(one, 3) for one in Affine._parts(np.diag([1.1, 0.9]))]
        [1.1, 0.9, 0.0, 0.0]
        """
        (a, b), (c, d) = matrix.tolist()
        rows = math.hypot(a, c)
        turned = math.atan2(c, a)
        along = (a * b + c * d) / rows
        columns = (a * d - b * c) / rows
        return rows, columns, math.degrees(turned), along / columns

    def _sigmas(self) -> tuple[float, ...]:
        import numpy as np

        step = 1e-6
        slopes = []
        for row in range(2):
            for column in range(2):
                moved = self.matrix.copy()
                moved[row, column] += step
                change = np.subtract(self._parts(moved), self._parts(self.matrix))
                slopes.append(change / step)
        whole = np.zeros((4, 4))
        whole[:2, :2], whole[2:, 2:] = self.covariance[0, :2, :2], self.covariance[1, :2, :2]
        spread = np.asarray(slopes).T @ whole @ np.asarray(slopes)
        return tuple(float(value) for value in np.sqrt(np.diag(spread)))


def _least_squares(
    told: "NDArray[Any]", found: "NDArray[Any]", keep: "NDArray[Any]"
) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """The middle of the positions that are kept, the design of all, and the table that fits."""
    import numpy as np

    middle = told[keep].mean(axis=0) if keep.any() else told.mean(axis=0)
    design = np.column_stack([told - middle, np.ones(len(told))])
    if keep.sum() < _FEWEST or np.linalg.matrix_rank(design[keep]) < 3:
        raise InputError(
            f"{int(keep.sum())} positions do not determine scale and rotation",
            remedy="use a scan of two dimensions with eight positions or more",
        )
    table = np.linalg.lstsq(design[keep], (found - middle)[keep], rcond=None)[0].T
    return middle, design, table


def _distance(fit: Affine, optics: "NDArray[Any]") -> tuple[Constant, ...]:
    """The distance that would explain the scale: a far object pixel grows with it."""
    from lightwell_ptychography.optics import Optics

    known = Optics.of(optics)
    if not math.isfinite(known.distance) or known.near:
        return ()
    rows, columns, *_ = fit.constants()
    scale = 0.5 * (rows.value + columns.value)
    sigma = 0.5 * math.hypot(rows.sigma or 0.0, columns.sigma or 0.0)
    distance = known.distance / scale
    return (Constant("distance", distance, distance * sigma / scale, "m"),)


positions = Calibration("positions", Refined, find_affine, ".json")
