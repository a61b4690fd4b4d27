"""Pictures of a job: previews of its products, and the contact sheet of a sweep."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.contact_sheets import write_contact_sheet
from lightwell.engines import JobSpec, Outcome, Output, Sweep
from lightwell.engines.blame import blaming
from lightwell.engines.segments import SegmentFolder, segment_array
from lightwell.errors import DiskFull, LightwellError
from lightwell.previews import Preview, write_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightwell.engines.drawing import Glimpses
    from lightwell.installation import Installation

__all__ = ["CONTACT_SHEET", "PICTURES", "draw_pictures", "fault_in_drawing", "wanted_previews"]

CONTACT_SHEET = "contact_sheet.png"
PICTURES = "*.png"
"""All pictures of a job, in its folder."""

DrawTo = Callable[[Path], Path]


def draw_pictures(
    installation: "Installation", spec: JobSpec, outcome: Outcome, folder: Path
) -> tuple[list[Path], list[str]]:
    """Draw a sweep's contact sheet, and every product a plugin knows how to draw.

    Also says what could not be drawn: a fault there costs the picture, not the result. Nor does
    one stay that was drawn while the job ran: it shows another state than the result.
    Errors: DiskFull.
    """
    wanted: dict[Path, DrawTo] = {}
    sweep = outcome.output.sweep
    if sweep is not None:
        output = outcome.output
        wanted[folder / CONTACT_SHEET] = lambda path: _contact_sheet(
            installation, spec, sweep, output, path
        )
    wanted |= wanted_previews(installation.plugins.previews, outcome.glimpses, folder)
    drawn, undrawn = [], []
    for path, draw in wanted.items():
        fault = fault_in_drawing(path, draw)
        if fault is None:
            drawn.append(path)
            continue
        undrawn.append(fault)
        path.unlink(missing_ok=True)
    return drawn, undrawn


def wanted_previews(
    previews: Sequence[Preview], glimpses: "Glimpses", folder: Path
) -> dict[Path, DrawTo]:
    """How to draw every product that somebody knows to draw, by where the picture goes."""
    return {
        folder / f"preview_{preview.name}.png": partial(_preview, preview, product)
        for preview in previews
        if (product := glimpses.get((preview.of, preview.along))) is not None
    }


def fault_in_drawing(path: Path, draw: DrawTo) -> str | None:
    """Draw a picture; a sentence why that cannot be done, or None.

    Errors: DiskFull.
    """
    try:
        with blaming(f"drawing {path.name}"):
            draw(path)
    except DiskFull:
        raise
    except LightwellError as error:
        return str(error)
    return None


def _preview(preview: Preview, product: Any, path: Path) -> Path:
    return write_picture(path, preview.draw(product))


def _contact_sheet(
    installation: "Installation",
    spec: JobSpec,
    sweep: Sweep,
    output: Output,
    path: Path,
) -> Path:
    """The result at every value, at the middle one of the points that were asked for."""
    unit = spec.recipe.slots[sweep.address].parameter.unit
    point = output.points[len(output.points) // 2]
    parts = output.parts()
    title = f"{spec.recipe.name}: {sweep.address}{f' ({unit})' if unit else ''}"
    place = f", {output.axis} {point * spec.binned.get(output.axis, 1)}" if output.axis else ""

    def image(index: int) -> "NDArray[Any]":
        return _drawn(installation, parts[index], point)

    # The value itself, never shortened: what the step was given is what can be given again.
    labels = [str(value) for value in sweep.values]
    return write_contact_sheet(path, title + place, labels, image)


def _drawn(installation: "Installation", output: Output, point: int) -> "NDArray[Any]":
    import numpy as np

    product = _at(output, point)
    for preview in installation.plugins.previews:
        if preview.of is output.product and preview.along == output.axis:
            return np.asarray(preview.draw(product))
    # Nobody says how to draw it: the first array, at the middle of all axes but the last two.
    values = np.asarray(next(iter(product.arrays().values())))
    while values.ndim > 2 or (values.ndim == 2 and 1 in values.shape):
        values = values[values.shape[0] // 2] if values.shape[-1] != 1 else values[..., 0]
    return values


def _at(output: Output, point: int) -> Any:
    """The product of one value of a sweep, cut to one point along the axis of its tiles."""
    [segment] = SegmentFolder(output.folder).holding([point // output.tile])
    row = point - segment.first * output.tile
    arrays = {}
    for name, dims in output.product.dims().items():
        where = tuple(slice(row, row + 1) if n == output.axis else slice(None) for n in dims.names)
        arrays[name] = segment_array(segment, name).read(where)
    return output.product(**arrays)
