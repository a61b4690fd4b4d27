"""What can go wrong, in words a user can act on."""

import traceback
from typing import Any, ClassVar

__all__ = [
    "AmbiguousImporter",
    "Conflict",
    "DamagedResult",
    "DiskFull",
    "InputError",
    "Interrupted",
    "JunctionError",
    "LightwellError",
    "MemoryShortage",
    "MissingMetadata",
    "MissingSource",
    "NoImporter",
    "NotAllowed",
    "NotFound",
    "ParameterError",
    "PluginError",
    "UnitError",
    "UnknownName",
    "UnreadableFile",
    "WorkerError",
    "raised_in",
]


def _sentence(text: str) -> str:
    """Return `text` ending in a full stop, unless it already ends a sentence."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


class LightwellError(Exception):
    """Something failed: what, where, and what to do about it.

    >>> print(LightwellError("the scan has no angles", where="a.h5", remedy="Give first_angle"))
    the scan has no angles. Where: a.h5. Give first_angle.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [_sentence(self.what)]
        if self.where:
            parts.append(_sentence(f"Where: {self.where}"))
        if self.remedy:
            # Callers write the remedy as a clause or as a sentence; people read a sentence.
            parts.append(_sentence(self.remedy[0].upper() + self.remedy[1:]))
        return " ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own pickling calls cls(*args), which would lose the keyword-only parts;
        # a subclass may have another signature, so the instance is rebuilt without calling it.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    cls: type[LightwellError], args: tuple[Any, ...], state: dict[str, Any]
) -> LightwellError:
    """Return the error that another process raised."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InputError(LightwellError):
    """What the user gave cannot be used; the message says what to give instead."""

    exit_status: ClassVar[int] = 2


class UnreadableFile(InputError):
    """A file is truncated, of another format, or may not be opened."""


class MissingSource(InputError):
    """A linked file or a virtual source that an array needs is not there."""


class UnknownName(InputError):
    """A name that nothing was registered under."""


class ParameterError(InputError):
    """A parameter is unknown, out of range or of the wrong type."""


class JunctionError(InputError, TypeError):
    """Two steps do not fit together."""


class AmbiguousImporter(InputError):
    """Several importers claim one path with equal right."""


class NoImporter(InputError):
    """No importer claims a path."""


class NotFound(InputError):
    """A dataset, file or object that does not exist, or that this user may not see."""


class NotAllowed(InputError):
    """The user may see something, and not do with it what was asked."""


class MissingMetadata(InputError):
    """A value is needed that neither the files nor the user gave."""


class UnitError(InputError, ValueError):
    """A unit is unknown, or of another dimension than is asked for."""


class Conflict(InputError):
    """Something else already stands there, or changed meanwhile."""


class DamagedResult(InputError):
    """A stored result is incomplete or differs from what its digests say."""


class DiskFull(InputError):
    """A disk has no room for what is to be written."""


class PluginError(LightwellError):
    """A plugin is broken; the fault is neither the user's nor the core's."""


class Interrupted(LightwellError):
    """Work stopped before its end and can be resumed."""

    exit_status: ClassVar[int] = 75


class WorkerError(LightwellError):
    """A worker process died or could not be started."""


class MemoryShortage(WorkerError):
    """The memory of the machine did not suffice, whatever the budget said; resumable."""

    exit_status: ClassVar[int] = 75


def raised_in(error: BaseException) -> str:
    """The module whose code raised an error: who is to be asked about it.

    >>> try:
    ...     import json
    ...     json.loads("no")
    ... except ValueError as error:
    ...     raised_in(error)
    'json.decoder'
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    return str(frames[-1][0].f_globals.get("__name__", "")) if frames else ""
