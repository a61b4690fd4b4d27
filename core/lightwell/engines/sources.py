"""Sources: products that are read piece by piece, and cross to a worker by name."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightwell.engines.grains import grain_of
from lightwell.errors import InputError, JunctionError
from lightwell.products import Product

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["OnDemand", "ShapeOnly", "Source", "on_demand", "shapes_only"]


@dataclasses.dataclass(frozen=True)
class Source:
    """The arrays of a product where they stand, none of them read yet."""

    product: type[Product]
    arrays: Mapping[str, "LazyArray"]

    def lengths(self) -> dict[str, int]:
        """How long every axis is.

        Errors: InputError where a file's arrays do not fit the product.
        """
        try:
            return shapes_only(self.product, self.arrays).lengths()
        except JunctionError as error:
            raise InputError(
                f"the arrays of the dataset do not fit together: {error.what}",
                remedy="look at the entry with `lightwell show PID`",
            ) from error

    def nbytes(self, name: str) -> int:
        """The size of one array as it is stored."""
        array = self.arrays[name]
        size = array.dtype.itemsize
        for length in array.shape:
            size *= length
        return size

    def bytes_per(self, axis: str) -> float:
        """How many stored bytes one point along an axis stands for."""
        length = self.lengths().get(axis, 1)
        dims = self.product.dims()
        tiled = [name for name in self.arrays if axis in dims[name].names]
        return sum(self.nbytes(name) for name in tiled) / max(length, 1)

    def grain(self, axis: str) -> int | None:
        """How many points along an axis are read together; None if an array does not tell."""
        dims = self.product.dims()
        found = 1
        for name, array in self.arrays.items():
            if axis in dims[name].names:
                together = grain_of(array)
                if together is None:
                    return None
                found = max(found, together[dims[name].names.index(axis)])
        return found

    def read(
        self,
        axis: str | None = None,
        start: int = 0,
        stop: int | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> Product:
        """Read the product, cut along one axis; arrays without that axis come whole.

        known : arrays without that axis that were read before.
        """
        dims = self.product.dims()
        found: dict[str, Any] = {}
        for name, array in self.arrays.items():
            cut = slice(start, stop)
            names = dims[name].names
            if known and name in known and axis not in names:
                found[name] = known[name]
                continue
            selection = tuple(cut if axis == n else slice(None) for n in names)
            found[name] = array.read(selection)
        return self.product(**found)


class ShapeOnly:
    """The shape and type of an array whose values must not be read here."""

    def __init__(self, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __array__(self, *_: Any, **__: Any) -> "NDArray[Any]":
        raise JunctionError(
            "a plan (or the function of a fold) read an array that is cut into tiles",
            remedy="use only its shape; arrays without the tiled axis may be read",
        )

    def __getitem__(self, _: Any) -> Any:
        return self.__array__()

    def __len__(self) -> int:
        return self.shape[0]


def shapes_only(
    product: type[Product],
    arrays: Mapping[str, Any],
    axis: str | None = None,
    length: int | None = None,
) -> Product:
    """A product that knows its shapes; with an axis given, arrays without it keep their values.

    length : of the axis, in place of the one the arrays have.
    """
    dims = product.dims()
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        names = dims[name].names
        lengths = zip(names, array.shape, strict=True)
        shape = tuple(length if n == axis and length is not None else size for n, size in lengths)
        hidden = axis is None or axis in names
        found[name] = ShapeOnly(shape, array.dtype) if hidden else array
    return product(**found)


class OnDemand:
    """An array that is read when its values, or members of its first axis, are asked for."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype = array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __array__(self, dtype: Any = None, *_: Any, **__: Any) -> Any:
        import numpy as np

        return np.asarray(self._array.read(tuple(slice(None) for _ in self.shape)), dtype)

    def __getitem__(self, members: Any) -> Any:
        rest = tuple(slice(None) for _ in self.shape[1:])
        return self._array.read((members, *rest))

    def __len__(self) -> int:
        return self.shape[0]


def on_demand(source: Source) -> Product:
    """A product that knows its shapes, and reads what of its values it is asked for."""
    return source.product(**{name: OnDemand(array) for name, array in source.arrays.items()})
