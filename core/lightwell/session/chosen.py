"""The part of a dataset's frames that a job takes, and the arrays of that part."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from lightwell.catalog.query import Query
from lightwell.datasets import Dataset
from lightwell.errors import ParameterError
from lightwell.frame_index import FrameRuns, Selection, frame_stack
from lightwell.products import Product
from lightwell.session.frames import select_frames
from lightwell.stacks import frame_numbers, take

if TYPE_CHECKING:
    from lightwell.session.session import Session
    from lightwell.stacks import LazyArray

__all__ = ["Chosen", "chosen_frames", "narrowed"]

_SHOWN: Final = 5
_NUMBERS: Final = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*|bits:\S+")


class Chosen(NamedTuple):
    """The frames a job takes, and the question they answer; "" if they were given by number."""

    runs: FrameRuns
    question: str


def chosen_frames(
    session: "Session", dataset: Dataset, frames: Selection | FrameRuns | Query | str
) -> Chosen:
    """Return the frames of a dataset that a job takes: of a selection, its name, or a question.

    Errors: ParameterError where there are none; InputError as for any question.
    """
    if isinstance(frames, FrameRuns):
        return Chosen(frames, "")
    if isinstance(frames, str) and session.selections.has(frames):
        frames = session.selections.load(frames)
    elif isinstance(frames, str) and _NUMBERS.fullmatch(frames):
        stack = frame_stack(dataset.entry)
        count = stack.shape[0] if stack is not None else 0
        return Chosen(FrameRuns.parse(frames, count), "")
    if not isinstance(frames, Selection):
        frames = select_frames(session, frames, pids=[dataset.pid])
    runs = frames.parts.get(dataset.pid)
    if runs is None or not len(runs):
        shown = ", ".join(list(frames.parts)[:_SHOWN])
        raise ParameterError(
            f"no frame of {dataset.pid} is selected by: {frames.question}",
            remedy=f"the selection has frames of {shown}" if shown else "ask for others",
        )
    return Chosen(runs, frames.question)


def narrowed(
    product: type[Product], arrays: "Mapping[str, LazyArray]", stack: "LazyArray", runs: FrameRuns
) -> "dict[str, LazyArray]":
    """Return the arrays of a product with the selected ones of its frames, still unread.

    What the product keeps beside its frames, flat and dark fields and their weights, stays whole.
    Errors: ParameterError for a product whose frames cannot be told, or where none is left.
    """
    import numpy as np

    dims = product.dims()
    first = {name: dims[name].names[0] for name in arrays if dims[name].names}
    numbers = {
        first[name]: found
        for name, array in arrays.items()
        if name in first and (found := frame_numbers(array, stack)) is not None
    }
    axis = product.frames_along or (next(iter(numbers)) if len(numbers) == 1 else None)
    if axis is None or axis not in numbers:
        raise ParameterError(
            f"the frames of {product.__name__} cannot be selected",
            remedy="run the recipe on the whole dataset",
        )
    wanted = np.flatnonzero(np.isin(numbers[axis], runs.frames()))
    if not len(wanted):
        raise ParameterError(
            f"none of the {len(runs)} selected frames is one of the {len(numbers[axis])} that "
            f"{product.__name__} has along '{axis}'",
            remedy="flat and dark fields are always kept; select frames of the sample",
        )
    return {
        name: take(array, wanted) if first.get(name) == axis else array
        for name, array in arrays.items()
    }
