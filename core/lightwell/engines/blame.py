"""Blame: what a step raised, as a sentence that names the step and the place."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lightwell.errors import (
    InputError,
    LightwellError,
    MemoryShortage,
    PluginError,
    WorkerError,
    raised_in,
)

__all__ = ["blaming", "may_go_on", "said", "tells_of_shortage"]

# How Python, NumPy, XLA, HDF5, the C++ library and the system (its loader too) say that there is no
# memory left.
_SHORTAGE = (
    "RESOURCE_EXHAUSTED",
    "Cannot allocate memory",
    "Unable to allocate",
    "unable to allocate",
    "memory allocation failed",
    "Out of memory",
    "bad_alloc",
    "can't start new thread",
    "failed to map segment",
)


def tells_of_shortage(error: BaseException) -> bool:
    """Whether an error means that there was not enough memory.

    >>> tells_of_shortage(MemoryError()), tells_of_shortage(ValueError("bad shape"))
    (True, False)
    """
    if isinstance(error, (MemoryError, MemoryShortage)):
        return True
    text = str(error)
    return any(words in text for words in _SHORTAGE)


@contextmanager
def blaming(step: str, where: str = "") -> Iterator[None]:
    """Turn what a step raises into an error that crosses between processes and says who failed.

    Errors of our own pass unchanged. The traceback goes along as a note.
    """
    try:
        yield
    except LightwellError:
        raise
    except Exception as error:
        raise _explained(step, where, error) from error


def may_go_on(error: BaseException) -> bool:
    """Whether less work at a time may help: memory was short, or a worker died of whatever.

    A library that gets no memory ends its process in more than one way.
    """
    return isinstance(error, WorkerError) or tells_of_shortage(error)


def said(error: BaseException) -> str:
    """What an error says happened, without what to do about it: that is being done."""
    return str(getattr(error, "what", None) or error or type(error).__name__).rstrip(".")


def _explained(step: str, where: str, error: Exception) -> LightwellError:
    text = str(error).strip().partition("\n")[0]
    if tells_of_shortage(error):
        return MemoryShortage(
            f"{step} ran out of memory ({text or 'no details'})",
            where=where or None,
            remedy="run it again, it resumes; fewer workers or a smaller --memory leave more room",
        )
    if isinstance(error, ValueError) and _is_refusal(error):
        return InputError(
            f"{step} refuses its input: {text or 'no reason given'}",
            where=where or None,
            remedy="look at the parameters you gave, and at the data with `lightwell show`",
        )
    found = PluginError(
        f"{step} failed with {type(error).__name__}: {text or 'no message'}",
        where=where or None,
        remedy="this is a fault of the step; its author needs the traceback below",
    )
    found.add_note("".join(traceback.format_exception(error)))
    return found


def _is_refusal(error: ValueError) -> bool:
    """Whether the step's own code raised it, as kernels do for input they cannot work on.

    A ValueError from inside JAX or NumPy (shapes that do not fit) is a fault of the step.
    """
    return raised_in(error).partition(".")[0] not in {"jax", "jaxlib", "numpy", "scipy"}
