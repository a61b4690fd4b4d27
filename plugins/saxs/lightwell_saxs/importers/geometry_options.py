"""What a person says about where the detector stood, put into the description of frames."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from lightwell import Default, Entry, Unit
from lightwell.errors import InputError, MissingMetadata, MissingSource, UnreadableFile
from lightwell.model import Flag
from lightwell_saxs.importers.given_geometry import geometry_fields, monochromator, open_poni
from lightwell_saxs.products import geometry_of
from lightwell_saxs.schema import ScatteringDetector, ScatteringInstrument

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GivenGeometry", "GivenWithImage", "with_geometry"]


class GivenGeometry(TypedDict, total=False):
    """The options every importer of frames has: a PONI file, or beam centre, distance, energy.

    poni : path of a file; orientation : 1 to 4, in place of the one of the file; beam_center_x,
    beam_center_y : 0 at the centre of the first pixel.
    """

    poni: Annotated[str | None, Default(None)]
    orientation: Annotated[int | None, Default(None)]
    beam_center_x: Annotated[float | None, Unit("pixel"), Default(None)]
    beam_center_y: Annotated[float | None, Unit("pixel"), Default(None)]
    distance: Annotated[float | None, Unit("m"), Default(None)]
    energy: Annotated[float | None, Unit("eV"), Default(None)]


class GivenWithImage(GivenGeometry, total=False):
    """What images say nothing of, beside their geometry."""

    pixel_size: Annotated[float | None, Unit("m"), Default(None)]
    sample: Annotated[str | None, Default(None)]


def with_geometry(
    instrument: ScatteringInstrument,
    given: Mapping[str, Any],
    first_frame: Callable[[], "NDArray[Any]"] | None = None,
) -> tuple[ScatteringInstrument, list[Flag]]:
    """The instrument with what was given, which comes before what the files say.

    given : the options of `GivenGeometry` or `GivenWithImage`; first_frame : reads (row, column)
    counts, in which a calibration is looked at for its sense.
    Errors: InputError for a file that is no calibration, or an orientation without one.
    """
    poni, orientation = given.get("poni"), given.get("orientation")
    if orientation is not None and poni is None:
        raise InputError(
            "an orientation says how the rows of a PONI file run, and there is none",
            remedy="give both: --set poni=FILE.poni --set orientation=2",
        )
    if orientation not in (None, 1, 2, 3, 4):
        raise InputError(f"orientation {orientation} is none", remedy="it is 1, 2, 3 or 4")
    found = open_poni(poni)
    update = geometry_fields(found, poni)
    flags: list[Flag] = []
    if orientation is not None:
        update["poni"] = update["poni"].model_copy(update={"orientation": orientation})
    elif poni is not None and "orientation" not in _text(poni):
        flags.append(_assumed())
    plain: dict[str, Any] = {
        "beam_center_x": given.get("beam_center_x"),
        "beam_center_y": given.get("beam_center_y"),
        "distance": given.get("distance"),
        "x_pixel_size": given.get("pixel_size"),
        "y_pixel_size": given.get("pixel_size"),
    }
    update |= {name: value for name, value in plain.items() if value is not None}
    detector = instrument.detector or ScatteringDetector()
    fields: dict[str, Any] = {"detector": detector.model_copy(update=update)}
    beam = monochromator(found, given.get("energy"))
    if beam is not None:
        fields["monochromator"] = beam
    found_instrument = instrument.model_copy(update=fields)
    if poni is not None and first_frame is not None:
        flags += _sense(found_instrument, first_frame)
    return found_instrument, flags


def _text(path: str) -> str:
    return Path(path).expanduser().read_text(encoding="utf-8").lower()


def _assumed() -> Flag:
    return Flag(
        code="orientation-assumed",
        message="The PONI file does not say in which direction rows run; 3 is taken "
        "(--set orientation=2 flips them).",
        path="instrument.detector.poni",
    )


def _sense(
    instrument: ScatteringInstrument, first_frame: Callable[[], "NDArray[Any]"]
) -> Iterator[Flag]:
    """A flag where rings are much sharper with the image stored the other way round.

    None where there is nothing to look at: whoever reads the frames is told why.
    """
    import numpy as np

    from lightwell_saxs.kernels.orientation import clearer_orientation

    try:
        geometry = geometry_of(Entry(instrument=instrument))
        image = np.asarray(first_frame(), np.float64)
    except (MissingMetadata, MissingSource, UnreadableFile):
        return
    valid = np.isfinite(image) & (image >= 0)
    dummy = instrument.detector.dummy if instrument.detector else None
    if dummy is not None:
        valid &= image != dummy
    better = clearer_orientation(np.where(valid, image, 0.0), valid, geometry)
    if better is not None:
        yield Flag(
            code="orientation-doubtful",
            message=f"The rings smear with orientation {geometry.orientation} and are much sharper "
            f"with {better}: the image is stored another way round than the one the calibration "
            f"was made on (try --set orientation={better}).",
            path="instrument.detector.poni",
        )
