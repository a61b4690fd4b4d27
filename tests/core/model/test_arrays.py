import pickle

import pytest
from pydantic import ValidationError

from lightwell.model import ArrayRef, FilePart


def test_concatenation_keeps_counts_and_order() -> None:
    first = ArrayRef.hdf5("a.h5", "/data", (3, 4), "uint16")
    both = ArrayRef.concatenate(first, ArrayRef.hdf5("b.h5", "/data", (2, 4), "uint16"))
    assert both.shape == (5, 4)
    assert both.lengths() == (3, 2)
    assert both.files == ("a.h5", "b.h5")


def test_stack_of_frames() -> None:
    frames = [ArrayRef.hdf5("a.h5", f"/{i}", (4, 5), "uint16", "counts") for i in range(3)]
    stack = ArrayRef.stack(*frames)
    assert stack.shape == (3, 4, 5)
    assert all(isinstance(part, FilePart) and part.new_axis for part in stack.parts)
    with pytest.raises(ValueError, match="only whole arrays"):
        ArrayRef.stack(ArrayRef.even(0, 1, 4))


def test_a_folder_of_tiffs_is_one_part() -> None:
    ref = ArrayRef.frames("projection", (91, 135, 160), "uint16", container="tiff")
    assert ref.lengths() == (91,)
    assert ArrayRef.model_validate(ref.model_dump(mode="json")) == ref


def test_unlike_arrays_are_not_joined() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        ArrayRef.concatenate(
            ArrayRef.hdf5("a", "/a", (1, 4), "f4"), ArrayRef.hdf5("a", "/a", (1, 5), "f4")
        )
    with pytest.raises(ValueError, match="types or units"):
        ArrayRef.concatenate(ArrayRef.even(0, 1, 2, "degree"), ArrayRef.even(0, 1, 2))


def test_parts_must_fill_the_array() -> None:
    with pytest.raises(ValidationError, match="hold 3 rows"):
        ArrayRef(shape=(4,), dtype="f8", parts=(FilePart(file="a.h5", path="/x", count=3),))
    with pytest.raises(ValidationError, match="a file or a role"):
        FilePart(path="/x")


@pytest.mark.parametrize(
    ("dtype", "bits"), [("uint16", 2), ("<u2", 2), ("f8", 8), ("bool", 1), ("complex64", 8)]
)
def test_size_in_memory(dtype: str, bits: int) -> None:
    assert ArrayRef.hdf5("a", "/a", (10,), dtype).nbytes == 10 * bits


def test_values_without_a_file() -> None:
    even, constant = ArrayRef.even(0, 180, 91).parts[0], ArrayRef.constant(2.5, 3).parts[0]
    assert not isinstance(even, FilePart)
    assert (even.values[0], even.values[45], even.values[-1]) == (0.0, 90.0, 180.0)
    assert not isinstance(constant, FilePart)
    assert constant.values == (2.5, 2.5, 2.5)


def test_references_are_values() -> None:
    ref = ArrayRef.hdf5("a.h5", "/data", (3, 4), "uint16")
    assert hash(ref) == hash(pickle.loads(pickle.dumps(ref)))  # noqa: S301 - our own
