"""canSAS 1-D in XML, version 1.1: an entry whose curves are a SASdata each.

Layout: canSAS1d/1.1, cansas1d.xsd and its documentation.
"""

from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

from lightwell.conversion import Converter, Copy
from lightwell.datasets import Dataset
from lightwell.errors import InputError, UnitError
from lightwell.units import convert
from lightwell_saxs.exporters.columns import number_text
from lightwell_saxs.exporters.curves import Curve, curves_of

__all__ = ["ToCanSas1d"]

_ROOT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<SASroot version="1.1" xmlns="urn:cansas1d:1.1" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="urn:cansas1d:1.1 http://www.cansas.org/formats/1.1/cansas1d.xsd">\n'
)


class ToCanSas1d(Converter):
    """Curves over q for programs that read canSAS XML, with their errors and resolutions."""

    name = "cansas1d"
    summary = "canSAS 1-D in XML"
    suffix: ClassVar[str] = ".xml"
    is_text: ClassVar[bool] = True

    def write(self, file: Any, dataset: Dataset, path: Path, copy: Copy) -> None:
        """Write every curve of the dataset.

        Errors: InputError for curves over anything but q, or without a unit of q.
        """
        curves = curves_of(dataset, copy)
        _refuse_other_axes(curves[0])
        entry = dataset.entry
        run = getattr(entry, "run", None) or dataset.pid
        file.write(_ROOT + "<SASentry>\n")
        file.write(f"<Title>{escape(entry.title or dataset.pid)}</Title>\n")
        file.write(f"<Run>{escape(run)}</Run>\n")
        for number, curve in enumerate(curves):
            _write_curve(file, curve, f"curve_{number + 1}" if len(curves) > 1 else None)
        name = entry.sample.name if entry.sample else None
        file.write(f"<SASsample><ID>{escape(name or dataset.pid)}</ID></SASsample>\n")
        file.write(_instrument(entry))
        file.write("<SASnote/>\n</SASentry>\n</SASroot>\n")


def _refuse_other_axes(curve: Curve) -> None:
    try:
        convert(1.0, curve.x_unit or "", "1/nm")
    except UnitError:
        raise InputError(
            f"canSAS XML holds curves over q, this one is over {curve.x_name} "
            f"({curve.x_unit or 'no unit'})",
            remedy="write it with --to dat",
        ) from None


def _write_curve(file: Any, curve: Curve, name: str | None) -> None:
    import numpy as np

    # The definition asks for a unit; counts and what is not said have none of its list.
    own, q_unit = curve.y_unit or "a.u.", str(curve.x_unit)
    columns = [("Q", curve.x, q_unit), ("I", curve.y, own)]
    if np.isfinite(curve.sigma).any():
        columns.append(("Idev", curve.sigma, own))
    if np.isfinite(curve.resolution).any():
        columns.append(("Qdev", curve.resolution, q_unit))
    file.write(f"<SASdata{f' name={quoteattr(name)}' if name else ''}>\n")
    for point in range(len(curve.x)):
        cells = (
            f"<{tag} unit={quoteattr(unit)}>{number_text(values[point])}</{tag}>"
            for tag, values, unit in columns
        )
        file.write(f"<Idata>{''.join(cells)}</Idata>\n")
    file.write("</SASdata>\n")


def _instrument(entry: Any) -> str:
    instrument = entry.instrument
    name = (instrument.name if instrument else None) or "unknown"
    source = instrument.source if instrument else None
    probe = (source.probe if source else None) or "x-ray"
    wavelength = entry.canonical().get("wavelength")
    beam = (
        f'<wavelength unit="A">{number_text(wavelength * 1e10)}</wavelength>'
        if isinstance(wavelength, float)
        else ""
    )
    return (
        f"<SASinstrument><name>{escape(name)}</name>"
        f"<SASsource><radiation>{escape(probe)}</radiation>{beam}</SASsource>"
        "<SAScollimation/><SASdetector><name/></SASdetector></SASinstrument>\n"
    )
