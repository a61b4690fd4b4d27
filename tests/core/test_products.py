"""Products say what their arrays are, and refuse arrays that are something else."""

from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

from lightwell import Array, Dims, From, Product
from lightwell.errors import JunctionError, MissingMetadata


class Frames(Product):
    """Frames with a dark one."""

    result_definition: ClassVar[str | None] = "NXfake"
    image: Annotated[Array, Dims("frame", "y", "x", unit="counts"), From("detector.data")]
    dark: Annotated[Array, Dims("y", "x"), From("detector.dark")]


class Timed(Frames):
    """Frames with the time of each."""

    time: Annotated[Array, Dims("frame", unit="s")]


def frames(**changes: Any) -> Frames:
    return Frames.of(**{"image": np.zeros((5, 4, 3)), "dark": np.zeros((4, 3)), **changes})


def test_axes_come_in_order_of_appearance() -> None:
    assert Frames.axes() == ("frame", "y", "x")
    assert Frames.dims()["image"].unit == "counts"
    assert list(Timed.dims()) == ["image", "dark", "time"]


def test_lengths_and_arrays() -> None:
    product = frames()
    assert product.lengths() == {"frame": 5, "y": 4, "x": 3}
    assert list(product.arrays()) == ["image", "dark"]
    assert repr(product) == "Frames(image: (5, 4, 3), dark: (4, 3))"


def test_lists_become_arrays() -> None:
    class Line(Product):
        value: Annotated[Array, Dims("x")]

    assert Line.of(value=[1, 2, 3]).lengths() == {"x": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dark": np.zeros(4)}, "Frames.dark has 1 axes, declared are 2: y, x"),
        ({"dark": np.zeros((4, 2))}, "axis 'x' has both 3 and 2 points"),
        ({"image": np.zeros(())}, "Frames.image has 0 axes, declared are 3: frame, y, x"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(JunctionError, match=message):
        frames(**changes)


def test_an_array_without_axes_in_its_annotation_is_refused() -> None:
    class Bare(Product):
        value: Annotated[Array, "no axes here"]

    with pytest.raises(JunctionError, match=r"Bare.value has no axes. Write it as Annotated"):
        Bare.of(value=np.zeros(3))


def test_products_are_frozen_and_compare_by_identity() -> None:
    product: Any = frames()
    with pytest.raises(AttributeError):
        product.image = 1
    assert product != frames()
    assert len({product, product}) == 1


class _Entry:
    """Knows only the frames."""

    def lookup(self, path: str) -> str | None:
        return f"ref:{path}" if path.endswith("data") else None


def test_load_follows_the_annotations() -> None:
    class Images(Product):
        image: Annotated[Array, Dims("frame", "y", "x"), From("detector.data")]

    entry: Any = _Entry()
    found: Any = Images.load(entry, lambda ref: ref)  # type: ignore[arg-type,return-value]
    assert found == {"image": "ref:detector.data"}
    with pytest.raises(MissingMetadata, match=r"'dark', but the entry has no detector.dark"):
        Frames.load(entry, lambda ref: ref)  # type: ignore[arg-type,return-value]
    with pytest.raises(MissingMetadata, match=r"Timed.time does not say where"):
        Timed.load(entry, lambda ref: ref)  # type: ignore[arg-type,return-value]


def test_no_coordinates_unless_a_subclass_knows_some() -> None:
    entry: Any = _Entry()
    assert Frames.coordinates(entry, {"frame": 5}) == {}
