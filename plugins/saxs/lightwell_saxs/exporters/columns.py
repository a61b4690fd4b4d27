"""Columns of text: one curve, a header of comments, intensities with their errors."""

from pathlib import Path
from typing import Any, ClassVar

from lightwell.conversion import Converter, Copy
from lightwell.datasets import Dataset
from lightwell.errors import InputError
from lightwell_saxs.exporters.curves import Curve, curves_of

__all__ = ["ToColumns", "number_text"]


class ToColumns(Converter):
    """One curve as `.dat`: abscissa, intensity, error, and a resolution where it is known.

    Numbers have as many digits as they need to be read again without loss.
    """

    name = "dat"
    summary = "columns of text, abscissa, intensity and error"
    suffix: ClassVar[str] = ".dat"
    is_text: ClassVar[bool] = True

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write the curve.

        Errors: InputError for a dataset of several curves.
        """
        curves = curves_of(dataset, copy)
        if len(curves) != 1:
            raise InputError(
                f"a file of columns holds one curve, the dataset has {len(curves)}",
                remedy="average them (`lightwell run saxs.average PID`), or convert with "
                "--to cansas1d or --to nxcansas",
            )
        [curve] = curves
        for key, value in _header(dataset, curve).items():
            file.write(f"# {key}: {value}\n")
        columns = _columns(curve)
        file.write(f"#   {'   '.join(columns)}\n")
        for row in zip(*columns.values(), strict=True):
            file.write(" ".join(map(number_text, row)) + "\n")


def _header(dataset: Dataset, curve: Curve) -> dict[str, str]:
    entry = dataset.entry
    given = {
        "title": entry.title,
        "sample": entry.sample.name if entry.sample else None,
        "dataset": dataset.pid,
        "abscissa": curve.x_name,
        "abscissa_unit": curve.x_unit,
        "intensity_unit": curve.y_unit,
    }
    return {key: " ".join(str(value).split()) for key, value in given.items() if value}


def _columns(curve: Curve) -> dict[str, Any]:
    import numpy as np

    found = {curve.x_name: curve.x, "intensity": curve.y}
    has_width = bool(np.isfinite(curve.resolution).any())
    if has_width or np.isfinite(curve.sigma).any():
        found["sigma"] = curve.sigma
    return {**found, "resolution": curve.resolution} if has_width else found


def number_text(value: Any) -> str:
    """The shortest text that reads as the same number in double precision."""
    import numpy as np

    return str(np.format_float_scientific(np.float64(value), unique=True, trim="0", exp_digits=2))
