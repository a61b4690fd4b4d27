"""Sources: products that are read piece by piece, and cross to a worker by name."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightwell.errors import InputError, JunctionError
from lightwell.products import Product

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightwell.stacks import LazyArray

__all__ = ["ShapeOnly", "Source", "shapes_only"]


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

    def read(self, axis: str | None = None, start: int = 0, stop: int | None = None) -> Product:
        """Read the product, cut along one axis; arrays without that axis come whole."""
        dims = self.product.dims()
        found: dict[str, Any] = {}
        for name, array in self.arrays.items():
            cut = slice(start, stop)
            names = dims[name].names
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
