"""What flows through a tomographic recipe."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

from lightwell import Array, ArrayRef, Dims, Entry, Product
from lightwell.errors import InputError, MissingMetadata
from lightwell.products import Coordinate
from lightwell.stacks import ArrayInMemory, LazyArray, take
from lightwell.units import convert
from lightwell_tomography.schema import DARK, FLAT, PROJECTION

__all__ = ["Projections", "Scan", "Sinograms", "Volume"]

_KINDS = {PROJECTION: "projections", FLAT: "flat fields", DARK: "dark fields"}


class Scan(Product):
    """Projections as they were counted, and which flats serve each of them.

    The flats taken at one moment are averaged; a projection between two such moments gets the
    two averages in proportion to their nearness (see kernels.flatfield).
    """

    # A selection takes projections away; flats, darks and their moments are those of the scan.
    frames_along = "angle"
    detector_axes = ("row", "x")

    frames: Annotated[Array, Dims("angle", "row", "x", unit="counts")]
    flats: Annotated[Array, Dims("flat", "row", "x", unit="counts")]
    darks: Annotated[Array, Dims("dark", "row", "x", unit="counts")]
    angles: Annotated[Array, Dims("angle", unit="degree")]
    flat_average: Annotated[Array, Dims("moment", "flat")]
    flat_before: Annotated[Array, Dims("angle")]
    flat_after: Annotated[Array, Dims("angle")]
    flat_share: Annotated[Array, Dims("angle")]

    @classmethod
    def taken(
        cls, frames: Any, flats: Any, darks: Any, angles: Any, flat_positions: Any = None
    ) -> Self:
        """Make a scan from arrays in memory.

        flat_positions : (flat) how many projections were taken before each flat; all flats at
        one moment if it is not given.
        Errors: InputError where there is no projection, flat or dark, or where positions are not
        numbers; JunctionError where shapes do not fit together.
        """
        import numpy as np

        stacks = (frames, flats, darks)
        for stack, name in zip(stacks, ("projections", "flat fields", "dark fields"), strict=True):
            if not len(stack):
                raise MissingMetadata(f"a scan without {name} cannot be normalised")
        positions = np.zeros(len(flats)) if flat_positions is None else flat_positions
        if not np.isfinite(np.asarray(positions, np.float64)).all():
            raise InputError("the positions of flat fields have to be finite numbers")
        weights = _weights(len(frames), positions)
        return cls.of(frames=frames, flats=flats, darks=darks, angles=angles, **weights)

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Pick projections, flats and darks out of the stack by the image key.

        Only the key and the angles are read, and the angles brought to degree.
        Errors: MissingMetadata for a scan without stack, key, angles, flats or darks; InputError
        where the key or the angles do not fit the stack.
        """
        import numpy as np

        stack = open_array(_needed(entry, "instrument.detector.data"))
        key = np.asarray(open_array(_needed(entry, "instrument.detector.image_key")).read())
        turned = _needed(entry, "sample.rotation_angle")
        angles = open_array(turned)
        _check_lengths(stack, key, angles)
        where = {kind: np.flatnonzero(key == kind) for kind in _KINDS}
        for kind, name in _KINDS.items():
            if not len(where[kind]):
                raise MissingMetadata(
                    f"the scan has no {name} (no image_key {kind} among {len(key)} frames)",
                    remedy="ingest the scan together with the files that hold them",
                )
        projections = where[PROJECTION]
        degrees = _in_degree(take(angles, projections), turned.unit)
        before = np.searchsorted(projections, where[FLAT])
        weights = _weights(len(projections), before)
        return {
            "frames": take(stack, projections),
            "flats": take(stack, where[FLAT]),
            "darks": take(stack, where[DARK]),
            "angles": ArrayInMemory(degrees),
            **{name: ArrayInMemory(value) for name, value in weights.items()},
        }

    @classmethod
    def examine(cls, arrays: Mapping[str, LazyArray]) -> None:
        """Refuse flats without light, as of a closed shutter: all pixels would be dead ones.

        Two flats and a dark are read.
        Errors: InputError where neither the first nor the last flat has a larger mean.
        """
        dark = _brightness(arrays["darks"], 0)
        bright = [_brightness(arrays["flats"], at) for at in (0, arrays["flats"].shape[0] - 1)]
        # Written so that NaN passes: the engine says where it stands.
        if all(mean <= dark for mean in bright):
            raise InputError(
                f"the flat fields hold no light: their mean is {bright[0]:.6g}, that of the dark "
                f"fields {dark:.6g}",
                remedy="check which frames are flats and whether the shutter was open, and "
                "ingest the scan with flats that have light",
            )


class Projections(Product):
    """Transmission of the sample at every angle."""

    transmission: Annotated[Array, Dims("angle", "row", "x")]
    angles: Annotated[Array, Dims("angle", unit="degree")]


class Sinograms(Product):
    """Line integrals of the attenuation, in units of one pixel."""

    attenuation: Annotated[Array, Dims("angle", "row", "x")]
    angles: Annotated[Array, Dims("angle", unit="degree")]


class Volume(Product):
    """Attenuation of the sample in every voxel."""

    result_definition = "NXtomoproc"
    # NXtomoproc wants them and does not say what they mean; these say that nothing was changed.
    result_attributes: ClassVar = {
        "data": {"transform": "none", "offset": "0", "scaling": "1"},
    }

    data: Annotated[Array, Dims("row", "y", "x", unit="1/pixel")]

    @classmethod
    def coordinates(cls, entry: Entry, lengths: Mapping[str, int]) -> Mapping[str, Coordinate]:
        """Heights from the first row, y and x from the axis; metre where pixel sizes are known."""
        pixel = entry.lookup("canonical.pixel_size")
        size, unit = (float(pixel), "m") if pixel else (1.0, "pixel")
        tall = entry.lookup("instrument.detector.y_pixel_size")
        height = float(tall) if pixel and tall else size
        found = {"row": Coordinate([height * i for i in range(lengths["row"])], unit, "z")}
        for axis in ("y", "x"):
            middle = (lengths[axis] - 1) / 2
            values = [size * (i - middle) for i in range(lengths[axis])]
            found[axis] = Coordinate(values, unit, axis)
        return found


def _weights(frames: int, positions: Any) -> dict[str, Any]:
    import numpy as np

    from lightwell_tomography.kernels.flatfield import flat_weights

    weights = flat_weights(np.arange(frames), positions)
    names = ("flat_average", "flat_before", "flat_after", "flat_share")
    return dict(zip(names, weights, strict=True))


def _needed(entry: Entry, path: str) -> ArrayRef:
    found = entry.lookup(path)
    if not isinstance(found, ArrayRef):
        raise MissingMetadata(
            f"the scan has no {path}", remedy="look at it with `lightwell show PID`"
        )
    return found


def _check_lengths(stack: LazyArray, key: Any, angles: LazyArray) -> None:
    if len(stack.shape) != 3:
        raise InputError(f"the frames have shape {stack.shape}, not (frame, row, x)")
    for name, shape in (("image keys", key.shape), ("angles", angles.shape)):
        if shape != stack.shape[:1]:
            raise InputError(
                f"there are {' x '.join(map(str, shape))} {name} for {stack.shape[0]} frames",
                remedy="ingest the scan with --set first_angle=… --set last_angle=…"
                if name == "angles"
                else "check the file the instrument wrote",
            )


def _brightness(stack: LazyArray, frame: int) -> float:
    import numpy as np

    return float(np.mean(stack.read((slice(frame, frame + 1),)), dtype=np.float64))


def _in_degree(angles: LazyArray, unit: str | None) -> Any:
    """The angles, read; those without a unit are degrees.

    Errors: InputError for a unit that is none of angles, and for what is no number.
    """
    import numpy as np

    degrees = np.asarray(angles.read(), np.float64) * convert(1.0, unit or "degree", "degree")
    if not np.isfinite(degrees).all():
        raise InputError(
            f"{int((~np.isfinite(degrees)).sum())} of {len(degrees)} angles are not numbers",
            remedy="give them: --set first_angle=… --set last_angle=… when you ingest",
        )
    return degrees
