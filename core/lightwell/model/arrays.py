"""Where an array is, never the array: references into the files of a manifest."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from lightwell.model.base import Frozen

__all__ = ["ArrayRef", "ConstantPart", "EvenPart", "FilePart", "Part", "SeriesPart"]


class FilePart(Frozen):
    """Rows `start … start + count` of an array in one file, or one frame per file of a role.

    `file` is a name in the dataset's manifest, posix, relative to the manifest's root. With
    `role` instead, every manifest file of that role, in manifest order, is one frame, stacked on
    a new first axis. With `new_axis` the array in the file is one frame: it lacks the first axis.
    """

    kind: Literal["file"] = "file"
    container: str = "hdf5"
    file: str | None = None
    role: str | None = None
    path: str = ""
    start: NonNegativeInt = 0
    count: NonNegativeInt | None = None
    new_axis: bool = False

    @model_validator(mode="after")
    def _names_a_file_or_a_role(self) -> Self:
        if (self.file is None) == (self.role is None):
            raise ValueError("a part names either a file or a role of the manifest")
        return self


class SeriesPart(Frozen):
    """`count` datasets of one HDF5 file, a frame each, whose names are numbered.

    `path` holds one field for the number, as in ``/scan/scan_0000_{:04d}.tif``; the numbers run
    from `first` in steps of `step`. With `new_axis` a dataset lacks the first axis, else it has
    that axis with one row.
    """

    kind: Literal["series"] = "series"
    container: str = "hdf5"
    file: str
    path: str
    first: NonNegativeInt = 0
    step: PositiveInt = 1
    count: NonNegativeInt
    new_axis: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The name of every dataset, in order.

        >>> SeriesPart(file="a.h5", path="/a/{:02d}", first=8, step=2, count=2).paths
        ('/a/08', '/a/10')
        """
        return tuple(self.path.format(self.first + self.step * i) for i in range(self.count))


class EvenPart(Frozen):
    """`count` evenly spaced values from `first` to `last`, both included."""

    kind: Literal["even"] = "even"
    first: float
    last: float
    count: NonNegativeInt

    @property
    def values(self) -> tuple[float, ...]:
        """The values, in order.

        >>> EvenPart(first=0, last=180, count=3).values
        (0.0, 90.0, 180.0)
        """
        steps = max(self.count - 1, 1)
        return tuple((self.first * (steps - i) + self.last * i) / steps for i in range(self.count))


class ConstantPart(Frozen):
    """`count` times the same value."""

    kind: Literal["constant"] = "constant"
    value: float
    count: NonNegativeInt

    @property
    def values(self) -> tuple[float, ...]:
        """The values, in order."""
        return (self.value,) * self.count


Part = Annotated[FilePart | SeriesPart | EvenPart | ConstantPart, Field(discriminator="kind")]


class ArrayRef(Frozen):
    """An array by its shape, type, unit and the parts it is made of, along its first axis.

    >>> ArrayRef.hdf5("scan.h5", "/exchange/data", (181, 2, 640), "float32").nbytes
    926720
    """

    shape: tuple[NonNegativeInt, ...]
    dtype: str
    unit: str | None = None
    parts: tuple[Part, ...]

    @model_validator(mode="after")
    def _parts_fill_the_first_axis(self) -> Self:
        counts = [part.count for part in self.parts]
        known = sum(count for count in counts if count is not None)
        length = self.shape[0] if self.shape else 1
        if not self.parts or (None not in counts and known != length) or known > length:
            raise ValueError(f"the parts hold {known} rows of an array with {length}")
        return self

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes the array takes in memory."""
        digits = "".join(c for c in self.dtype if c.isdigit())
        letters = sum(c.isalpha() for c in self.dtype)
        # numpy's names count bits ("uint16"), its codes count bytes ("<u2").
        bits = int(digits or 8) * (1 if letters > 1 else 8)
        return self.size * max(bits // 8, 1)

    @property
    def files(self) -> tuple[str, ...]:
        """The manifest files named by the parts, each once, in order."""
        inside = (part for part in self.parts if isinstance(part, (FilePart, SeriesPart)))
        named = [part.file for part in inside if part.file]
        return tuple(dict.fromkeys(named))

    def lengths(self) -> tuple[int, ...]:
        """Return how many rows each part holds."""
        known = sum(part.count or 0 for part in self.parts)
        rest = (self.shape[0] if self.shape else 1) - known
        return tuple(rest if part.count is None else part.count for part in self.parts)

    @classmethod
    def hdf5(
        cls, file: str, path: str, shape: Sequence[int], dtype: Any, unit: str | None = None
    ) -> Self:
        """Return the reference to a whole HDF5 dataset; `dtype` by name or as NumPy's."""
        part = FilePart(file=file, path=path, count=shape[0] if shape else None)
        name = getattr(dtype, "name", dtype)
        return cls(shape=tuple(shape), dtype=name, unit=unit, parts=(part,))

    @classmethod
    def frames(
        cls, role: str, shape: Sequence[int], dtype: str, *, container: str, unit: str | None = None
    ) -> Self:
        """Return the reference to a stack with one frame per manifest file of a role."""
        part = FilePart(container=container, role=role, count=shape[0])
        return cls(shape=tuple(shape), dtype=dtype, unit=unit, parts=(part,))

    @classmethod
    def even(cls, first: float, last: float, count: PositiveInt, unit: str | None = None) -> Self:
        """Return `count` evenly spaced values from `first` to `last`, both included."""
        part = EvenPart(first=first, last=last, count=count)
        return cls(shape=(count,), dtype="float64", unit=unit, parts=(part,))

    @classmethod
    def constant(cls, value: float, count: int, unit: str | None = None) -> Self:
        """Return `count` times `value`."""
        part = ConstantPart(value=value, count=count)
        return cls(shape=(count,), dtype="float64", unit=unit, parts=(part,))

    @classmethod
    def concatenate(cls, *refs: "ArrayRef") -> Self:
        """Return arrays one after the other along the first axis.

        >>> ArrayRef.concatenate(ArrayRef.constant(0, 2), ArrayRef.even(0, 9, 10)).shape
        (12,)
        """
        _check_alike(refs, [ref.shape[1:] for ref in refs])
        if any(ref.ndim == 0 for ref in refs):
            raise ValueError("single values have no first axis; stack them instead")
        parts = [
            part.model_copy(update={"count": length})
            for ref in refs
            for part, length in zip(ref.parts, ref.lengths(), strict=True)
        ]
        shape = (sum(ref.shape[0] for ref in refs), *refs[0].shape[1:])
        return cls(shape=shape, dtype=refs[0].dtype, unit=refs[0].unit, parts=tuple(parts))

    @classmethod
    def stack(cls, *refs: "ArrayRef") -> Self:
        """Return arrays of one shape, each a whole HDF5 dataset, along a new first axis.

        >>> frame = ArrayRef.hdf5("a.h5", "/0", (20, 30), "uint16")
        >>> ArrayRef.stack(frame, frame).shape
        (2, 20, 30)
        """
        _check_alike(refs, [ref.shape for ref in refs])
        parts: list[FilePart] = []
        for ref in refs:
            part = ref.parts[0]
            if len(ref.parts) > 1 or not isinstance(part, FilePart) or part.new_axis or part.start:
                raise ValueError("only whole arrays in files can be stacked")
            parts.append(part.model_copy(update={"count": 1, "new_axis": True}))
        shape = (len(refs), *refs[0].shape)
        return cls(shape=shape, dtype=refs[0].dtype, unit=refs[0].unit, parts=tuple(parts))


def _check_alike(refs: Sequence[ArrayRef], shapes: Sequence[Any]) -> None:
    """Raise ValueError unless the arrays can be joined."""
    if not refs:
        raise ValueError("there is nothing to join")
    if len(set(shapes)) > 1:
        raise ValueError(f"arrays of different shapes cannot be joined: {sorted(set(shapes))}")
    if len({(ref.dtype, ref.unit) for ref in refs}) > 1:
        raise ValueError("arrays of different types or units cannot be joined")
