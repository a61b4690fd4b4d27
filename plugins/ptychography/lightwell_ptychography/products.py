"""What flows through recipes of ptychography: frames with positions, and what is made of them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

from lightwell import Array, ArrayRef, Dims, Entry, Product
from lightwell.errors import InputError, MissingMetadata
from lightwell.products import Coordinate
from lightwell.stacks import ArrayInMemory, LazyArray
from lightwell_ptychography.geometry import object_extent
from lightwell_ptychography.native_order import NativeFrames, native
from lightwell_ptychography.optics import Optics
from lightwell_ptychography.scan_positions import MARGIN, light_positions
from lightwell_ptychography.schema import Ptychography

__all__ = ["Diffraction", "ObjectAndProbe", "Optics", "mask_of"]


class Diffraction(Product):
    """Frames, where the light was on the object at each, and how the light travels.

    frames : counts or their roots, as `optics` says; in the far field the zero frequency is at the
    first pixel, as Fourier transforms want it; mask : 1 where a pixel counts; positions : (row,
    column) of the corner of a frame on the object; guess : of the illumination, none or its modes;
    canvas : nothing but the size of the object; optics : the fields of `Optics`, in order.
    """

    frames_along = "frame"

    frames: Annotated[Array, Dims("frame", "row", "column", unit="counts")]
    mask: Annotated[Array, Dims("row", "column")]
    positions: Annotated[Array, Dims("frame", "direction", unit="pixel")]
    guess: Annotated[Array, Dims("known", "row", "column")]
    canvas: Annotated[Array, Dims("y", "x")]
    optics: Annotated[Array, Dims("quantity", gaps=True)]

    @classmethod
    def taken(
        cls,
        frames: Any,
        positions: Any,
        *,
        mask: Any = None,
        guess: Any = None,
        optics: Optics | None = None,
    ) -> Self:
        """Make a data set from arrays in memory, frames with their zero frequency in the middle.

        positions : (frame, 2) pixels of the object, rows first, anywhere.
        """
        import numpy as np

        known = optics or Optics(*(float("nan"),) * 6)
        stack = np.asarray(frames)
        size = stack.shape[1:]
        alive = np.ones(size, np.uint8) if mask is None else np.asarray(mask, np.uint8)
        if not known.near:
            stack, alive = native(stack), native(alive)
        modes = np.zeros((0, *size)) if guess is None else np.reshape(guess, (-1, *size))
        placed, canvas = _placed(np.asarray(positions, np.float64), size)
        return cls.of(
            frames=stack,
            mask=alive,
            positions=placed,
            guess=np.asarray(modes, np.complex64),
            canvas=np.zeros(canvas, np.uint8),
            optics=np.asarray(known, np.float64),
        )

    @classmethod
    def load(
        cls, entry: Entry, open_array: Callable[[ArrayRef], LazyArray]
    ) -> Mapping[str, LazyArray]:
        """Find frames, mask and guess of an entry and read its positions; no frame is read.

        Errors: MissingMetadata where there are no frames, no positions, or no lengths to measure
        positions with; InputError where positions are no numbers.
        """
        import numpy as np

        frames = _frames(entry)
        size = frames.shape[1:]
        optics = Optics.of_entry(entry)
        placed, canvas = _placed(light_positions(entry, open_array, optics), size)
        is_corner = entry.lookup("instrument.detector.zero_frequency") == "corner"
        turned = not optics.near and not is_corner
        stack, mask = open_array(frames), mask_of(entry, size, open_array)
        return {
            "frames": NativeFrames(stack) if turned else stack,
            "mask": ArrayInMemory(native(mask) if turned else mask),
            "positions": ArrayInMemory(placed),
            "guess": ArrayInMemory(_guess(entry, size, open_array)),
            "canvas": ArrayInMemory(np.zeros(canvas, np.uint8)),
            "optics": ArrayInMemory(np.asarray(optics, np.float64)),
        }


class ObjectAndProbe(Product):
    """The object as the light sees it, the illumination, and how the iteration went.

    object : transmission; probe : modes by falling power, roots of counts; positions : of the
    corner of every frame, in pixels of the object; told : as the scan has them; error : of every
    iteration, not a number where there was none: of amplitudes on the detector, over those
    measured; lit : the counts that fell on every pixel of the object, of all frames together.
    """

    result_attributes: ClassVar[Any] = {}

    object: Annotated[Array, Dims("slice", "y", "x")]
    probe: Annotated[Array, Dims("mode", "row", "column")]
    positions: Annotated[Array, Dims("frame", "direction", unit="pixel")]
    told: Annotated[Array, Dims("frame", "direction", unit="pixel")]
    error: Annotated[Array, Dims("iteration", gaps=True)]
    lit: Annotated[Array, Dims("y", "x", unit="counts")]
    optics: Annotated[Array, Dims("quantity", gaps=True)]

    @classmethod
    def coordinates(cls, entry: Entry, lengths: Mapping[str, int]) -> Mapping[str, Coordinate]:
        """Rows and columns of object and probe in metre, where the lengths are known."""
        if entry.lookup("instrument.detector.data") is None:
            return {}
        optics = Optics.of_entry(entry)
        found = {}
        for axis, size in (
            ("y", optics.object_row),
            ("x", optics.object_column),
            ("row", optics.object_row),
            ("column", optics.object_column),
        ):
            if size == size and axis in lengths:
                values = [size * i for i in range(lengths[axis])]
                found[axis] = Coordinate(values, "m", axis)
        return found


def _frames(entry: Entry) -> ArrayRef:
    found = entry.lookup("instrument.detector.data")
    if not isinstance(entry, Ptychography) or not isinstance(found, ArrayRef) or found.ndim != 3:
        raise MissingMetadata(
            "the dataset has no frames of ptychography",
            remedy="ingest a scan with frames and positions (docs/ptychography.md)",
        )
    return found


def _placed(positions: Any, size: tuple[int, ...]) -> tuple[Any, tuple[int, int]]:
    """Positions that begin at a margin, and how large the object has to be for them.

    positions : (frame, 2) pixels.
    """
    import numpy as np

    if not np.isfinite(positions).all():
        raise InputError(
            f"{int((~np.isfinite(positions)).any(axis=1).sum())} of {len(positions)} positions "
            "are not numbers",
            remedy="choose frames that have one, or mend the file",
        )
    frame = (int(size[0]), int(size[1]))
    canvas, placed = object_extent(positions, frame, MARGIN)
    if max(canvas) > _LARGEST:
        raise InputError(
            f"the positions span an object of {max(canvas)} pixels",
            remedy="check energy, distance and pixel size, and the unit of the positions",
        )
    return placed, canvas


_LARGEST = 1 << 16


def mask_of(
    entry: Entry, size: tuple[int, ...], open_array: Callable[[ArrayRef], LazyArray]
) -> Any:
    """1 where a pixel counts."""
    import numpy as np

    ref = entry.lookup("instrument.detector.pixel_mask")
    if not isinstance(ref, ArrayRef):
        return np.ones(size, np.uint8)
    values = open_array(ref).read()
    if entry.lookup("instrument.detector.mask_counts"):
        return (values != 0).astype(np.uint8)
    ignored = entry.lookup("instrument.detector.mask_ignores")
    if ignored and values.dtype.kind in "iu":
        values = values.astype(np.int64) & ~ignored
    return (values == 0).astype(np.uint8)


def _guess(entry: Entry, size: tuple[int, ...], open_array: Callable[[ArrayRef], LazyArray]) -> Any:
    import numpy as np

    ref = entry.lookup("scan.probe")
    if not isinstance(ref, ArrayRef):
        return np.zeros((0, *size), np.complex64)
    return np.asarray(open_array(ref).read(), np.complex64).reshape(-1, *size)
