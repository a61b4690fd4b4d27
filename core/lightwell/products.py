"""Products: named arrays with axes and unit, the things that flow between steps."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NamedTuple,
    Self,
    TypeVar,
    cast,
    get_origin,
    get_type_hints,
)

from typing_extensions import dataclass_transform

from lightwell.errors import JunctionError, MissingMetadata
from lightwell.parameters import From

if TYPE_CHECKING:
    from jax import Array
    from numpy.typing import ArrayLike

    from lightwell.model import Entry
    from lightwell.model.arrays import ArrayRef
    from lightwell.stacks import LazyArray
else:

    class Array:
        """An array of a product: a JAX array at work, a NumPy array in a notebook."""


T = TypeVar("T")

__all__ = ["Array", "Coordinate", "Dims", "Product"]


class Dims:
    """The axes and the unit of one array of a product.

    gaps : NaN is a value of it, and means that nothing was measured there; elsewhere the engine
    takes NaN for a fault.

    >>> Dims("angle", "row", "x", unit="counts")
    Dims('angle', 'row', 'x', unit='counts')
    """

    def __init__(self, *names: str, unit: str | None = None, gaps: bool = False) -> None:
        self.names = names
        self.unit = unit
        self.gaps = gaps

    def __repr__(self) -> str:
        unit = [f"unit={self.unit!r}"] if self.unit is not None else []
        gaps = ["gaps=True"] if self.gaps else []
        return f"Dims({', '.join([*map(repr, self.names), *unit, *gaps])})"


class Coordinate(NamedTuple):
    """The values along one axis of a result, and the name they get there."""

    values: Sequence[float]
    unit: str
    label: str | None = None


@dataclass_transform(frozen_default=True, eq_default=False)
class Product:
    """Named arrays whose axes are declared once and checked on construction.

    A subclass lists its arrays as annotations; they are given by position or by name.

    >>> from typing import Annotated
    >>> import numpy as np
    >>> class Frames(Product):
    ...     image: Annotated[Array, Dims("frame", "y", "x", unit="counts")]
    ...     dark: Annotated[Array, Dims("y", "x", unit="counts")]
    >>> Frames.of(image=np.zeros((5, 4, 3)), dark=np.zeros((4, 3))).lengths()
    {'frame': 5, 'y': 4, 'x': 3}
    """

    result_definition: ClassVar[str | None] = None
    """The NeXus definition of a result that ends in this product, for example ``NXtomoproc``."""

    frames_along: ClassVar[str | None] = None
    """The axis a selection of frames shortens, where several are made of a dataset's frames."""

    result_attributes: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Attributes that definition asks of an array, by the array's name."""

    detector_axes: ClassVar[tuple[str, ...]] = ()
    """The axes that count detector pixels, along which a preview may bin what it reads."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)

    def __post_init__(self) -> None:
        self.lengths()

    @classmethod
    def of(cls, **arrays: "ArrayLike") -> Self:
        """Make a product from anything NumPy takes for an array."""
        import numpy as np

        return cls(**cast(Any, {name: np.asarray(value) for name, value in arrays.items()}))

    @classmethod
    def dims(cls) -> Mapping[str, Dims]:
        """The axes of every array, by its name.

        Errors: JunctionError where an annotation has no ``Dims``.
        """
        return _dims(cast("Hashable", cls))

    @classmethod
    def axes(cls) -> tuple[str, ...]:
        """Every axis name of the product, in order of appearance."""
        return tuple(dict.fromkeys(n for d in cls.dims().values() for n in d.names))

    @classmethod
    def load(
        cls, entry: "Entry", open_array: Callable[["ArrayRef"], "LazyArray"]
    ) -> Mapping[str, "LazyArray"]:
        """Find each array of the product in an entry, without reading it.

        The default follows the ``From("…")`` of each annotation; a product whose arrays have
        to be picked out of others (projections among flats) overrides this.
        """
        found = {}
        for name, source in _sources(cast("Hashable", cls)).items():
            ref = entry.lookup(source.path)
            if ref is None:
                raise MissingMetadata(
                    f"{cls.__name__} needs the array '{name}', but the entry has no {source.path}",
                    remedy="check what the importer found with `lightwell show PID`",
                )
            found[name] = open_array(cast("ArrayRef", ref))
        return found

    @classmethod
    def examine(cls, arrays: Mapping[str, "LazyArray"]) -> None:
        """Refuse, when a job starts, what cannot give a result; a few values may be read.

        The default refuses nothing. Errors: InputError in a sentence.
        """

    @classmethod
    def coordinates(cls, entry: "Entry", lengths: Mapping[str, int]) -> Mapping[str, Coordinate]:
        """Values along the axes of a result; an axis not named here is counted in pixels."""
        return {}

    @classmethod
    def units(cls, entry: "Entry", parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Units of a result's arrays that are those of the data it was made from, by array.

        An array whose unit is declared keeps that one.
        """
        return {}

    def arrays(self) -> dict[str, Any]:
        """The arrays by name, in the order they are declared."""
        return {name: getattr(self, name) for name in self.dims()}

    def lengths(self) -> dict[str, int]:
        """How long every axis is.

        Errors: JunctionError where the rank is not the declared one or two arrays disagree.
        """
        found: dict[str, int] = {}
        title = type(self).__name__
        for name, dims in self.dims().items():
            shape = tuple(getattr(self, name).shape)
            if len(shape) != len(dims.names):
                raise JunctionError(
                    f"{title}.{name} has {len(shape)} axes, declared are {len(dims.names)}: "
                    f"{', '.join(dims.names) or 'none'}"
                )
            for axis, length in zip(dims.names, shape, strict=True):
                if found.setdefault(axis, length) != length:
                    raise JunctionError(
                        f"{title}: axis '{axis}' has both {found[axis]} and {length} points"
                    )
        return found

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n}: {tuple(a.shape)}" for n, a in self.arrays().items())
        return f"{type(self).__name__}({shapes})"


def _hints(product: type[Product]) -> dict[str, Any]:
    return {
        name: hint
        for name, hint in get_type_hints(product, include_extras=True).items()
        if hint is not ClassVar and get_origin(hint) is not ClassVar
    }


def _metadata(hint: Any, kind: type[T]) -> T | None:
    return next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, kind)), None)


# Classes are hashable; mypy does not see it behind the dataclass_transform, hence the casts.
@cache
def _dims(product: Any) -> Mapping[str, Dims]:
    found: dict[str, Dims] = {}
    for name, hint in _hints(product).items():
        dims = _metadata(hint, Dims)
        if dims is None:
            raise JunctionError(
                f"{product.__name__}.{name} has no axes",
                remedy='write it as Annotated[Array, Dims("row", "x", unit="counts")]',
            )
        found[name] = dims
    return found


@cache
def _sources(product: Any) -> Mapping[str, From]:
    found: dict[str, From] = {}
    for name, hint in _hints(product).items():
        source = _metadata(hint, From)
        if source is None:
            raise MissingMetadata(
                f"{product.__name__}.{name} does not say where an entry keeps it",
                remedy='add From("instrument.detector.data") to its annotation',
            )
        found[name] = source
    return found
